// The units of deploy/systemd, judged by systemd itself. It need not be what runs this machine.

import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { BINARY, DEPLOY, ROOT, find, makeFolder, run, settingNames } from './support.mjs';

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

/** The shell commands of docs/operations.md under this heading, those over several lines as one. */
async function commands(heading) {
  const text = await readFile(path.join(ROOT, 'docs/operations.md'), 'utf8');
  const [, section] = text.split(`\n## ${heading}\n`);
  assert.ok(section, `docs/operations.md has no heading ${heading}`);
  const blocks = [...section.split('\n## ')[0].matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  return blocks.join('').replaceAll('\\\n', ' ').trim().split('\n');
}

test('the commands that install are good on a fresh Debian, and all files find their places', async () => {
  const fresh = path.join(place.folder, 'fresh');
  // What is there before Muster comes: of the folders for users and the like, only those of packages.
  const folders = ['usr/bin', 'usr/local/lib', 'usr/lib/sysusers.d', 'usr/lib/tmpfiles.d', 'etc/systemd/system'];
  for (const folder of folders) await mkdir(path.join(fresh, folder), { recursive: true });
  const installs = async () => {
    for (const heading of ['The program', 'One process on SQLite', 'Several processes on PostgreSQL']) {
      const lines = (await commands(heading)).filter((line) => /^(install|test -e) /.test(line));
      assert.ok(lines.length, heading);
      for (const line of lines) {
        const here = line.replaceAll(/ \/(usr|etc)\//g, ` ${fresh}/$1/`).replace('target/release/muster', BINARY);
        const { code, output } = await run('/bin/sh', ['-euc', here], { cwd: ROOT });
        assert.equal(code, 0, `${line}: ${output}`);
      }
    }
  };
  await installs();
  const units = await readdir(path.join(fresh, 'etc/systemd/system'));
  assert.deepEqual(units.sort(), [...names].sort());
  for (const kind of ['sysusers', 'tmpfiles']) {
    const text = await readFile(path.join(FOLDER, `muster.${kind}.conf`), 'utf8');
    const [, told] = text.match(/Install it as \/(\S+) /);
    assert.equal(await readFile(path.join(fresh, told), 'utf8'), text);
  }
  assert.deepEqual((await readdir(path.join(fresh, 'usr/local/lib/muster'))).sort(), ['healthcheck', 'rolling-restart']);

  // Whoever installs a newer program by them keeps their settings.
  const settings = path.join(fresh, 'etc/muster/muster.env');
  await writeFile(settings, 'SIGN_UP=closed\n');
  await installs();
  assert.equal(await readFile(settings, 'utf8'), 'SIGN_UP=closed\n');
});

test('the commands that restore bring back what the backup copied', async () => {
  const restored = path.join(place.folder, 'restored');
  const backup = path.join(place.folder, 'BACKUP');
  await mkdir(restored);
  const stale = ['muster.db', 'muster.db-wal', 'muster.db-shm', 'muster.jwt-secret'];
  for (const name of stale) await writeFile(path.join(restored, name), 'new');
  for (const ending of ['db', 'jwt-secret']) await writeFile(`${backup}.${ending}`, ending);
  for (const line of await commands('Backup and restore')) {
    if (/^(#|pg_restore )/.test(line)) continue;
    // To make files of others, the test would have to be root.
    const ours = line.replace(' -o muster -g muster', '').replaceAll('/var/lib/muster', restored);
    const { code, output } = await run('/bin/sh', ['-euc', ours.replace('BACKUP', backup)], { cwd: ROOT });
    assert.equal(code, 0, `${line}: ${output}`);
  }
  assert.deepEqual((await readdir(restored)).sort(), ['muster.db', 'muster.jwt-secret']);
  for (const ending of ['db', 'jwt-secret']) {
    const file = path.join(restored, `muster.${ending}`);
    assert.equal(await readFile(file, 'utf8'), ending);
    assert.equal((await stat(file)).mode & 0o777, 0o600, file);
  }
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
