// Random and mutated frames against the embedded broker, while a well-behaved client works on it. The broker is a process
// of its own; nothing that strangers send may end it, cost the good client a message or its connection, or stay in memory.
// `npm run faults` lets it run for five minutes; alone:
//   node tools/fuzz.mjs [--seconds 300] [--seed 7] [--version 3.10|4]
// The seed repeats what is sent, not when it arrives.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { random } from './fuzz-random.mjs';
import { root } from './run.mjs';

const AT_ONCE = 16;
/** Sessions after which the strangers' virtual host is deleted under their feet, and made anew. */
const RENEWED = 400;
/** The longest that one round of the good client may take. */
const PATIENCE = 20_000;
/** How much more the broker may hold at the end than after the first fifth. */
const GROWTH = 4e6;
const PASSWORD = 'fuzz';
const REPLIES = 'amq.rabbitmq.reply-to';

const wire = (name) =>
  import(pathToFileURL(join(root, 'libs', 'embedded', 'dist', 'esm', 'wire', name)).href);

/** Fuzzes for so long; `broken` are the sentences of what should not have happened. */
export async function fuzz({ seconds, seed, version = '4', say }) {
  await build({ ifNeeded: true });
  const strangers = await generator();
  const stand = await start(version);
  const good = await goodClient(stand);
  const end = performance.now() + seconds * 1000;
  const warm = performance.now() + seconds * 200;
  let sessions = 0;
  let first;
  try {
    while (performance.now() < end && good.broken.length === 0 && stand.broken.length === 0) {
      const begun = Array.from({ length: RENEWED }, () => sessions++);
      await inParallel(begun, (number) => session(stand, strangers, random(seed, number)));
      await stand.ask('renew');
      const bytes = await stand.ask('memory');
      if (first === undefined && performance.now() > warm) first = bytes;
      if (sessions % (10 * RENEWED) === 0) say(`  ${sessions} sessions, ${megabytes(bytes)} held`);
    }
    const last = await stand.ask('memory');
    const grown = last - (first ?? last);
    const broken = [...stand.broken, ...(await good.stop())];
    if (grown > GROWTH) broken.push(`memory grew by ${megabytes(grown)} after it was warm`);
    say(
      `${sessions} sessions of strangers, seed ${seed}; ${good.rounds()} rounds of the good client, the longest ` +
        `${Math.round(good.longest())} ms; memory ${megabytes(first ?? last)}, at the end ${megabytes(last)}`,
    );
    return { sessions, broken };
  } finally {
    await stand.stop();
  }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

async function inParallel(numbers, work) {
  const left = numbers.values();
  const one = async () => {
    for (const number of left) await work(number);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

// --- the broker ----------------------------------------------------------------------------------------------------

async function start(version) {
  const child = fork(fileURLToPath(import.meta.url), ['broker', version], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  const broken = [];
  let ending = false;
  child.stderr?.setEncoding('utf8').on('data', (text) => broken.push(`the broker says: ${text.trim()}`));
  const gone = once(child, 'exit').then(([code, signal]) => {
    if (!ending) broken.push(`the broker ended with ${code ?? signal}`);
    return undefined;
  });
  const [{ url }] = await once(child, 'message');
  return {
    url,
    broken,
    async ask(question) {
      if (!child.connected) return 0;
      child.send(question);
      return Promise.race([once(child, 'message').then(([answer]) => answer.value), gone]);
    },
    async stop() {
      ending = true;
      if (child.connected) child.send('close');
      await gone;
    },
  };
}

async function broker(version) {
  const { EmbeddedBroker } = await import('@warren/embedded');
  const logger = {
    log: () => undefined,
    // A mistake of the broker's own is told like this; it would be closed with 541 and go on.
    warn: (text) => /internal error|failed at a request/.test(text) && console.error(text),
  };
  const running = await EmbeddedBroker.start({ version, logger, heartbeat: 0 });
  const renew = async () => {
    await running.addVhost('fuzz');
    const permissions = { fuzz: { configure: '.*', write: '.*', read: '.*' } };
    await running.users.add('fuzz', PASSWORD, { permissions });
    const definition = { 'max-length': 20, expires: 60_000 };
    await running.policies.set({ name: 'short', pattern: '', definition, vhost: 'fuzz', applyTo: 'queues' });
  };
  await renew();
  process.on('message', async (question) => {
    if (question === 'close') return void running.close().then(() => process.disconnect());
    if (question === 'renew') await running.deleteVhost('fuzz').then(renew);
    else
      for (let n = 0; n < 3; n += 1)
        await new Promise((resolve) => setImmediate(() => resolve(globalThis.gc?.())));
    const { heapUsed, external } = process.memoryUsage();
    process.send?.({ value: heapUsed + external });
  });
  process.send?.({ url: running.url });
}

// --- the good client -----------------------------------------------------------------------------------------------

/** Calls, with confirms and acks, in rounds, on one connection; counts, and notes what fails. */
async function goodClient({ url }) {
  const { connect } = await import('amqplib');
  const broken = [];
  const connection = await connect(url, { noDelay: true });
  let stopped = false;
  connection.on('error', (error) => broken.push(`the good client's connection: ${error.message}`));
  connection.on('close', () => stopped || broken.push("the good client's connection was closed"));
  const channel = await connection.createConfirmChannel();
  channel.on('error', (error) => broken.push(`the good client's channel: ${error.message}`));
  const waiting = new Map();
  let roundDone;
  const { replied, asked } = listeners(channel, waiting, broken, () => roundDone?.());
  await channel.assertQueue('good');
  await channel.consume(REPLIES, replied, { noAck: true });
  await channel.consume('good', asked);
  let rounds = 0;
  let longest = 0;
  const round = async () => {
    const begun = performance.now();
    const done = new Promise((resolve) => (roundDone = resolve));
    for (let n = 0; n < 20; n += 1) waiting.set(`${rounds}-${n}`, true);
    for (let n = 0; n < 20; n += 1) {
      channel.sendToQueue('good', Buffer.from(`${rounds}-${n}`), { replyTo: REPLIES });
    }
    await within(Promise.all([done, channel.waitForConfirms()]), `round ${rounds} of the good client`);
    rounds += 1;
    longest = Math.max(longest, performance.now() - begun);
  };
  const working = (async () => {
    while (!stopped && broken.length === 0) {
      await round();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })().catch((error) => broken.push(error.message));
  return {
    broken,
    rounds: () => rounds,
    longest: () => longest,
    async stop() {
      stopped = true;
      await working;
      await connection.close().catch((error) => broken.push(`the good client's close: ${error.message}`));
      return broken;
    },
  };
}

/** What the good client does with a reply, and with a call. */
function listeners(channel, waiting, broken, onEmpty) {
  const replied = (message) => {
    const id = message?.content.toString();
    if (!waiting.delete(id)) broken.push(`a reply to ${id} came to the good client and was not expected`);
    if (waiting.size === 0) onEmpty();
  };
  const asked = (message) => {
    if (!message) return void broken.push('the good client was cancelled');
    if (message.fields.redelivered) broken.push('a message of the good client came again');
    channel.sendToQueue(message.properties.replyTo, message.content);
    channel.ack(message);
  };
  return { replied, asked };
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${PATIENCE} ms`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// --- strangers -----------------------------------------------------------------------------------------------------

/** Connects, says something, and leaves in some way. Resolves when the socket is gone. */
async function session(stand, { opening, frames }, dice) {
  const { hostname, port } = new URL(stand.url);
  const socket = connectSocket({ host: hostname, port: Number(port), noDelay: true });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  socket.resume();
  const bytes = dice.chance(0.1)
    ? dice.bytes(dice.below(2000))
    : Buffer.concat([opening(dice), ...frames(dice)]);
  const sent = dice.chance(0.5) ? mutated(bytes, dice) : bytes;
  const pieces = dice.chance(0.2) ? 1 + dice.below(40) : 1;
  const size = Math.ceil(sent.length / pieces) || 1;
  for (let at = 0; at < sent.length && !socket.destroyed; at += size) {
    socket.write(sent.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (dice.chance(0.2)) socket.resetAndDestroy();
  else if (dice.chance(0.5)) socket.end();
  else {
    const timer = setTimeout(() => socket.destroy(), dice.below(60));
    socket.once('close', () => clearTimeout(timer));
  }
  const cut = setTimeout(() => socket.destroy(), 2000);
  await closed;
  clearTimeout(cut);
}

const frame = (type, channel, payload) => {
  const head = Buffer.alloc(7);
  head[0] = type;
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
};
const content = (channel, dice) => {
  const body = dice.bytes(dice.below(200));
  const header = Buffer.alloc(14);
  header.writeUInt16BE(dice.chance(0.95) ? 60 : dice.below(100), 0);
  header.writeBigUInt64BE(BigInt(dice.chance(0.9) ? body.length : dice.below(100_000)), 4);
  const flags = dice.chance(0.5) ? 0 : dice.below(0x10000);
  header.writeUInt16BE(flags, 12);
  return [
    frame(2, channel, Buffer.concat([header, dice.bytes(flags === 0 ? 0 : 30)])),
    frame(3, channel, body),
  ];
};

/** What strangers say: the way in, and frames with any method and any content. */
async function generator() {
  const { METHODS } = await wire('methods.js');
  const { encodeMethod } = await wire('method-codec.js');
  const { encodeTable } = await wire('field-table.js');
  const names = Object.keys(METHODS);
  const frequent = names.filter((name) => /^(basic|queue|exchange|tx|confirm)\./.test(name));

  const method = (channel, name, args) => frame(1, channel, encodeMethod(name, args));

  const table = (dice) => encodeTable(new Map(Array.from({ length: dice.below(4) }, () => field(dice))));
  const anyMethod = (channel, name, dice) => {
    const [, , fields] = METHODS[name];
    const args = Object.fromEntries(
      Object.entries(fields).map(([key, type]) => [key, value(key, type, dice, table)]),
    );
    return method(channel, name, args);
  };
  /** The handshake, sent in one go, as the broker allows; now and then as another user. */
  const opening = (dice) => {
    const user = dice.chance(0.95) ? 'fuzz' : dice.name();
    return Buffer.concat([
      Buffer.from('AMQP\0\0\x09\x01', 'latin1'),
      method(0, 'connection.start-ok', {
        properties: table(dice),
        mechanism: 'PLAIN',
        response: Buffer.from(`\0${user}\0${PASSWORD}`),
        locale: 'en_US',
      }),
      method(0, 'connection.tune-ok', {
        channelMax: 100,
        frameMax: dice.chance(0.9) ? 131_072 : 8192,
        heartbeat: 0,
      }),
      method(0, 'connection.open', { vhost: 'fuzz', capabilities: '', insist: false }),
      method(1, 'channel.open', { outOfBand: '' }),
    ]);
  };
  const frames = (dice) =>
    Array.from({ length: dice.below(30) }, () => {
      const channel = dice.chance(0.9) ? 1 : dice.below(4);
      if (dice.chance(0.04)) return [frame(dice.below(10), dice.below(300), dice.bytes(dice.below(50)))];
      if (dice.chance(0.3)) return [anyMethod(channel, 'basic.publish', dice), ...content(channel, dice)];
      const name = dice.pick(dice.chance(0.85) ? frequent : names);
      return [anyMethod(channel, name, dice)];
    }).flat();
  return { opening, frames };
}

const KEYS = [
  'x-max-length',
  'x-message-ttl',
  'x-queue-type',
  'x-dead-letter-exchange',
  'x-max-priority',
  'x-expires',
];
const VALUES = ['quorum', 'stream', 'classic', 'drop-head', 'reject-publish', '', 'amq.topic', 'x'];
const MORE_KEYS = [
  'x-overflow',
  'x-match',
  'x-delayed-type',
  'x-stream-offset',
  'x-single-active-consumer',
  'CC',
  'BCC',
];
const TYPES = [
  'direct',
  'topic',
  'fanout',
  'headers',
  'x-consistent-hash',
  'x-delayed-message',
  'x-random',
  'what',
];

/** @returns {[string, unknown]} */
function field(dice) {
  const name = dice.pick(dice.chance(0.6) ? KEYS : dice.chance(0.8) ? MORE_KEYS : [dice.name()]);
  if (dice.chance(0.5)) return [name, { type: 'long', value: dice.chance(0.8) ? dice.below(1000) : -1 }];
  return [name, { type: 'longstr', value: dice.pick(VALUES) }];
}

function value(key, type, dice, table) {
  switch (type) {
    case 'bit':
      return dice.chance(key === 'passive' || key === 'immediate' ? 0.05 : 0.4);
    case 'octet':
      return dice.below(256);
    case 'short':
      return dice.below(dice.chance(0.9) ? 20 : 0x10000);
    case 'long':
      return dice.chance(0.9) ? 0 : dice.below(0x7fffffff);
    case 'longlong':
      return dice.below(20);
    case 'shortstr':
      return key === 'type' ? dice.pick(TYPES) : dice.name();
    case 'table':
      return table(dice);
    default:
      return dice.bytes(dice.below(40));
  }
}

function mutated(bytes, dice) {
  const copy = Buffer.from(bytes);
  // Sparing what comes first lets most of them get as far as an open channel.
  const from = dice.chance(0.8) ? Math.min(150, copy.length) : 0;
  for (let n = dice.below(6); n >= 0 && copy.length > from; n -= 1) {
    const at = from + dice.below(copy.length - from);
    copy[at] = dice.chance(0.5) ? copy[at] ^ (1 << dice.below(8)) : dice.below(256);
  }
  if (dice.chance(0.2)) return copy.subarray(0, dice.below(copy.length + 1));
  if (dice.chance(0.1)) return Buffer.concat([copy, copy.subarray(from)]);
  return copy;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.send && process.argv[2] === 'broker') await broker(process.argv[3]);
  else {
    const { values } = parseArgs({
      options: { seconds: { type: 'string' }, seed: { type: 'string' }, version: { type: 'string' } },
    });
    const seconds = Number(values.seconds ?? 300);
    const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
    const { broken } = await fuzz({ seconds, seed, version: values.version, say: console.log });
    for (const line of broken) console.error(`BROKEN  ${line}`);
    process.exitCode = broken.length > 0 ? 1 : 0;
  }
}
