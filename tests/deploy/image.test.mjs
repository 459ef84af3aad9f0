// Dockerfile and compose.yaml, as far as they can be judged where no container runs, and the scripts
// that they call, really run.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import {
  BINARY, DEPLOY, ROOT, freePort, makeFolder, run, settingNames, startMuster, untilReady,
} from './support.mjs';
import { parseYaml } from './yaml.mjs';

test('deploy/build makes the program', { timeout: 3_600_000, skip: process.env.SKIP_BUILD === '1' }, async () => {
  const place = await makeFolder();
  try {
    const out = path.join(place.folder, 'out');
    const { code, output } = await run(path.join(DEPLOY, 'build'), [], {
      cwd: place.folder,
      env: { ...process.env, PROFILE: 'dev', OUT: out },
    });
    assert.equal(code, 0, output);
    const version = await run(path.join(out, 'muster'), ['--version']);
    assert.match(version.output, /^muster \d+\.\d+\.\d+\n$/);
  } finally {
    await place.remove();
  }
});

describe('deploy/healthcheck', () => {
  let place;
  let muster;
  let port;

  before(async () => {
    place = await makeFolder();
    port = await freePort();
    muster = startMuster(place.folder, port, { WORKER: 'off' });
    await untilReady(muster, port);
  });

  after(async () => {
    await muster?.stop();
    await place?.remove();
  });

  const check = async (args, settings = {}) =>
    (await run(path.join(DEPLOY, 'healthcheck'), args, { env: { PATH: process.env.PATH, ...settings } })).code;

  test('succeeds where Muster answers', async () => {
    assert.equal(await check([String(port)]), 0);
    assert.equal(await check([String(port), '/readyz']), 0);
    assert.equal(await check([], { LISTEN: `0.0.0.0:${port}` }), 0);
    assert.equal(await check([], { LISTEN: `[::]:${port}` }), 0);
  });

  test('fails where nobody listens, and where the answer is not 200', async () => {
    assert.notEqual(await check([String(await freePort())]), 0);
    assert.notEqual(await check([String(port), '/nothing']), 0);
  });
});

describe('the Dockerfile', () => {
  let stages;
  let ignored;

  before(async () => {
    const text = await readFile(path.join(DEPLOY, 'Dockerfile'), 'utf8');
    const instructions = text
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .join('\n')
      .replaceAll(/\\\n\s*/g, '')
      .split('\n')
      .filter((line) => line.trim() !== '');
    stages = [];
    for (const line of instructions) {
      const [, word, rest] = line.match(/^([A-Z]+) (.*)$/) ?? assert.fail(`not an instruction: ${line}`);
      if (word === 'FROM') stages.push({ image: rest, instructions: [] });
      else stages.at(-1).instructions.push({ word, rest });
    }
    ignored = (await readFile(path.join(DEPLOY, 'Dockerfile.dockerignore'), 'utf8')).split('\n');
  });

  const all = (stage, word) => stage.instructions.filter((instruction) => instruction.word === word).map(({ rest }) => rest);

  test('has a stage that builds and one that runs', async () => {
    assert.equal(stages.length, 2);
    const [, oldest] = (await readFile(path.join(ROOT, 'Cargo.toml'), 'utf8')).match(/^rust-version = "(.*)"$/m);
    assert.ok(stages[0].image.startsWith(`rust:${oldest}`), 'not the Rust that Cargo.toml asks for');
    // A program that is built with a newer C library does not run with an older one.
    assert.match(stages[0].image, /bookworm AS build$/);
    assert.match(stages[1].image, /^debian:bookworm-slim$/);
  });

  test('copies what there is, and what .dockerignore lets in', () => {
    for (const stage of stages) {
      for (const copy of all(stage, 'COPY').filter((rest) => !rest.includes('--from='))) {
        for (const source of copy.split(' ').slice(0, -1)) {
          assert.ok(existsSync(path.join(ROOT, source)), source);
          assert.ok(ignored.includes(`!${source}`), `${source} is ignored`);
        }
      }
    }
  });

  test('copies all that the program is built from', async () => {
    const copied = all(stages[0], 'COPY').flatMap((rest) => rest.split(' ').slice(0, -1));
    const manifest = await readFile(path.join(ROOT, 'Cargo.toml'), 'utf8');
    const [, members] = manifest.match(/^members = \[(.*)\]$/m);
    for (const needed of ['Cargo.toml', 'Cargo.lock', 'src', 'deploy/build', ...JSON.parse(`[${members}]`)]) {
      assert.ok(copied.includes(needed), needed);
    }
    assert.ok(!existsSync(path.join(ROOT, 'build.rs')), 'a build script has to be copied');
    assert.ok(!existsSync(path.join(ROOT, '.cargo')), "cargo's settings have to be copied");
  });

  test('builds by deploy/build alone, which other tests run', () => {
    for (const command of all(stages[0], 'RUN')) {
      assert.match(command.replaceAll(/--mount=\S+ +/g, ''), /^(OUT=\S+ )?deploy\/build$/);
    }
    const [, out] = all(stages[0], 'RUN').at(-1).match(/OUT=(\S+)/);
    assert.ok(all(stages[1], 'COPY').some((rest) => rest.startsWith(`--from=build ${out}/muster `)));
  });

  test('what runs is not root, serves, and stops on the signal that Muster knows', async () => {
    const [, stage] = stages;
    assert.match(all(stage, 'USER').at(-1), /^[1-9]\d*:[1-9]\d*$/);
    assert.deepEqual(all(stage, 'EXPOSE'), ['8000']);
    assert.deepEqual(all(stage, 'STOPSIGNAL'), ['SIGTERM']);
    assert.deepEqual(all(stage, 'VOLUME'), ['/data']);
    assert.deepEqual(all(stage, 'ENTRYPOINT'), ['["muster"]']);
    const [, check] = all(stage, 'HEALTHCHECK')[0].match(/CMD (.*)$/);
    const [program] = JSON.parse(check);
    assert.ok(all(stage, 'COPY').some((rest) => rest.endsWith(`/${program}`)), `${program} is not in the image`);
    const known = await settingNames();
    for (const [, name] of all(stage, 'ENV')[0].matchAll(/(?:^| )([A-Z_]+)=/g)) assert.ok(known.includes(name), name);
  });
});

describe('compose.yaml', () => {
  let text;
  let compose;
  let known;
  // What else is read from the environment: by the images, and by compose.yaml itself.
  const OF_POSTGRES = ['POSTGRES_USER', 'POSTGRES_DB', 'POSTGRES_PASSWORD'];
  const OF_COMPOSE = ['MUSTER_VERSION', 'HTTP_PORT'];

  before(async () => {
    text = await readFile(path.join(DEPLOY, 'compose.yaml'), 'utf8');
    compose = parseYaml(text);
    known = await settingNames();
  });

  const services = () => Object.entries(compose.services);
  const musters = () => services().filter(([, { image }]) => image.startsWith('muster:'));

  test('has what it takes', async () => {
    assert.deepEqual(Object.keys(compose.services).sort(), ['api-1', 'api-2', 'migrate', 'nginx', 'postgres', 'redis', 'worker']);
    assert.equal(musters().length, 4);
    const { output: help } = await run(BINARY, ['--help']);
    for (const [name, { command }] of musters()) assert.match(help, new RegExp(`^ +${command[0]} `, 'm'), name);
    for (const name of ['api-1', 'api-2']) assert.equal(compose.services[name].environment.WORKER, 'off');
    // Whoever asks for its health asks where it answers.
    const { environment, healthcheck } = compose.services.worker;
    assert.deepEqual(healthcheck.test, ['CMD', 'healthcheck', environment.WORKER_LISTEN.split(':').at(-1), '/readyz']);
  });

  test('every variable is a setting, or belongs to its image', () => {
    for (const [name, { environment }] of services()) {
      for (const variable of Object.keys(environment ?? {})) {
        assert.ok((name === 'postgres' ? OF_POSTGRES : known).includes(variable), `${name}: ${variable}`);
      }
    }
    for (const [, variable] of text.matchAll(/\$\{([A-Z_]+)/g)) {
      assert.ok([...known, ...OF_POSTGRES, ...OF_COMPOSE].includes(variable), variable);
    }
  });

  test('no secret has a value here', () => {
    for (const variable of ['JWT_SECRET', 'POSTGRES_PASSWORD', 'PUBLIC_URL']) {
      const uses = [...text.matchAll(new RegExp(`\\$\\{?${variable}\\b(..)`, 'g'))];
      assert.ok(uses.length > 0, variable);
      for (const [, operator] of uses) assert.equal(operator, ':?', `${variable} can be left out`);
    }
  });

  test('every file that is mounted or built from exists', () => {
    for (const [name, { volumes = [], build }] of services()) {
      for (const source of volumes.map((volume) => volume.split(':')[0])) {
        if (source.startsWith('.')) assert.ok(existsSync(path.join(DEPLOY, source)), `${name}: ${source}`);
        else if (!source.startsWith('/')) assert.ok(source in compose.volumes, `${name}: ${source}`);
      }
      if (build) assert.ok(existsSync(path.join(DEPLOY, build.context, build.dockerfile)), name);
    }
  });

  test('every container may do as little as possible', () => {
    for (const [name, service] of services()) {
      assert.equal(service.read_only, true, name);
      assert.deepEqual(service.cap_drop, ['ALL'], name);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
      assert.ok(service.restart, name);
      const { cpus, memory, pids } = service.deploy.resources.limits;
      assert.ok(cpus && memory && pids, name);
      // Muster's image has a user of its own.
      assert.ok(service.user || service.image.startsWith('muster:'), `${name} runs as root`);
      assert.ok(service.healthcheck, name);
    }
  });

  test('only nginx is published, and only nginx sees the processes', () => {
    const published = services().filter(([, { ports }]) => ports).map(([name]) => name);
    assert.deepEqual(published, ['nginx']);
    const members = (network) =>
      services()
        .filter(([, { networks }]) => (Array.isArray(networks) ? networks : Object.keys(networks)).includes(network))
        .map(([name]) => name);
    assert.deepEqual(members('public'), ['nginx']);
    assert.deepEqual(members('front'), ['nginx', 'api-1', 'api-2']);
    assert.ok(!members('back').includes('nginx'));
    assert.deepEqual(members('outside'), ['worker']);
    for (const network of ['front', 'back']) assert.equal(compose.networks[network].internal, true, network);
  });

  test('nobody believes an address but from nginx', () => {
    const address = compose.services.nginx.networks.front.ipv4_address;
    for (const [name, { environment }] of musters()) assert.equal(environment.TRUSTED_PROXIES, `${address}/32`, name);
  });

  test('nothing works on a database that is not migrated', () => {
    for (const name of ['api-1', 'api-2', 'worker']) {
      assert.equal(compose.services[name].depends_on.migrate.condition, 'service_completed_successfully');
    }
    assert.equal(compose.services.migrate.depends_on.postgres.condition, 'service_healthy');
  });

  test('nginx listens where it is published, and looks for marks where they are mounted', async () => {
    const server = await readFile(path.join(DEPLOY, 'nginx/compose/server.conf'), 'utf8');
    const { ports, volumes } = compose.services.nginx;
    const [, port] = server.match(/^listen (\d+)/m);
    assert.ok(ports[0].endsWith(`:${port}`));
    const script = await readFile(path.join(DEPLOY, 'rolling-restart'), 'utf8');
    const [, drain] = script.match(/DRAIN_DIR="\$\{DRAIN_DIR:-(.*)\}"/);
    const [, inside] = volumes.find((volume) => volume.startsWith(`${drain}:`)).split(':');
    for (const name of ['api-1', 'api-2']) assert.ok(server.includes(`if (-f ${inside}/${name}) {`), name);
  });
});
