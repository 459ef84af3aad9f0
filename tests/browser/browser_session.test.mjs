// A session that a browser keeps in a cookie: pages of allowed origins can use it,
// pages of other origins cannot, and no script can read it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { ADMIN, startBrowser, startMuster } from './muster.mjs';

const LOG_IN = `mutation ($input: LogInInput!) {
  logIn(input: $input) { accessToken refreshToken userErrors { code } }
}`;
const REFRESH = 'mutation { refreshSession(input: {}) { accessToken refreshToken userErrors { code } } }';
const LOG_OUT = 'mutation { logOut { loggedOut } }';

let muster;
let browser;
/** A front end on an origin of its own, which the server lets in. */
let allowed;
/** The same site, since ports do not matter to it, but an origin that is not let in. */
let neighbour;
/** Another site. */
let foreign;

before(async () => {
  allowed = await servePages('localhost');
  neighbour = await servePages('localhost');
  foreign = await servePages('127.0.0.1');
  muster = await startMuster({ CORS_ORIGINS: allowed.origin });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await muster?.stop();
  for (const pages of [allowed, neighbour, foreign]) pages?.close();
});

/** Empty pages of an origin. */
async function servePages(host) {
  const server = http.createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>Front end</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { origin: `http://${host}:${server.address().port}`, close: () => server.close() };
}

/** Sends an operation as the page's script does, and gives the answer or what went wrong. */
function send(page, query, { variables = {}, token, ...options } = {}) {
  return page.evaluate(
    async ({ url, query, variables, token, options }) => {
      try {
        const response = await fetch(url, {
          method: 'POST',
          credentials: 'include',
          headers: {
            'Content-Type': 'application/json',
            ...(token && { Authorization: `Bearer ${token}` }),
          },
          body: JSON.stringify({ query, variables }),
          ...options,
        });
        return response.type === 'opaque' ? { opaque: true } : await response.json();
      } catch (error) {
        return { failed: String(error) };
      }
    },
    { url: `${muster.url}/graphql`, query, variables, token, options },
  );
}

async function logIn(page) {
  const input = { login: ADMIN.username, password: ADMIN.password, refreshTokenIn: 'COOKIE' };
  const { data } = await send(page, LOG_IN, { variables: { input } });
  assert.deepEqual(data.logIn.userErrors, []);
  assert.equal(data.logIn.refreshToken, null);
  return data.logIn.accessToken;
}

/** Whether this access token still stands for somebody. */
async function isSignedIn(token) {
  const { data } = await muster.graphql('{ viewer { username } }', {}, token);
  return data?.viewer?.username === ADMIN.username;
}

/** Pages of one browser, by the origins that they are from. */
async function openPages(...origins) {
  const context = await browser.newContext();
  const pages = [];
  for (const { origin } of origins) {
    const page = await context.newPage();
    await page.goto(origin);
    pages.push(page);
  }
  return { context, pages };
}

for (const [name, place] of [
  ['another origin that is allowed', () => allowed],
  ['the server itself', () => ({ origin: `${muster.url}/reset-password` })],
]) {
  test(`a page of ${name} keeps its session by the cookie alone`, async () => {
    const { context, pages: [page] } = await openPages(place());
    const first = await logIn(page);
    assert.equal(await page.evaluate(() => document.cookie), '');
    const [cookie] = await context.cookies(muster.url);
    assert.equal(cookie.name, '__Host-muster_refresh_token');
    assert.deepEqual(
      { httpOnly: cookie.httpOnly, secure: cookie.secure, sameSite: cookie.sameSite, path: cookie.path },
      { httpOnly: true, secure: true, sameSite: 'Strict', path: '/' },
    );

    await page.reload();
    const { data } = await send(page, REFRESH);
    assert.deepEqual(data.refreshSession.userErrors, []);
    assert.ok(await isSignedIn(data.refreshSession.accessToken));
    assert.notEqual((await context.cookies(muster.url))[0].value, cookie.value);

    const answer = await send(page, LOG_OUT);
    assert.equal(answer.data.logOut.loggedOut, true);
    assert.deepEqual(await context.cookies(muster.url), []);
    assert.equal(await isSignedIn(first), false);
    await context.close();
  });
}

for (const [name, place] of [
  ['another site', () => foreign],
  ['an origin of the same site that is not allowed', () => neighbour],
]) {
  test(`a page of ${name} cannot use the session`, async () => {
    const { context, pages: [home, evil] } = await openPages(allowed, place());
    const token = await logIn(home);
    const before = await context.cookies(muster.url);
    for (const operation of [REFRESH, LOG_OUT]) {
      // The browser asks first, and is told no.
      assert.match((await send(evil, operation)).failed, /Failed to fetch/);
      // What it sends without asking is not taken for an operation.
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
        const sent = await send(evil, operation, { mode: 'no-cors', headers: { 'Content-Type': type } });
        assert.deepEqual(sent, { opaque: true });
      }
      const [answer] = await Promise.all([
        evil.waitForNavigation(),
        evil.evaluate(
          ({ url, operation }) => {
            const form = document.createElement('form');
            form.method = 'post';
            form.action = url;
            form.enctype = 'text/plain';
            const field = document.createElement('input');
            field.name = `{"query":"${operation}","x":"`;
            field.value = '"}';
            form.append(field);
            document.body.append(form);
            form.submit();
          },
          { url: `${muster.url}/graphql`, operation },
        ),
      ]);
      assert.equal(answer.status(), 415);
      await evil.goto(place().origin);
    }
    assert.ok(await isSignedIn(token));
    assert.deepEqual(await context.cookies(muster.url), before);
    const { data } = await send(home, REFRESH);
    assert.deepEqual(data.refreshSession.userErrors, []);
    await context.close();
  });
}
