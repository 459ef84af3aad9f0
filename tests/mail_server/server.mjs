// A mail server on loopback that misbehaves as it is told. It reads its settings
// from the first line of standard input, says on standard output where it listens,
// and ends with its standard input, so that it never outlives a test.
//
// It is told by HTTP, in JSON:
//   POST   /rules   what to do at a step, see `Rule`; earlier ones come first
//   DELETE /rules   behaves well from now on
//   POST   /down    as when it is stopped: nobody listens, and every conversation is cut off
//   POST   /up      listens again, where it did before
//   GET    /taken   every mail that it took, also where it did not say so
//   GET    /count   how many it took
//   GET    /heard   every command of a client, without what was in a message
//   GET    /clear   all that came in without encryption, as it came in

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import connections from 'smtp-server/lib/smtp-connection.js';
import { SMTPServer } from 'smtp-server';

const HOST = '127.0.0.1';

/**
 * @typedef {object} Rule
 * @property {'greeting' | 'login' | 'sender' | 'recipient' | 'start' | 'end'} at The step: `start`
 *   is DATA itself, `end` comes after the message, which only an answer refuses: whoever hangs up
 *   or falls silent there has taken it.
 * @property {string} [to] The recipient that it is about. Only known from `recipient` on.
 * @property {number} [times] How often it applies. For ever when absent.
 * @property {[number, number]} [waits] Least and most milliseconds of a pause, before all else.
 * @property {string} [says] The refusal, code first.
 * @property {boolean} [hangs] Says nothing any more.
 * @property {boolean} [hangsUp] Cuts the conversation off.
 */

/** @type {Rule[]} */
let rules = [];
const taken = [];
const heard = [];
const clear = [];

/** What the rules say about a step, counting down those that end. */
function orders(at, to) {
  const applying = rules.filter((rule) => rule.at === at && (rule.to ?? to) === to && rule.times !== 0);
  for (const rule of applying) if (rule.times) rule.times -= 1;
  return Object.assign({}, ...applying);
}

/** Resolves to the refusal, to nothing where the step is to go on, and never in silence. */
async function obey(connection, { waits, hangs, hangsUp, says }) {
  if (waits) {
    const [least, most] = waits;
    await sleep(least + Math.random() * (most - least));
  }
  if (hangsUp) connection._socket.destroy();
  if (hangs || hangsUp) await new Promise(() => {});
  return says && Object.assign(new Error(says.slice(4)), { responseCode: Number(says.slice(0, 3)) });
}

// The library has no say at DATA itself, and keeps no record.
const { SMTPConnection } = connections;
const { handler_DATA: takeData, _onCommand: onCommand } = SMTPConnection.prototype;
SMTPConnection.prototype.handler_DATA = async function (command, callback) {
  const to = this.session.envelope.rcptTo.at(-1)?.address;
  const refusal = await obey(this, orders('start', to));
  if (!refusal) return takeData.call(this, command, callback);
  this.send(refusal.responseCode, refusal.message);
  return callback();
};
SMTPConnection.prototype._onCommand = function (command, callback) {
  heard.push(command.toString());
  return onCommand.call(this, command, callback);
};
// Nor need it look out for clients that talk too soon, which takes a tenth of a second.
SMTPConnection.prototype.init = function () {
  if (!this.secure) this._socket.on('data', (chunk) => clear.push(chunk));
  this._setListeners(() => this.connectionReady());
};

function start({ login, tls, wrapped = false, without = [] }) {
  const of = (session) => [...server.connections].find((connection) => connection.id === session.id);
  const server = new SMTPServer({
    name: 'mail.example',
    disableReverseLookup: true,
    allowInsecureAuth: true,
    authOptional: !login,
    disabledCommands: login ? [] : ['AUTH'],
    secure: wrapped,
    ...tls,
    hideSTARTTLS: !tls || without.includes('STARTTLS'),
    hide8BITMIME: without.includes('8BITMIME'),
    hideSMTPUTF8: without.includes('SMTPUTF8'),
    onConnect: async (session, callback) => callback(await obey(of(session), orders('greeting'))),
    async onAuth({ username, password }, session, callback) {
      const refusal = await obey(of(session), orders('login'));
      if (refusal) return callback(refusal);
      const isKnown = username === login.user && password === login.password;
      return callback(null, isKnown ? { user: username } : { message: `${username} is not known` });
    },
    onMailFrom: async (address, session, callback) => callback(await obey(of(session), orders('sender'))),
    onRcptTo: async ({ address }, session, callback) =>
      callback(await obey(of(session), orders('recipient', address))),
    async onData(stream, session, callback) {
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      const { mailFrom, rcptTo } = session.envelope;
      const to = rcptTo.map(({ address }) => address);
      const ordered = orders('end', to.at(-1));
      if (!ordered.says) {
        taken.push({
          to,
          user: session.user ?? null,
          isEncrypted: session.secure,
          message: Buffer.concat(chunks).toString('base64'),
        });
      }
      callback(await obey(of(session), ordered), 'taken');
    },
  });
  // Clients that go away in the middle are what this is for.
  server.on('error', () => {});
  return server;
}

async function listen(server, port) {
  server.listen(port, HOST);
  await once(server.server, 'listening');
  return server.server.address().port;
}

const [settings] = await once(createInterface({ input: process.stdin }), 'line');
process.stdin.on('close', () => process.exit());
const server = start(JSON.parse(settings));
const port = await listen(server, 0);

const told = {
  'POST /rules': (rule) => void rules.push(rule),
  'DELETE /rules': () => void (rules = []),
  'POST /down': async () => {
    const closed = once(server.server, 'close');
    server.server.close();
    for (const { _socket } of server.connections) _socket.destroy();
    await closed;
  },
  'POST /up': () => listen(server, port),
  'GET /taken': () => taken,
  'GET /count': () => taken.length,
  'GET /heard': () => heard,
  'GET /clear': () => Buffer.concat(clear).toString('base64'),
};

const control = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const act = told[`${request.method} ${request.url}`];
  const said = Buffer.concat(chunks).toString();
  const answer = act && (await act(said ? JSON.parse(said) : undefined));
  response.writeHead(act ? 200 : 404, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(answer ?? null));
});
control.listen(0, HOST);
await once(control, 'listening');
console.log(JSON.stringify({ port, control: control.address().port }));
