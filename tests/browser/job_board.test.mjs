// The job board, as an admin uses it in a browser: apalis's own board, at home at
// /jobs, with nothing from anywhere else.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { ADMIN, assertFaultless, openPage, screenshot, startBrowser, startMuster } from './muster.mjs';

const QUEUE = 'muster';

let muster;
let browser;

before(async () => {
  muster = await startMuster();
  browser = await startBrowser();
  // A sign-up has its mail sent by a job.
  const signUp = 'mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }';
  const input = { username: 'nico', email: 'nico@example.com', password: 'violet Tram 48 gardens' };
  const { data } = await muster.graphql(signUp, { input });
  assert.deepEqual(data.signUp.userErrors, []);
  await muster.newestMail('welcome');
});

after(async () => {
  await browser?.close();
  await muster?.stop();
});

async function logIn(page, password = ADMIN.password) {
  await page.fill('#login', ADMIN.username);
  await page.fill('#password', password);
  await page.click('#submit');
}

test('an admin logs in, looks at a job, and logs out', async () => {
  const opened = await openPage(browser, `${muster.url}/jobs`);
  const { page, context } = opened;
  await screenshot(page, 'job-board-log-in');
  await logIn(page);
  await page.getByText('Overview').first().waitFor();
  assert.equal(new URL(page.url()).pathname, '/jobs');
  const [cookie] = await context.cookies(`${muster.url}/jobs`);
  assert.deepEqual(
    { name: cookie.name, httpOnly: cookie.httpOnly, sameSite: cookie.sameSite, path: cookie.path },
    { name: 'muster_job_board', httpOnly: true, sameSite: 'Strict', path: '/jobs' },
  );
  // Nothing but the board is sent it.
  assert.ok((await context.cookies(`${muster.url}/graphql`)).every(({ name }) => name !== cookie.name));
  await screenshot(page, 'job-board-overview');

  // By its own links, whose addresses are good in another tab, too.
  await page.locator(`a[href="/jobs/queues"]`).first().click();
  await page.waitForURL(`${muster.url}/jobs/queues`);
  await page.locator(`a[href="/jobs/queues/${QUEUE}"]`).first().click();
  await page.waitForURL(`${muster.url}/jobs/queues/${QUEUE}`);
  await screenshot(page, 'job-board-queue');
  // The board looks once; a job is noted as done a moment after its mail is there.
  const done = `/jobs/api/v1/queues/${QUEUE}/tasks?status=Done`;
  await page.waitForFunction(async (done) => (await (await fetch(done)).json()).length > 0, done);
  await page.goto(`${muster.url}/jobs/queues/${QUEUE}/Done`);
  const task = page.locator(`a[href^="/jobs/queues/${QUEUE}/tasks/"]`).first();
  await task.waitFor();
  await screenshot(page, 'job-board-done');
  await task.click();
  await page.getByText('delivery_id').first().waitFor();
  assert.match(new URL(page.url()).pathname, new RegExp(`^/jobs/queues/${QUEUE}/tasks/[0-9A-Z]{26}$`));
  await screenshot(page, 'job-board-job');
  // It is found again by its address, and by the way back.
  await page.reload();
  await page.getByText('delivery_id').first().waitFor();
  for (const place of ['workers', 'tasks']) {
    await page.locator(`a[href="/jobs/${place}"]`).first().click();
    await page.waitForURL(`${muster.url}/jobs/${place}`);
    await screenshot(page, `job-board-${place}`);
  }
  await page.goBack();
  await page.waitForURL(`${muster.url}/jobs/workers`);
  for (const hidden of ['Advanced', 'Manage', 'System Status']) {
    assert.equal(await page.getByText(hidden).first().isVisible(), false, hidden);
  }

  await page.click('#log-out');
  await page.locator('#login').waitFor();
  assert.ok((await context.cookies(`${muster.url}/jobs`)).every(({ name }) => name !== cookie.name));
  assertFaultless(opened, muster.url);
  await context.close();
});

test('who is not let in is told so at the form, and keeps nothing', async () => {
  const { page, context } = await openPage(browser, `${muster.url}/jobs/queues`);
  await logIn(page, 'not her password');
  assert.equal(await page.textContent('#notice'), 'Username, e-mail address or password is wrong.');
  assert.equal(await page.inputValue('#login'), ADMIN.username);
  assert.equal(await page.inputValue('#password'), '');
  assert.deepEqual(await context.cookies(`${muster.url}/jobs`), []);
  await screenshot(page, 'job-board-refused');
  await context.close();
});

test('a session that is ended elsewhere leads back to the form', async () => {
  const { page, context } = await openPage(browser, `${muster.url}/jobs`);
  await logIn(page);
  await page.getByText('Overview').first().waitFor();
  const logInElsewhere = 'mutation ($input: LogInInput!) { logIn(input: $input) { accessToken } }';
  const input = { login: ADMIN.username, password: ADMIN.password };
  const { data } = await muster.graphql(logInElsewhere, { input });
  const logOut = 'mutation { logOut(input: { everywhere: true }) { loggedOut } }';
  await muster.graphql(logOut, {}, data.logIn.accessToken);
  await page.locator('a[href="/jobs/queues"]').first().click();
  await page.locator('#login').waitFor();
  await context.close();
});

test('a page of another site can neither log anybody in nor show the board', async () => {
  const foreign = http.createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end(`<!doctype html><title>Elsewhere</title>
      <form id="form" method="post" action="${muster.url}/jobs/log-in">
        <input name="login" value="${ADMIN.username}"><input name="password" value="${ADMIN.password}">
      </form><iframe src="${muster.url}/jobs"></iframe>`);
  });
  foreign.listen(0, '127.0.0.1');
  await once(foreign, 'listening');
  try {
    const { page, context } = await openPage(browser, `http://127.0.0.1:${foreign.address().port}`);
    const framed = page.frames().find((frame) => frame !== page.mainFrame());
    assert.equal(await framed.locator('#login').count(), 0);
    const [answer] = await Promise.all([page.waitForNavigation(), page.evaluate(() => document.querySelector('#form').submit())]);
    assert.equal(answer.status(), 403);
    assert.deepEqual(await context.cookies(`${muster.url}/jobs`), []);
    await context.close();
  } finally {
    foreign.close();
  }
});
