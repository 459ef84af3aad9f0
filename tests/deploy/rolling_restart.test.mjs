// deploy/rolling-restart over two musters behind nginx, while clients keep asking.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import {
  DEPLOY, eventually, freePort, makeFolder, postGraphql, run, startMuster, startNginx, untilReady,
} from './support.mjs';

const NAMES = ['8001', '8002'];
const VERSION = { query: '{ server { version } }' };
const CLIENTS = 8;

let place;
let nginx;
let manager;
/** By name: the port and the running process, as a service manager has them. */
const services = new Map();
/** Names of those whose restart leaves nothing running. */
const broken = new Set();
const restarts = [];

beforeEach(async () => {
  place = await makeFolder();
  broken.clear();
  restarts.length = 0;
  for (const name of NAMES) {
    const port = await freePort();
    services.set(name, { port, muster: startMuster(place.folder, port, { WORKER: 'off' }) });
    await untilReady(services.get(name).muster, port);
  }
  nginx = await startNginx(place.folder, NAMES.map((name) => services.get(name).port));

  // Stands in for systemd: answers once the old process has ended and the new one was started.
  manager = http.createServer(async (incoming, outgoing) => {
    const name = incoming.url.slice(1);
    const service = services.get(name);
    restarts.push(name);
    await service.muster.stop();
    if (!broken.has(name)) service.muster = startMuster(place.folder, service.port, { WORKER: 'off' });
    outgoing.end();
  });
  manager.listen(0, '127.0.0.1');
  await once(manager, 'listening');
});

afterEach(async () => {
  await nginx?.stop();
  manager?.close();
  for (const { muster } of services.values()) await muster.stop();
  await place?.remove();
});

function rollingRestart(names = [], settings = {}) {
  const ports = [...services].map(([name, { port }]) => `port_${name}=${port}`).join(' ');
  const ask = `require('http').get('http://127.0.0.1:${manager.address().port}/' + process.argv[1], (r) => r.resume())`;
  return run(path.join(DEPLOY, 'rolling-restart'), names, {
    env: {
      PATH: process.env.PATH,
      NODE: process.execPath,
      ASK: ask,
      RESTART: '"$NODE" -e "$ASK" "$1"',
      READY: `${ports}; port="port_$1"; "$MUSTER_HEALTHCHECK" "\${!port}" /readyz`,
      DRAIN_DIR: nginx.drain,
      SETTLE: '1',
      PATIENCE: '30',
      ...settings,
    },
  });
}

/** Clients that each ask again as soon as they have an answer, over connections that are kept. */
function startLoad() {
  const load = { answers: 0, losses: [], stop: undefined };
  let running = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (running) {
      try {
        const { status, text } = await postGraphql(nginx.port, VERSION, { agent });
        if (status === 200 && text.includes('"version"')) load.answers += 1;
        else load.losses.push(`${status} ${text}`);
      } catch (error) {
        load.losses.push(String(error));
      }
    }
    agent.destroy();
  });
  load.stop = async () => {
    running = false;
    await Promise.all(clients);
  };
  return load;
}

test('both processes restart, twice, and no request is lost', { timeout: 120_000 }, async () => {
  const before = [...services.values()].map(({ muster }) => muster.child.pid);
  const load = startLoad();
  try {
    await eventually('answers', () => load.answers > 100 || undefined);
    for (let round = 0; round < 2; round += 1) {
      const { code, output } = await rollingRestart();
      assert.equal(code, 0, output);
    }
    const soFar = load.answers;
    await eventually('answers after it', () => load.answers > soFar + 100 || undefined);
  } finally {
    await load.stop();
  }
  assert.deepEqual(load.losses.slice(0, 5), [], `${load.losses.length} of ${load.answers + load.losses.length} were lost`);
  assert.deepEqual(restarts, [...NAMES, ...NAMES]);
  for (const { muster } of services.values()) assert.ok(!before.includes(muster.child.pid));
  for (const name of NAMES) assert.ok(!existsSync(path.join(nginx.drain, name)), `${name} is still out`);
});

test('a process that does not come back stays out, and the other one goes on serving', { timeout: 120_000 }, async () => {
  broken.add('8001');
  const load = startLoad();
  try {
    const failed = await rollingRestart([], { PATIENCE: '2' });
    assert.equal(failed.code, 1);
    assert.match(failed.output, /8001 is not ready after 2 s, and stays out/);
    assert.deepEqual(restarts, ['8001']);
    assert.ok(existsSync(path.join(nginx.drain, '8001')));

    // The one that is left may not be taken out, too.
    const refused = await rollingRestart(['8002']);
    assert.equal(refused.code, 1);
    assert.match(refused.output, /8001 is still out/);

    broken.clear();
    const mended = await rollingRestart(['8001']);
    assert.equal(mended.code, 0, mended.output);
  } finally {
    await load.stop();
  }
  assert.deepEqual(load.losses.slice(0, 5), []);
  assert.ok(!existsSync(path.join(nginx.drain, '8001')));
});

test('nothing is taken out while another process is not ready', async () => {
  await services.get('8002').muster.stop();
  const { code, output } = await rollingRestart();
  assert.equal(code, 1);
  assert.match(output, /8002 is not ready, so 8001 stays in/);
  assert.deepEqual(restarts, []);
});

test('two of them do not run at the same time', async () => {
  const first = rollingRestart(['8001']);
  await eventually('the first to begin', () => existsSync(path.join(nginx.drain, '8001')) || undefined);
  const second = await rollingRestart(['8002']);
  assert.equal(second.code, 1);
  assert.match(second.output, /another one is running/);
  assert.equal((await first).code, 0);
});

test('a name that could lead out of the folder of marks is refused', async () => {
  await writeFile(path.join(place.folder, 'precious'), '');
  const { code } = await rollingRestart(['../precious']);
  assert.equal(code, 1);
  assert.ok(existsSync(path.join(place.folder, 'precious')));
  assert.deepEqual(restarts, []);
});
