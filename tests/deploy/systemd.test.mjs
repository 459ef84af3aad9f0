// The units of deploy/systemd, judged by systemd itself. It need not be what runs this machine.

import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BINARY, DEPLOY, find, makeFolder, run, settingNames } from './support.mjs';

const FOLDER = path.join(DEPLOY, 'systemd');
/** The most that `systemd-analyze security` may find, in tenths: 100 is a service that may do all. */
const EXPOSURE_MAX = 13;

let place;
let analyze;
let names;

before(async () => {
  analyze = find('systemd-analyze', 'systemd');
  place = await makeFolder();
  names = (await readdir(FOLDER)).filter((name) => /\.(service|timer)$/.test(name));
  for (const name of names) {
    const text = await readFile(path.join(FOLDER, name), 'utf8');
    // The program is not installed here; and a template is judged by one of its instances.
    const copy = path.join(place.folder, name.replace('@.', '@8001.'));
    await writeFile(copy, text.replaceAll('/usr/bin/muster', BINARY));
  }
});

after(() => place?.remove());

const unitFile = (name) => path.join(place.folder, name.replace('@.', '@8001.'));
const services = () => names.filter((name) => name.endsWith('.service'));

test('there is a unit for every way to run', () => {
  assert.deepEqual(names.sort(), [
    'muster-backup.service',
    'muster-backup.timer',
    'muster-migrate.service',
    'muster-worker.service',
    'muster.service',
    'muster@.service',
  ]);
});

test('systemd has nothing to say against any unit', async () => {
  for (const name of names) {
    const { code, output } = await run(analyze, ['verify', '--man=no', unitFile(name)]);
    assert.equal(code, 0, `${name}: ${output}`);
    // Units of the machine that ours are ordered after may have faults of their own.
    const ours = output.split('\n').filter((line) => line.includes('muster'));
    assert.deepEqual(ours, [], name);
  }
});

test('no unit may do much more than it needs', async () => {
  for (const name of services()) {
    const args = ['security', '--offline=true', `--threshold=${EXPOSURE_MAX}`, '--no-pager', unitFile(name)];
    const { code, output } = await run(analyze, args);
    assert.equal(code, 0, `${name}: ${output.split('\n').filter((line) => !line.includes('✓')).join('\n')}`);
  }
});

test('what runs until it is stopped is stopped gently, and restarted when it fails', async () => {
  for (const name of ['muster.service', 'muster@.service', 'muster-worker.service']) {
    const text = await readFile(path.join(FOLDER, name), 'utf8');
    for (const line of ['Type=exec', 'KillSignal=SIGTERM', 'TimeoutStopSec=30', 'Restart=on-failure']) {
      assert.match(text, new RegExp(`^${line}$`, 'm'), name);
    }
  }
});

test('every variable in a unit is a setting', async () => {
  const known = await settingNames();
  for (const name of services()) {
    const text = await readFile(path.join(FOLDER, name), 'utf8');
    const lines = text.match(/^(Environment=|ExecStart=\/usr\/bin\/env ).*$/gm) ?? [];
    for (const [, variable] of lines.join('\n').replaceAll('Environment=', '').matchAll(/(?:^| )([A-Z_]+)=/gm)) {
      assert.ok(known.includes(variable), `${name}: ${variable}`);
    }
  }
});

test('every command of a unit is one that the program has', async () => {
  const { output: help } = await run(BINARY, ['--help']);
  for (const name of services()) {
    const text = await readFile(path.join(FOLDER, name), 'utf8');
    const [, command] = text.match(/\/usr\/bin\/muster (\w+)/);
    assert.match(help, new RegExp(`^ +${command} `, 'm'), `${name}: muster ${command}`);
  }
});

test('the backup copies database and secret, under the time of the day', async () => {
  const text = await readFile(path.join(FOLDER, 'muster-backup.service'), 'utf8');
  const [, script] = text.match(/^ExecStart=\/bin\/sh -euc '(.*)'$/m);
  const state = path.join(place.folder, 'state');
  const backups = path.join(place.folder, 'backups');
  await mkdir(state);
  await mkdir(backups);
  await writeFile(path.join(state, 'muster.db'), 'data');
  await writeFile(path.join(state, 'muster.jwt-secret'), 'secret', { mode: 0o600 });
  // Whether the copy itself is a good one is for the program's own tests.
  const standIn = path.join(place.folder, 'stand-in');
  await writeFile(standIn, '#!/bin/sh\ntest "$1" = backup && cp muster.db "$2"\n');
  await chmod(standIn, 0o755);

  // As systemd unescapes it.
  const unescaped = script.replaceAll('$$', '$').replaceAll('%%', '%');
  const command = unescaped.replaceAll('/usr/bin/muster', standIn).replaceAll('/var/backups/muster', backups);
  const { code, output } = await run('/bin/sh', ['-euc', command], { cwd: state });
  assert.equal(code, 0, output);
  const made = (await readdir(backups)).sort();
  assert.equal(made.length, 2);
  assert.match(made[0], /^\d{4}-\d\d-\d\dT\d{6}Z\.db$/);
  assert.match(made[1], /^\d{4}-\d\d-\d\dT\d{6}Z\.jwt-secret$/);

  await writeFile(standIn, '#!/bin/sh\nexit 1\n');
  const failed = await run('/bin/sh', ['-euc', command], { cwd: state });
  assert.equal(failed.code, 1, 'a failed backup is not told');
});

test('users and folders are what systemd understands', async () => {
  const root = path.join(place.folder, 'root');
  const install = async (file, folder, change = (text) => text) => {
    await mkdir(path.join(root, folder), { recursive: true });
    const text = await readFile(path.join(FOLDER, file), 'utf8');
    await writeFile(path.join(root, folder, 'muster.conf'), change(text));
  };
  await mkdir(path.join(root, 'etc'), { recursive: true });
  await install('muster.sysusers.conf', 'usr/lib/sysusers.d');
  // Owners are left out: to make files of others, the test would have to be root.
  await install('muster.tmpfiles.conf', 'usr/lib/tmpfiles.d', (text) => text.replaceAll(/ (muster muster|root root)$/gm, ''));

  const users = await run(find('systemd-sysusers', 'systemd'), [`--root=${root}`]);
  assert.equal(users.code, 0, users.output);
  assert.match(await readFile(path.join(root, 'etc/passwd'), 'utf8'), /^muster:/m);
  const folders = await run(find('systemd-tmpfiles', 'systemd'), ['--create', `--root=${root}`]);
  assert.equal(folders.code, 0, folders.output);
  assert.deepEqual(await readdir(path.join(root, 'var/backups')), ['muster']);
  assert.deepEqual(await readdir(path.join(root, 'run')), ['muster-drain']);
});
