// The playground at `/`: GraphiQL, served by Muster alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ADMIN, assertFaultless, openPage, screenshot, startBrowser, startMuster } from './muster.mjs';

let muster;
let browser;

before(async () => {
  muster = await startMuster();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await muster?.stop();
});

/** Open, with the schema loaded. */
async function openPlayground(options) {
  const opened = await openPage(browser, muster.url, options);
  await opened.page.getByRole('button', { name: 'Execute query' }).waitFor();
  await opened.page.waitForLoadState('networkidle');
  return opened;
}

/** Replaces what is in the query editor. */
async function write(page, query) {
  await page.locator('.graphiql-query-editor .CodeMirror').first().click();
  await page.keyboard.press('ControlOrMeta+A');
  // As one piece: typed key by key, the editor would add closing brackets.
  await page.keyboard.insertText(query);
}

async function run(page) {
  await page.getByRole('button', { name: 'Execute query' }).click();
}

/** Waits until the result, as text, has all of these words. */
async function resultShows(page, ...words) {
  const result = page.locator('.result-window');
  for (const word of words) await result.getByText(word).first().waitFor();
}

test('the playground loads from its own host alone, and nothing is refused', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const opened = await openPlayground({ colorScheme });
    assert.equal(await opened.page.title(), 'Muster playground');
    assertFaultless(opened, muster.url);
    await screenshot(opened.page, `playground-${colorScheme}`);
    await opened.context.close();
  }
});

test('the query that is there at first runs, and its result shows', async () => {
  const opened = await openPlayground();
  await run(opened.page);
  await resultShows(opened.page, '"version"', '"signUpOpen"', '"time"');
  assertFaultless(opened, muster.url);
  await screenshot(opened.page, 'playground-result');
  await opened.context.close();
});

test('the documentation explorer opens and explains the schema', async () => {
  const opened = await openPlayground();
  const { page } = opened;
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const explorer = page.getByRole('region', { name: 'Documentation Explorer' });
  await explorer.getByRole('link', { name: 'Query', exact: true }).click();
  await explorer.getByText('server', { exact: true }).waitFor();
  await explorer.getByRole('link', { name: 'ServerInfo', exact: true }).click();
  await explorer.getByText('What a sign-up or log-in form needs to know.', { exact: true }).waitFor();
  assertFaultless(opened, muster.url);
  await screenshot(page, 'playground-documentation');
  await opened.context.close();
});

test('dialogs, completion and the marks of mistakes show without being refused', async () => {
  const opened = await openPlayground();
  const { page } = opened;
  await page.getByRole('button', { name: 'Open short keys dialog' }).click();
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Open settings dialog' }).click();
  await page.getByRole('dialog').waitFor();
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  await screenshot(page, 'playground-settings');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await write(page, '{ server { nonsense } }');
  await page.locator('.CodeMirror-lint-mark-error').first().hover();
  await page.locator('.CodeMirror-lint-tooltip').getByText('nonsense').waitFor();
  await screenshot(page, 'playground-mistake');
  await write(page, '{ serv');
  await page.keyboard.press('Control+Space');
  await page.locator('.CodeMirror-hints').getByText('server').waitFor();
  await screenshot(page, 'playground-completion');
  assertFaultless(opened, muster.url);
  await opened.context.close();
});

test('a token that is pasted in makes the viewer answer, and stays for the tab only', async () => {
  const { username, password } = ADMIN;
  const { data } = await muster.graphql(
    'mutation ($input: LogInInput!) { logIn(input: $input) { accessToken } }',
    { input: { login: username, password } },
  );
  const opened = await openPlayground();
  const { page } = opened;
  const token = page.getByLabel('Access token');
  assert.equal(await token.getAttribute('type'), 'password');
  await token.fill(data.logIn.accessToken);
  await write(page, '{ viewer { username } }');
  await run(page);
  await resultShows(page, '"username"', `"${username}"`);
  await screenshot(page, 'playground-token');

  await page.reload();
  assert.equal(await token.inputValue(), data.logIn.accessToken);
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  assertFaultless(opened, muster.url);
  await opened.context.close();
});

test('what the server refuses shows with its code', async () => {
  const opened = await openPlayground();
  const { page } = opened;
  await write(page, '{ dashboard { message } }');
  await run(page);
  await resultShows(page, '"errors"', '"UNAUTHENTICATED"');
  await screenshot(page, 'playground-refusal');
  await opened.context.close();
});

test('the playground can be used on a phone', async () => {
  const opened = await openPlayground({ viewport: { width: 390, height: 844 }, hasTouch: true });
  const { page } = opened;
  await run(page);
  await resultShows(page, '"version"');
  await screenshot(page, 'playground-phone');
  await opened.context.close();
});
