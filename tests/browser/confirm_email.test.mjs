// The page behind the link that confirms an address.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ADMIN, assertFaultless, openPage, screenshot, startBrowser, startMuster } from './muster.mjs';

const DONE = 'Your e-mail address is confirmed.';

let muster;
let browser;
let people = 0;

before(async () => {
  muster = await startMuster();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await muster?.stop();
});

/** Signs somebody up and takes the link from their welcome. */
async function signUp() {
  const username = `nico-${people}`;
  const { data } = await muster.graphql(
    'mutation ($input: SignUpInput!) { signUp(input: $input) { user { id } userErrors { code } } }',
    { input: { username, email: `${username}@example.com`, password: ADMIN.password } },
  );
  const text = await muster.newestMail('welcome', { since: people });
  people += 1;
  const [link] = text.match(/http:\/\/localhost\S+#token=\S+/);
  return { id: data.signUp.user.id, link };
}

/** What an admin sees beside the sign-up. */
async function isVerified(id) {
  const login = await muster.graphql(
    'mutation ($input: LogInInput!) { logIn(input: $input) { accessToken } }',
    { input: { login: ADMIN.username, password: ADMIN.password } },
  );
  const { data } = await muster.graphql(
    'query ($id: ID!) { user(id: $id) { emailVerified } }',
    { id },
    login.data.logIn.accessToken,
  );
  return data.user.emailVerified;
}

const press = (page) => page.getByRole('button', { name: 'Confirm my address' }).click();

test('a mailed link confirms the address once, and only when the button is pressed', async () => {
  const { id, link } = await signUp();
  for (let visit = 0; visit < 3; visit += 1) {
    assert.equal((await fetch(link)).status, 200);
    const scanner = await openPage(browser, link);
    await scanner.page.getByRole('button').waitFor();
    await scanner.context.close();
  }
  assert.equal(await isVerified(id), false);

  const opened = await openPage(browser, link);
  const { page } = opened;
  await page.getByRole('button').waitFor();
  assert.equal(page.url(), `${muster.url}/confirm-email`);
  await screenshot(page, 'confirm-email');
  await press(page);
  await page.getByRole('status').getByText(DONE).waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  assertFaultless(opened, muster.url);
  await opened.context.close();
  assert.equal(await isVerified(id), true);

  const again = await openPage(browser, link);
  await press(again.page);
  await again.page.getByRole('alert').getByText('This link no longer works').waitFor();
  await screenshot(again.page, 'confirm-email-used-link');
  assertFaultless(again, muster.url);
  await again.context.close();
});

test('a link without a token is called incomplete', async () => {
  const opened = await openPage(browser, `${muster.url}/confirm-email`);
  await opened.page.getByRole('alert').getByText('This link is incomplete.').waitFor();
  assert.equal(await opened.page.getByRole('button').count(), 0);
  assertFaultless(opened, muster.url);
  await opened.context.close();
});

test('a request that fails as a whole can be made again', async () => {
  const { id, link } = await signUp();
  const opened = await openPage(browser, link);
  const { page } = opened;
  const answers = [
    {
      answer: { json: { data: { confirmEmail: null }, errors: [{ message: 'Try again in a minute.' }] } },
      said: 'Try again in a minute.',
    },
    { answer: { status: 502, body: '<h1>Bad gateway</h1>' }, said: 'The server could not be reached.' },
  ];
  for (const { answer, said } of answers) {
    await page.route('**/graphql', (route) => route.fulfill(answer));
    await press(page);
    await page.getByRole('alert').getByText(said).waitFor();
    await page.unroute('**/graphql');
  }
  await press(page);
  await page.getByText(DONE).waitFor();
  assert.equal(await isVerified(id), true);
  await opened.context.close();
});

test('the page fits a phone and a dark room', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const opened = await openPage(browser, `${muster.url}/confirm-email#token=whatever`, {
      viewport: { width: 320, height: 640 },
      colorScheme,
      hasTouch: true,
    });
    const { page } = opened;
    await page.getByRole('button').waitFor();
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(overflow, 0);
    await screenshot(page, `confirm-email-phone-${colorScheme}`);
    assertFaultless(opened, muster.url);
    await opened.context.close();
  }
});
