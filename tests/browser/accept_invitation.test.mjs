// The page behind the link of an invitation.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ADMIN, assertFaultless, openPage, screenshot, startBrowser, startMuster } from './muster.mjs';

const PASSWORD = 'copper-meadow-violin-82';
const DONE = 'Welcome to Muster. You can log in now.';

let muster;
let browser;
let mails = 0;

before(async () => {
  muster = await startMuster({ SIGN_UP: 'closed' });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await muster?.stop();
});

async function logIn(login, password) {
  const { data } = await muster.graphql(
    'mutation ($input: LogInInput!) { logIn(input: $input) { accessToken } }',
    { input: { login, password } },
  );
  return data.logIn.accessToken;
}

/** Invites an address and takes the link from the mail. */
async function invite() {
  const { data } = await muster.graphql(
    'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { userErrors { code } } }',
    { input: { email: `guest-${mails}@example.com`, role: 'EMPLOYEE' } },
    await logIn(ADMIN.username, ADMIN.password),
  );
  assert.deepEqual(data.inviteUser.userErrors, []);
  const text = await muster.newestMail('invitation', { since: mails });
  mails += 1;
  const [link] = text.match(/http:\/\/localhost\S+#token=\S+/);
  return link;
}

async function submit(page, username, password, repeated = password) {
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Password, again').fill(repeated);
  await page.getByRole('button', { name: 'Join' }).click();
}

test('a mailed link opens the door once, and only when the form is submitted', async () => {
  const link = await invite();
  for (let visit = 0; visit < 3; visit += 1) {
    assert.equal((await fetch(link)).status, 200);
    const scanner = await openPage(browser, link);
    await scanner.page.getByText('At least 8 characters.').waitFor();
    await scanner.context.close();
  }
  const opened = await openPage(browser, link);
  const { page } = opened;
  await page.getByText('At least 8 characters.').waitFor();
  assert.equal(page.url(), `${muster.url}/accept-invitation`);
  await screenshot(page, 'accept-invitation');
  await submit(page, 'nico', PASSWORD);
  await page.getByRole('status').getByText(DONE).waitFor();
  assert.equal(await page.getByRole('button').count(), 0);
  assertFaultless(opened, muster.url);
  await opened.context.close();
  assert.ok(await logIn('nico', PASSWORD));

  const again = await openPage(browser, link);
  await submit(again.page, 'olga', PASSWORD);
  await again.page.getByRole('alert').getByText('This invitation no longer works').waitFor();
  assertFaultless(again, muster.url);
  await again.context.close();
  assert.equal(await logIn('olga', PASSWORD), null);
});

test('what is wrong is said at its field, and the link still works', async () => {
  const opened = await openPage(browser, await invite());
  const { page } = opened;
  const username = page.getByLabel('Username');

  await submit(page, '', PASSWORD);
  await page.getByText('Type a username.').waitFor();
  await submit(page, 'olga', PASSWORD, `${PASSWORD}!`);
  await page.getByText('The two passwords differ.').waitFor();

  await submit(page, ADMIN.username, 'short');
  await page.locator('#password-error').filter({ hasText: /\S/ }).waitFor();
  await submit(page, ADMIN.username, PASSWORD);
  await page.locator('#username-error').filter({ hasText: 'taken' }).waitFor();
  assert.equal(await username.getAttribute('aria-invalid'), 'true');
  assert.ok(await username.evaluate((element) => element === document.activeElement));
  await screenshot(page, 'accept-invitation-taken');

  await submit(page, 'olga', PASSWORD);
  await page.getByText(DONE).waitFor();
  assertFaultless(opened, muster.url);
  await opened.context.close();
});

test('a link without a token is called incomplete', async () => {
  const opened = await openPage(browser, `${muster.url}/accept-invitation`);
  await opened.page.getByRole('alert').getByText('This link is incomplete.').waitFor();
  assert.equal(await opened.page.getByRole('button').count(), 0);
  assertFaultless(opened, muster.url);
  await opened.context.close();
});

test('the page fits a phone and a dark room', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const opened = await openPage(browser, `${muster.url}/accept-invitation#token=whatever`, {
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
    await screenshot(page, `accept-invitation-phone-${colorScheme}`);
    assertFaultless(opened, muster.url);
    await opened.context.close();
  }
});
