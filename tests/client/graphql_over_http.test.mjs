// The audit suite of the reference implementation of GraphQL over HTTP.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { auditServer } from 'graphql-http';

import { startMuster } from '../browser/muster.mjs';

let muster;

before(async () => {
  muster = await startMuster();
});

after(async () => {
  await muster?.stop();
});

test('every audit of GraphQL over HTTP passes, those that only recommend included', async () => {
  const results = await auditServer({ url: `${muster.url}/graphql` });
  assert.ok(results.length > 50, `only ${results.length} audits`);
  const others = results.filter((result) => result.status !== 'ok');
  assert.deepEqual(
    others.map(({ id, name, status, reason }) => ({ id, name, status, reason })),
    [],
  );
});
