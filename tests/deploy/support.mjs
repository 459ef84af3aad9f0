// What the tests of deploy/ have in common: musters, an nginx that runs the configuration as it is
// delivered, and requests over connections that can be watched.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const DEPLOY = path.join(ROOT, 'deploy');
export const BINARY = path.resolve(process.env.MUSTER_BIN ?? path.join(ROOT, 'target/debug/muster'));

const PATIENCE = 30_000;

// Each program that is started has its own, so that it never outlives the tests.
process.setMaxListeners(100);

/** The program's path, or a failure that says what to install. */
export function find(program, packageName) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  for (const folder of folders.filter(Boolean)) {
    const candidate = path.join(folder, program);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // In another folder, perhaps.
    }
  }
  assert.fail(`${program} is missing: please install the package ${packageName}`);
}

export async function eventually(what, attempt) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const result = await attempt();
    if (result !== undefined) return result;
    await sleep(20);
  }
  throw new Error(`Waited ${PATIENCE / 1000} s in vain for ${what}.`);
}

export async function freePort() {
  // Not from the range that the system gives to outgoing connections: one of those could take it.
  for (;;) {
    const port = 20_001 + Math.floor(Math.random() * 12_000);
    const listener = net.createServer();
    const free = await new Promise((resolve) => {
      listener.once('error', () => resolve(false));
      listener.listen(port, '127.0.0.1', () => listener.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** A folder that nginx's workers, who may be another user, can look into. */
export async function makeFolder() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'muster-deploy-'));
  await chmod(folder, 0o755);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A program that never outlives the tests, with what it printed. */
export function start(command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const program = { child, output: '', failure: undefined };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      program.output += chunk;
    });
  }
  child.once('error', (error) => {
    program.failure = error;
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  program.hasEnded = () => program.failure !== undefined || child.exitCode !== null || child.signalCode !== null;
  program.stop = async (signal = 'SIGTERM') => {
    if (!program.hasEnded()) {
      const ended = once(child, 'exit');
      child.kill(signal);
      const lastResort = setTimeout(kill, PATIENCE);
      await ended;
      clearTimeout(lastResort);
    }
    process.off('exit', kill);
    assert.notEqual(child.signalCode, 'SIGKILL', `${command} did not stop on ${signal}:\n${program.output}`);
  };
  return program;
}

/** Runs a program to its end. */
export async function run(command, args, options) {
  const program = start(command, args, options);
  if (!program.hasEnded()) await Promise.race([once(program.child, 'close'), once(program.child, 'error')]);
  assert.equal(program.failure, undefined, String(program.failure));
  return { code: program.child.exitCode, output: program.output };
}

/** One muster on the database of this folder. Its settings are nobody else's. */
export function startMuster(folder, port, settings = {}) {
  return start(BINARY, ['serve'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      LISTEN: `127.0.0.1:${port}`,
      DATABASE_URL: `sqlite://${folder}/muster.db?mode=rwc`,
      MAIL_DIR: path.join(folder, 'mail'),
      RATE_LIMIT: 'off',
      LOG: 'warn',
      ...settings,
    },
  });
}

export async function untilReady(muster, port) {
  await eventually(`muster on port ${port} to be ready`, async () => {
    if (muster.hasEnded()) throw new Error(`${BINARY} did not start: ${muster.failure ?? muster.output}`);
    const answer = await request({ port, path: '/readyz' }).catch(() => undefined);
    return answer?.status === 200 || undefined;
  });
}

/**
 * nginx with deploy/nginx.conf and deploy/nginx/host, in which only ports, the folder of marks and
 * the log have other names than on a host.
 */
export async function startNginx(folder, upstreams) {
  const nginx = find('nginx', 'nginx');
  const conf = path.join(folder, 'nginx');
  const drain = path.join(folder, 'drain');
  const port = await freePort();
  await mkdir(path.join(conf, 'muster'), { recursive: true });
  await mkdir(drain, { recursive: true });
  await cp(path.join(DEPLOY, 'nginx.conf'), path.join(conf, 'nginx.conf'));
  const [first, second] = upstreams;

  const read = (name) => readFile(path.join(DEPLOY, 'nginx/host', name), 'utf8');
  const rename = (text, changes) => {
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), `deploy/nginx/host has no ${from} any more`);
      text = text.replaceAll(from, to);
    }
    return text;
  };
  const groups = rename(await read('upstreams.conf'), [
    ['127.0.0.1:8001', `127.0.0.1:${first}`],
    ['127.0.0.1:8002', `127.0.0.1:${second}`],
  ]);
  await writeFile(path.join(conf, 'muster/upstreams.conf'), groups + temporaryFolders(folder));
  const server = rename(await read('server.conf'), [
    ['\nlisten 80 default_server;', `\nlisten 127.0.0.1:${port} default_server;`],
    ['\nlisten [::]:80 default_server;', ''],
    ['/var/log/nginx/muster.log', `${folder}/access.log`],
    ['/run/muster-drain', drain],
  ]);
  await writeFile(path.join(conf, 'muster/server.conf'), server);

  const args = ['-p', folder, '-c', path.join(conf, 'nginx.conf'), '-e', 'stderr'];
  const globals = ['-g', `daemon off; pid ${folder}/nginx.pid;`];
  const program = start(nginx, [...args, ...globals]);
  await eventually('nginx to listen', async () => {
    if (program.hasEnded()) throw new Error(`nginx did not start: ${program.failure ?? program.output}`);
    return (await connects(port)) || undefined;
  });
  return { port, drain, program, accessLog: path.join(folder, 'access.log'), stop: () => program.stop('SIGTERM') };
}

/** Where an ordinary user may write. */
export function temporaryFolders(folder) {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((what) => `${what}_temp_path ${folder}/temp_${what};\n`)
    .join('');
}

function connects(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A request as it is, with no second attempt of any kind. */
export function request({ port, path = '/', method = 'GET', headers = {}, body, agent = false }) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ host: '127.0.0.1', port, path, method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export function postGraphql(port, body, { headers, agent } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return request({
    port,
    path: '/graphql',
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers },
    body: text,
    agent,
  });
}

/** The names of all settings, by .env.example. */
export async function settingNames() {
  const example = await readFile(path.join(ROOT, '.env.example'), 'utf8');
  return [...example.matchAll(/^# ([A-Z_]+)=/gm)].map(([, name]) => name);
}
