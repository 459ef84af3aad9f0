// The page behind the link of a reset mail.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ADMIN, assertFaultless, openPage, screenshot, startBrowser, startMuster } from './muster.mjs';

const NEW_PASSWORD = 'copper-meadow-violin-82';
const DONE = 'Your password is changed. You can log in now.';

let muster;
let browser;
let mails = 0;

before(async () => {
  muster = await startMuster();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await muster?.stop();
});

/** Asks for a reset and takes the link from the mail. */
async function requestLink() {
  const { data } = await muster.graphql(
    'mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { accepted } }',
    { input: { email: ADMIN.email } },
  );
  assert.equal(data.requestPasswordReset.accepted, true);
  const text = await muster.newestMail('password-reset', { since: mails });
  mails += 1;
  const [link] = text.match(/http:\/\/localhost\S+#token=\S+/);
  return link;
}

/** What logging in with this password is refused for; nothing when it works. */
async function refusal(password) {
  const { data } = await muster.graphql(
    'mutation ($input: LogInInput!) { logIn(input: $input) { accessToken userErrors { code } } }',
    { input: { login: ADMIN.username, password } },
  );
  const { accessToken, userErrors } = data.logIn;
  assert.equal(Boolean(accessToken), userErrors.length === 0);
  return userErrors[0]?.code;
}

async function submit(page, password, repeated = password) {
  await page.getByLabel('New password', { exact: true }).fill(password);
  await page.getByLabel('New password, again').fill(repeated);
  await page.getByRole('button', { name: 'Change password' }).click();
}

test('a mailed link changes the password once', async () => {
  const link = await requestLink();
  const opened = await openPage(browser, link);
  const { page } = opened;
  await page.getByText('At least 8 characters.').waitFor();
  assert.equal(page.url(), `${muster.url}/reset-password`);
  await page.goBack();
  assert.ok(!page.url().includes('token'));
  await page.goto(link);
  await submit(page, NEW_PASSWORD);
  await page.getByRole('status').getByText(DONE).waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  await screenshot(page, 'reset-done');
  assertFaultless(opened, muster.url);
  await opened.context.close();

  assert.equal(await refusal(NEW_PASSWORD), undefined);
  assert.equal(await refusal(ADMIN.password), 'INVALID_CREDENTIALS');

  const again = await openPage(browser, link);
  await submit(again.page, ADMIN.password);
  await again.page.getByRole('alert').getByText('This link no longer works').waitFor();
  await screenshot(again.page, 'reset-used-link');
  assert.equal(await refusal(ADMIN.password), 'INVALID_CREDENTIALS');
  assertFaultless(again, muster.url);
  await again.context.close();
});

test('opening a link without submitting the form consumes nothing', async () => {
  const link = await requestLink();
  for (let visit = 0; visit < 3; visit += 1) {
    const response = await fetch(link);
    assert.equal(response.status, 200);
    const scanner = await openPage(browser, link);
    await scanner.page.getByText('At least 8 characters.').waitFor();
    await scanner.context.close();
  }
  const opened = await openPage(browser, link);
  await submit(opened.page, ADMIN.password);
  await opened.page.getByText(DONE).waitFor();
  await screenshot(opened.page, 'reset-after-scanners');
  await opened.context.close();
  assert.equal(await refusal(ADMIN.password), undefined);
});

test('what is wrong with a password is said at its field, and the link still works', async () => {
  const opened = await openPage(browser, await requestLink());
  const { page } = opened;
  const field = page.getByLabel('New password', { exact: true });
  const repeated = page.getByLabel('New password, again');
  const error = page.locator('#new-password-error');

  await submit(page, 'short');
  await error.filter({ hasText: /\S/ }).waitFor();
  assert.equal(await error.getAttribute('role'), 'alert');
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.ok((await field.getAttribute('aria-describedby')).split(' ').includes('new-password-error'));
  assert.ok(await field.evaluate((element) => element === document.activeElement));
  await screenshot(page, 'reset-too-short');

  await submit(page, NEW_PASSWORD, `${NEW_PASSWORD}!`);
  await page.getByText('The two passwords differ.').waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), null);
  assert.equal(await repeated.getAttribute('aria-invalid'), 'true');

  await submit(page, NEW_PASSWORD);
  await page.getByText(DONE).waitFor();
  assertFaultless(opened, muster.url);
  await opened.context.close();
});

test('a link without a token is called incomplete', async () => {
  const opened = await openPage(browser, `${muster.url}/reset-password`);
  await opened.page.getByRole('alert').getByText('This link is incomplete.').waitFor();
  assert.equal(await opened.page.getByRole('button').count(), 0);
  await screenshot(opened.page, 'reset-incomplete');
  assertFaultless(opened, muster.url);
  await opened.context.close();
});

test('a request that fails as a whole leaves the form as it was', async () => {
  const opened = await openPage(browser, `${muster.url}/reset-password#token=whatever`);
  const { page } = opened;
  const field = page.getByLabel('New password', { exact: true });
  const answers = [
    {
      answer: { json: { data: { resetPassword: null }, errors: [{ message: 'Try again in a minute.' }] } },
      said: 'Try again in a minute.',
    },
    { answer: { status: 502, body: '<h1>Bad gateway</h1>' }, said: 'The server could not be reached.' },
  ];
  for (const { answer, said } of answers) {
    await page.route('**/graphql', (route) => route.fulfill(answer));
    await submit(page, NEW_PASSWORD);
    await page.getByRole('alert').getByText(said).waitFor();
    assert.equal(await field.inputValue(), NEW_PASSWORD);
    assert.ok(await page.getByRole('button', { name: 'Change password' }).isEnabled());
    await page.unroute('**/graphql');
  }
  await screenshot(page, 'reset-failed-request');
  await opened.context.close();
});

test('the page fits a phone and a dark room', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const opened = await openPage(browser, `${muster.url}/reset-password#token=whatever`, {
      viewport: { width: 320, height: 640 },
      colorScheme,
      hasTouch: true,
    });
    const { page } = opened;
    await page.getByText('At least 8 characters.').waitFor();
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(overflow, 0);
    await screenshot(page, `reset-phone-${colorScheme}`);
    assertFaultless(opened, muster.url);
    await opened.context.close();
  }
});
