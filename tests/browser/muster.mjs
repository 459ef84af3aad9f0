// What the browser tests have in common: a muster of their own, its mails, and a
// browser that notices what the pages must not do.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const BINARY = path.resolve(
  process.env.MUSTER_BIN ?? fileURLToPath(new URL('../../target/debug/muster', import.meta.url)),
);
const PATIENCE = 30_000;

// Muster listens on 127.0.0.1, and node 18 would try nothing but ::1 where localhost is both.
dns.setDefaultResultOrder('ipv4first');

export const ADMIN = {
  username: 'ada',
  email: 'ada@example.com',
  password: 'orbit-lantern-walnut-47',
};

/** Starts the real binary in an empty folder, with one admin and these settings. */
export async function startMuster(settings = {}) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'muster-browser-'));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const mailDir = path.join(folder, 'mail');
  const options = {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      LISTEN: `127.0.0.1:${port}`,
      DATABASE_URL: `sqlite://${folder}/muster.db?mode=rwc`,
      MAIL_DIR: mailDir,
      PUBLIC_URL: url,
      RATE_LIMIT: 'off',
      ...settings,
    },
  };

  const server = spawn(BINARY, [], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk) => {
      log += chunk;
    });
  }
  let failure;
  server.once('error', (error) => {
    failure = error;
  });
  // Never outlives the tests, not even when they end by an exception.
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);

  const hasEnded = () => failure !== undefined || server.exitCode !== null || server.signalCode !== null;

  async function stop() {
    if (!hasEnded()) {
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      // A server that hangs is a failure of its own, and must not hang the tests.
      const lastResort = setTimeout(kill, PATIENCE);
      await ended;
      clearTimeout(lastResort);
    }
    process.off('exit', kill);
    await rm(folder, { recursive: true, force: true });
    assert.notEqual(server.signalCode, 'SIGKILL', `muster did not stop on SIGTERM:\n${log}`);
  }

  async function graphql(query, variables, token) {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/graphql-response+json',
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query, variables }),
    });
    return response.json();
  }

  /** Waits for a mail of this kind and gives the newest one's text. */
  async function newestMail(kind, { since = 0 } = {}) {
    return eventually(`a mail of kind ${kind}`, async () => {
      const mails = (await readMails(mailDir)).filter((mail) => mail.headers.get('x-muster-mail') === kind);
      return mails.length > since ? mails.at(-1).text : undefined;
    });
  }

  try {
    await eventually('muster to be ready', async () => {
      if (hasEnded()) throw new Error(`${BINARY} did not start: ${failure ?? log}`);
      const response = await fetch(`${url}/readyz`).catch(() => undefined);
      return response?.status === 200 || undefined;
    });
    await createAdmin(options);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, mailDir, graphql, newestMail, stop };
}

async function createAdmin(options) {
  const { username, email, password } = ADMIN;
  const command = spawn(
    BINARY,
    ['create-admin', '--username', username, '--email', email, '--password-stdin'],
    { ...options, stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let complaint = '';
  command.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  command.stdin.end(`${password}\n`);
  const [code] = await once(command, 'close');
  assert.equal(code, 0, `muster create-admin failed: ${complaint}`);
}

async function freePort() {
  const listener = net.createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}

async function eventually(what, attempt) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const result = await attempt();
    if (result !== undefined) return result;
    await sleep(50);
  }
  throw new Error(`Waited ${PATIENCE / 1000} s in vain for ${what}.`);
}

/** Every mail in the folder, oldest first. */
async function readMails(folder) {
  if (!existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => name.endsWith('.eml'));
  const mails = await Promise.all(
    names.sort().map(async (name) => parseMail(await readFile(path.join(folder, name), 'latin1'))),
  );
  return mails.filter((mail) => mail.text !== undefined);
}

/** As much of MIME as Muster's own mails need: headers, parts, and the text of the plain one. */
function parseMail(source) {
  const message = source.replaceAll('\r\n', '\n');
  const blank = message.indexOf('\n\n');
  const body = message.slice(blank + 2);
  const headers = new Map();
  for (const line of message.slice(0, blank).replace(/\n[ \t]+/g, ' ').split('\n')) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const type = headers.get('content-type') ?? 'text/plain';
  if (/^multipart\//i.test(type)) {
    const boundary = type.match(/boundary="?([^";]+)"?/i)[1];
    const parts = `\n${body}`.split(`\n--${boundary}`).slice(1, -1);
    const texts = parts.map((part) => parseMail(part.replace(/^[ \t]*\n/, '')).text);
    return { headers, text: texts.find((text) => text !== undefined) };
  }
  return { headers, text: /^text\/plain/i.test(type) ? decode(body, headers) : undefined };
}

function decode(body, headers) {
  switch ((headers.get('content-transfer-encoding') ?? '7bit').toLowerCase()) {
    case 'base64':
      return Buffer.from(body, 'base64').toString('utf8');
    case 'quoted-printable': {
      const bytes = body
        .replace(/=[ \t]*\n/g, '')
        .replace(/=([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
      return Buffer.from(bytes, 'latin1').toString('utf8');
    }
    default:
      return Buffer.from(body, 'latin1').toString('utf8');
  }
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A fresh page that keeps a list of what a good page never does. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const faults = [];
  const requests = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  page.on('requestfailed', (request) => faults.push(`${request.url()} failed`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`${event.effectiveDirective} refused ${event.blockedURI}`);
    });
  });
  await page.goto(url);
  return { page, context, faults, requests };
}

/** All went to the page's own host, and nothing was complained about. */
export function assertFaultless({ faults, requests }, url) {
  assert.deepEqual(faults, []);
  const { origin } = new URL(url);
  const elsewhere = requests.filter((request) => !/^(data|blob):/.test(request) && new URL(request).origin !== origin);
  assert.deepEqual(elsewhere, []);
  assert.ok(requests.length > 0);
}

/** For looking at, in the folder that SCREENSHOTS names. */
export async function screenshot(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}
