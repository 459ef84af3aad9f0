// The mails of a muster that has no mail server, as a person reads them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { assertFaultless, openPage, screenshot, startBrowser, startMuster } from './muster.mjs';

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==';

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

async function signUp(username) {
  const { data } = await muster.graphql(
    'mutation ($input: SignUpInput!) { signUp(input: $input) { user { id } userErrors { message } } }',
    { input: { username, email: `${username}@example.com`, password: 'velvet orbit cactus lantern' } },
  );
  assert.deepEqual(data.signUp.userErrors, []);
}

/** Puts a file among the mails that muster wrote. */
async function putMail(number, lines) {
  await mkdir(muster.mailDir, { recursive: true });
  const id = `delivery_0000000000000000000000000${number}`;
  const name = `20260105T090000.000Z-welcome-${id}.eml`;
  await writeFile(path.join(muster.mailDir, name), lines.join('\r\n'));
  return `${muster.url}/mail/${id}`;
}

test('a newcomer finds their mail in the list, and its link leads on', async () => {
  await signUp('nico');
  await muster.newestMail('welcome');
  const opened = await openPage(browser, `${muster.url}/mail`);
  const { page, context } = opened;
  await screenshot(page, 'mailbox-list');
  await page.getByRole('link', { name: /Welcome to Muster.*nico@example\.com/ }).click();
  await page.getByRole('heading', { level: 1, name: 'Welcome to Muster: your sign-up has arrived' }).waitFor();
  const mail = page.frameLocator('iframe');
  await mail.getByText('Hello nico,').waitFor();
  await screenshot(page, 'mailbox-mail');

  const [tab] = await Promise.all([
    context.waitForEvent('page'),
    mail.getByRole('link', { name: 'Confirm my address' }).click(),
  ]);
  await tab.getByRole('button', { name: 'Confirm my address' }).click();
  await tab.getByRole('status').filter({ hasText: /\S/ }).waitFor();
  assert.equal(tab.url(), `${muster.url}/confirm-email`);
  assertFaultless(opened, muster.url);
  await context.close();
});

test('images that came with a mail are seen, and nothing else is loaded or run', async () => {
  const hits = [];
  const stranger = createServer((request, response) => {
    hits.push(request.url);
    response.writeHead(200, { 'Content-Type': 'image/png' });
    response.end(Buffer.from(PNG, 'base64'));
  }).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const elsewhere = `http://127.0.0.1:${stranger.address().port}`;
  const url = await putMail(1, [
    'Subject: =?utf-8?q?Look=3A_=3Cscript=3E?=',
    'To: ada@example.com',
    'Content-Type: multipart/related; boundary=b',
    '',
    '--b',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<html><head><script>top.document.title = "taken"; document.title = "taken"</script>',
    `<link rel="stylesheet" href="${elsewhere}/a.css"><meta http-equiv="refresh" content="0;url=${elsewhere}/b">`,
    `</head><body onload="parent.postMessage('ran', '*')"><img id="ours" src="cid:logo">`,
    `<img id="theirs" src="${elsewhere}/c.png" onerror="alert(1)"><iframe src="${elsewhere}/d"></iframe>`,
    `<form action="${muster.url}/graphql" method="post"><button>Send</button></form>`,
    `<a id="top" target="_top" href="${muster.url}/healthz">Up</a><p>Seen</p></body></html>`,
    '--b',
    'Content-Type: image/png',
    'Content-ID: <logo>',
    'Content-Transfer-Encoding: base64',
    '',
    PNG,
    '--b--',
    '',
  ]);
  const context = await browser.newContext();
  const page = await context.newPage();
  const messages = [];
  page.on('dialog', (dialog) => messages.push(dialog.message()));
  await page.exposeFunction('told', (message) => messages.push(message));
  await page.addInitScript(() => window.addEventListener('message', ({ data }) => window.told(data)));
  await page.goto(url);
  const mail = page.frameLocator('iframe');
  await mail.getByText('Seen').waitFor();
  const width = (selector) => mail.locator(selector).evaluate((image) => image.naturalWidth);
  assert.equal(await width('#ours'), 3);
  assert.equal(await width('#theirs'), 0);
  await mail.getByRole('button', { name: 'Send' }).click();
  await mail.locator('#top').click();
  await page.waitForTimeout(1_000);

  assert.equal(page.url(), url);
  assert.equal(await page.title(), 'Look: <script> – Muster');
  assert.deepEqual(messages, []);
  assert.deepEqual(hits, []);
  // It would have been seen.
  assert.equal((await fetch(`${elsewhere}/e`)).status, 200);
  assert.deepEqual(hits, ['/e']);
  stranger.close();
  stranger.closeAllConnections();
  await context.close();
});

test('a mail that is opened by itself runs nothing, either', async () => {
  const url = await putMail(2, [
    'Subject: Alone',
    'Content-Type: text/html',
    '',
    '<title>Alone</title><p>Seen</p><script>document.title = "taken"</script>',
  ]);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${url}/html`);
  await page.getByText('Seen').waitFor();
  assert.equal(await page.title(), 'Alone');
  await context.close();
});

test('an attachment is saved under a name that leads nowhere', async () => {
  const url = await putMail(3, [
    'Subject: Tasks',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'See the file.',
    '--b',
    'Content-Type: text/html',
    'Content-Disposition: attachment; filename="../tasks.html"',
    '',
    '<script>alert(1)</script>',
    '--b--',
    '',
  ]);
  const { page, context } = await openPage(browser, url);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: '../tasks.html' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'tasks.html');
  await context.close();
});

test('list and mail fit a phone and a dark room', async () => {
  await signUp('olga');
  await muster.newestMail('welcome', { since: 1 });
  for (const colorScheme of ['light', 'dark']) {
    const opened = await openPage(browser, `${muster.url}/mail`, {
      viewport: { width: 320, height: 640 },
      colorScheme,
      hasTouch: true,
    });
    const { page, context } = opened;
    const overflow = () =>
      page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(await overflow(), 0);
    await screenshot(page, `mailbox-list-phone-${colorScheme}`);
    await page.getByRole('link', { name: /olga@example\.com/ }).click();
    await page.frameLocator('iframe').getByText('Hello olga,').waitFor();
    assert.equal(await overflow(), 0);
    await screenshot(page, `mailbox-mail-phone-${colorScheme}`);
    assertFaultless(opened, muster.url);
    await context.close();
  }
});
