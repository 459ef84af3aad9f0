// deploy/nginx.conf in front of two musters, and in front of a stand-in that shows what reaches it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, cp, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import {
  DEPLOY, eventually, find, freePort, makeFolder, postGraphql, request, run, start, startMuster, startNginx, temporaryFolders, untilReady,
} from './support.mjs';

const VERSION = { query: '{ server { version } }' };

describe('an nginx that was told nothing but where Muster is', () => {
  let place;
  let muster;
  let nginx;
  let port;
  let inner;

  before(async () => {
    place = await makeFolder();
    port = await freePort();
    inner = await freePort();
    muster = startMuster(place.folder, inner);
    await untilReady(muster, inner);
    const conf = path.join(place.folder, 'bare.conf');
    const server = `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${inner}; } }`;
    await writeFile(conf, `events {}\nhttp {\n${temporaryFolders(place.folder)}access_log off;\n${server}\n}\n`);
    const globals = ['-g', `daemon off; pid ${place.folder}/nginx.pid;`];
    nginx = start(find('nginx', 'nginx'), ['-p', place.folder, '-c', conf, '-e', 'stderr', ...globals]);
    await eventually('nginx to pass on', async () => {
      if (nginx.hasEnded()) throw new Error(`nginx did not start: ${nginx.output}`);
      const answer = await request({ port, path: '/healthz' }).catch(() => undefined);
      return answer?.status === 200 || undefined;
    });
  });

  after(async () => {
    await nginx?.stop('SIGTERM');
    await muster?.stop();
    await place?.remove();
  });

  for (const way of ['/mail', '/mail/mailbox.css', '/metrics']) {
    test(`shows nobody ${way}, which is there on this machine`, async () => {
      assert.equal((await request({ port: inner, path: way })).status, 200);
      assert.equal((await request({ port, path: way })).status, 404);
      const headers = { Host: 'localhost' };
      assert.equal((await request({ port, path: way, headers })).status, 404);
    });
  }
});

describe('in front of two musters', () => {
  let place;
  let nginx;
  const musters = [];
  const ports = [];

  before(async () => {
    place = await makeFolder();
    ports.push(await freePort(), await freePort());
    for (const [index, port] of ports.entries()) {
      const muster = startMuster(place.folder, port, {
        TRUSTED_PROXIES: '127.0.0.1/32',
        ...(index > 0 && { WORKER: 'off' }),
      });
      musters.push(muster);
      await untilReady(muster, port);
    }
    nginx = await startNginx(place.folder, ports);
  });

  after(async () => {
    await nginx?.stop();
    for (const muster of musters) await muster.stop();
    await place?.remove();
  });

  test('an operation passes, and its answer has the id by which it is found in the logs', async () => {
    const answer = await postGraphql(nginx.port, VERSION);
    assert.equal(answer.status, 200);
    assert.match(JSON.parse(answer.text).data.server.version, /^\d+\.\d+\.\d+/);
    assert.match(answer.headers['x-request-id'], /^[0-9a-f]{32}$/);
    assert.doesNotMatch(answer.headers.server, /\d/);
    await eventually('its line in the log of nginx', async () => {
      const lines = (await readFile(nginx.accessLog, 'utf8')).trim().split('\n').filter(Boolean);
      const line = lines.map((text) => JSON.parse(text)).find((entry) => entry.request_id === answer.headers['x-request-id']);
      return line && ports.some((port) => line.process === `127.0.0.1:${port}`) ? true : undefined;
    });
  });

  test('both processes get requests', async () => {
    const lines = async () => (await readFile(nginx.accessLog, 'utf8')).trim().split('\n').map((line) => JSON.parse(line).process);
    for (let count = 0; count < 20; count += 1) await postGraphql(nginx.port, VERSION);
    await eventually('both in the log', async () => {
      const processes = await lines();
      return ports.every((port) => processes.includes(`127.0.0.1:${port}`)) || undefined;
    });
  });

  test("a client's own id is kept when it can stand in a log, and replaced otherwise", async () => {
    const kept = await postGraphql(nginx.port, VERSION, { headers: { 'X-Request-Id': 'mine-1' } });
    assert.equal(kept.headers['x-request-id'], 'mine-1');
    const replaced = await postGraphql(nginx.port, VERSION, { headers: { 'X-Request-Id': 'mine 1 {}' } });
    assert.match(replaced.headers['x-request-id'], /^[0-9a-f]{32}$/);
  });

  test('no query string comes into the log', async () => {
    const query = encodeURIComponent('{ server { version } } #secretword');
    const answer = await request({ port: nginx.port, path: `/graphql?query=${query}` });
    assert.equal(answer.status, 200);
    await eventually('its line in the log', async () => {
      const log = await readFile(nginx.accessLog, 'utf8');
      return log.includes(answer.headers['x-request-id']) || undefined;
    });
    assert.ok(!(await readFile(nginx.accessLog, 'utf8')).includes('secretword'));
  });

  for (const way of ['/metrics', '/metrics?a=1', '//metrics', '/%6detrics', '/./metrics', '/graphql/../metrics', '/metrics/']) {
    test(`the figures are not to be had by ${way}`, async () => {
      const answer = await request({ port: nginx.port, path: way });
      assert.equal(answer.status, 404);
    });
  }

  test('health, schema and pages pass', async () => {
    for (const way of ['/healthz', '/readyz', '/schema.graphql', '/', '/reset-password', '/confirm-email', '/accept-invitation']) {
      assert.equal((await request({ port: nginx.port, path: way })).status, 200, way);
    }
  });

  test('a body of 300 KiB is refused by Muster, not by a broken connection', async () => {
    const body = JSON.stringify({ ...VERSION, variables: { filler: 'x'.repeat(300 * 1024) } });
    for (let count = 0; count < 20; count += 1) {
      const answer = await postGraphql(nginx.port, body);
      assert.equal(answer.status, 413);
      assert.equal(JSON.parse(answer.text).errors[0].extensions.code, 'BAD_USER_INPUT');
      assert.equal(answer.headers['x-content-type-options'], 'nosniff', 'not from Muster');
    }
  });

  test('a body of 300 KiB without an announced length is refused, too', async () => {
    const answer = await request({
      port: nginx.port, path: '/graphql', method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' },
      body: JSON.stringify({ ...VERSION, variables: { filler: 'x'.repeat(300 * 1024) } }),
    });
    assert.equal(answer.status, 413);
  });

  test('what is far too large does not reach Muster, and is refused in the same form', async () => {
    const answer = await postGraphql(nginx.port, 'x'.repeat(600 * 1024));
    assert.equal(answer.status, 413);
    assert.equal(JSON.parse(answer.text).errors[0].extensions.code, 'BAD_USER_INPUT');
    assert.equal(answer.headers['x-content-type-options'], undefined);
    assert.ok(answer.headers['x-request-id']);
  });
});

describe('in front of a stand-in', () => {
  let place;
  let nginx;
  let standIn;
  let port;

  before(async () => {
    place = await makeFolder();
    port = await freePort();
    standIn = http.createServer((incoming, outgoing) => {
      if (incoming.headers.accept === 'text/event-stream') {
        outgoing.writeHead(200, { 'Content-Type': 'text/event-stream' });
        outgoing.write('event: next\ndata: 1\n\n');
        // Each other one comes once the test has seen the one before.
        standIn.once('second', () => outgoing.write('event: next\ndata: 2\n\n'));
        standIn.once('last', () => outgoing.end('event: complete\ndata:\n\n'));
        return;
      }
      outgoing.end(JSON.stringify({ method: incoming.method, url: incoming.url, headers: incoming.headers }));
    });
    standIn.on('upgrade', (incoming, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `X-Seen: ${incoming.headers.upgrade}/${incoming.headers.connection}/${incoming.headers['sec-websocket-protocol']}\r\n\r\n`,
      );
      socket.on('data', (chunk) => socket.write(`echo ${chunk}`));
      socket.on('error', () => {});
    });
    standIn.listen(port, '127.0.0.1');
    await once(standIn, 'listening');
    nginx = await startNginx(place.folder, [port, port]);
  });

  after(async () => {
    await nginx?.stop();
    standIn?.closeAllConnections?.();
    standIn?.close();
    await place?.remove();
  });

  const seen = async (headers) =>
    JSON.parse((await request({ port: nginx.port, path: '/graphql', method: 'POST', headers, body: '{}' })).text).headers;

  test('a forged address does not get through', async () => {
    const headers = await seen({
      'X-Forwarded-For': '203.0.113.9, 198.51.100.7',
      Forwarded: 'for=203.0.113.9',
      'X-Real-IP': '203.0.113.9',
    });
    assert.equal(headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(headers.forwarded, undefined);
    assert.equal(headers['x-real-ip'], undefined);
  });

  test('what the client sends otherwise gets through', async () => {
    const headers = await seen({ Authorization: 'Bearer abc', Accept: 'application/graphql-response+json', Host: 'muster.example.com' });
    assert.equal(headers.authorization, 'Bearer abc');
    assert.equal(headers.accept, 'application/graphql-response+json');
    assert.equal(headers.host, 'muster.example.com');
    assert.equal(headers['x-forwarded-proto'], 'http');
  });

  test('connections to a process are kept, and no upgrade but to WebSocket is passed on', async () => {
    const headers = await seen({ Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABk' });
    assert.equal(headers.upgrade, undefined);
    assert.equal(headers.connection, undefined);

    const accepted = [];
    standIn.on('connection', (socket) => accepted.push(socket));
    for (let count = 0; count < 20; count += 1) await seen({});
    // One for each worker of nginx and group at most, not one for each request.
    assert.ok(accepted.length < 20, `${accepted.length} connections for 20 requests`);
  });

  test('a WebSocket is opened, in both directions', async () => {
    const socket = net.connect(nginx.port, '127.0.0.1');
    socket.setEncoding('utf8');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.write(
      'GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
    );
    await eventually('the switch', () => received.includes('\r\n\r\n') || undefined);
    assert.match(received, /^HTTP\/1\.1 101 /);
    assert.match(received, /X-Seen: websocket\/upgrade\/graphql-transport-ws/);
    socket.write('hello');
    await eventually('the echo', () => received.endsWith('echo hello') || undefined);
    socket.destroy();
  });

  test('an event of a stream arrives when it is sent, not when the stream ends', async () => {
    const outgoing = http.request({
      host: '127.0.0.1', port: nginx.port, path: '/graphql', method: 'POST', agent: false,
      headers: { Accept: 'text/event-stream' },
    });
    outgoing.end('{}');
    const [response] = await once(outgoing, 'response');
    response.setEncoding('utf8');
    let received = '';
    response.on('data', (chunk) => {
      received += chunk;
    });
    await eventually('the first event', () => received.includes('data: 1') || undefined);
    standIn.emit('second');
    await eventually('the second event', () => received.includes('data: 2') || undefined);
    assert.ok(!received.includes('complete'));
    standIn.emit('last');
    await once(response, 'end');
    assert.ok(received.includes('complete'));
  });
});

describe('in front of what fails', () => {
  let place;
  before(async () => {
    place = await makeFolder();
  });
  after(() => place?.remove());

  test('with nobody behind it, the answer is an error that GraphQL clients understand', async () => {
    const nginx = await startNginx(place.folder, [await freePort(), await freePort()]);
    try {
      const answer = await postGraphql(nginx.port, VERSION);
      assert.equal(answer.status, 502);
      assert.equal(JSON.parse(answer.text).errors[0].extensions.code, 'UNAVAILABLE');
      assert.ok(answer.headers['x-request-id']);
    } finally {
      await nginx.stop();
    }
  });

  test('a mutation that a process took and did not answer is not sent to the other one', async () => {
    let taken = 0;
    const rude = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        taken += 1;
        socket.destroy();
      });
    });
    const ports = [await freePort(), await freePort()];
    const second = net.createServer((socket) => rude.emit('connection', socket));
    rude.listen(ports[0], '127.0.0.1');
    second.listen(ports[1], '127.0.0.1');
    let nginx;
    try {
      nginx = await startNginx(place.folder, ports);
      const answer = await postGraphql(nginx.port, { query: 'mutation { anything }' });
      assert.equal(answer.status, 502);
      assert.equal(taken, 1);
    } finally {
      await nginx?.stop();
      rude.close();
      second.close();
    }
  });

  test('a process that is away is passed over', async () => {
    const muster = http.createServer((incoming, outgoing) => {
      incoming.resume();
      incoming.on('end', () => outgoing.end('here'));
    });
    const ports = [await freePort(), await freePort()];
    muster.listen(ports[1], '127.0.0.1');
    let nginx;
    try {
      nginx = await startNginx(place.folder, ports);
      for (let count = 0; count < 20; count += 1) {
        assert.equal((await postGraphql(nginx.port, VERSION)).text, 'here');
      }
    } finally {
      await nginx?.stop();
      muster.closeAllConnections?.();
      muster.close();
    }
  });
});

test('the configuration for containers is accepted, and has the addresses of compose.yaml', async () => {
  const place = await makeFolder();
  try {
    const compose = await readFile(path.join(DEPLOY, 'compose.yaml'), 'utf8');
    const upstreams = await readFile(path.join(DEPLOY, 'nginx/compose/upstreams.conf'), 'utf8');
    const addresses = [...new Set(upstreams.match(/(?<=^\s+server )[0-9.]+(?=:8000)/gm))];
    assert.equal(addresses.length, 2);
    for (const [index, address] of addresses.entries()) {
      assert.match(compose, new RegExp(`^  api-${index + 1}:\\n(    .*\\n)*? +ipv4_address: ${address}$`, 'm'));
    }
    const muster = path.join(place.folder, 'muster');
    await cp(path.join(DEPLOY, 'nginx/compose'), muster, { recursive: true });
    const server = await readFile(path.join(muster, 'server.conf'), 'utf8');
    await writeFile(path.join(muster, 'server.conf'), server.replace('/dev/stdout', `${place.folder}/access.log`));
    await appendFile(path.join(muster, 'upstreams.conf'), temporaryFolders(place.folder));
    const conf = path.join(place.folder, 'nginx.conf');
    await cp(path.join(DEPLOY, 'nginx.conf'), conf);
    const { code, output } = await run(find('nginx', 'nginx'), [
      '-t', '-q', '-p', place.folder, '-c', conf, '-e', 'stderr', '-g', `pid ${place.folder}/pid;`,
    ]);
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /warn|emerg/);
  } finally {
    await place.remove();
  }
});
