// Random and mutated frames against the embedded broker, while a well-behaved client works on it. The broker is a process
// of its own; nothing that strangers send may end it, cost the good client a message or its connection, or stay in memory.
// `npm run faults` lets it run for five minutes; alone:
//   node tools/fuzz.mjs [--seconds 300] [--seed 7] [--version 3.10|4]
// The seed repeats what is sent, not when it arrives.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { generator, mutated, PASSWORD } from './fuzz-frames.mjs';
import { random } from './fuzz-random.mjs';

/**
 * @typedef {import('./fuzz-random.mjs').Dice} Dice
 * @typedef {Awaited<ReturnType<typeof start>>} Stand
 * @typedef {Awaited<ReturnType<typeof generator>>} Strangers
 */

const AT_ONCE = 16;
/** Sessions after which the strangers' virtual host is deleted under their feet, and made anew. */
const RENEWED = 400;
/** The longest that one round of the good client may take. */
const ROUND_LIMIT = 20_000;
/** How much more the broker may hold at the end than after the first fifth. */
const GROWTH = 4e6;
const REPLIES = 'amq.rabbitmq.reply-to';

/**
 * Fuzzes for so long; `broken` are the sentences of what should not have happened.
 *
 * @param {{ seconds: number, seed: number, version?: string, say: (line: string) => void }} options
 */
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
      await inParallel(begun, (/** @type {number} */ number) =>
        session(stand, strangers, random(seed, number)),
      );
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

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @param {readonly number[]} numbers @param {(number: number) => Promise<void>} work */
async function inParallel(numbers, work) {
  const left = numbers.values();
  const one = async () => {
    for (const number of left) await work(number);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

// --- the broker ----------------------------------------------------------------------------------------------------

/** @param {string} version */
async function start(version) {
  const child = fork(fileURLToPath(import.meta.url), ['broker', version], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  /** @type {string[]} */
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
    /** @param {'renew' | 'memory'} question */
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

/** @param {import('@warren/embedded').RabbitMQVersion} version */
async function broker(version) {
  const { EmbeddedBroker } = await import('@warren/embedded');
  const logger = {
    log: () => undefined,
    // A mistake of the broker's own is told like this; it would be closed with 541 and go on.
    /** @param {string} text */
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

/**
 * Calls, with confirms and acks, in rounds, on one connection; counts, and notes what fails.
 *
 * @param {Stand} stand
 */
async function goodClient({ url }) {
  const { connect } = await import('amqplib');
  /** @type {string[]} */
  const broken = [];
  const connection = await connect(url, { noDelay: true });
  let stopped = false;
  connection.on('error', (error) => broken.push(`the good client's connection: ${error.message}`));
  connection.on('close', () => stopped || broken.push("the good client's connection was closed"));
  const channel = await connection.createConfirmChannel();
  channel.on('error', (error) => broken.push(`the good client's channel: ${error.message}`));
  const waiting = new Map();
  /** @type {((done?: unknown) => void) | undefined} */
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

/**
 * What the good client does with a reply, and with a call.
 *
 * @param {import('amqplib').ConfirmChannel} channel
 * @param {Map<string, boolean>} waiting
 * @param {string[]} broken
 * @param {() => void} onEmpty
 */
function listeners(channel, waiting, broken, onEmpty) {
  /** @param {import('amqplib').ConsumeMessage | null} message */
  const replied = (message) => {
    const id = String(message?.content);
    if (!waiting.delete(id)) broken.push(`a reply to ${id} came to the good client and was not expected`);
    if (waiting.size === 0) onEmpty();
  };
  /** @param {import('amqplib').ConsumeMessage | null} message */
  const asked = (message) => {
    if (!message) return void broken.push('the good client was cancelled');
    if (message.fields.redelivered) broken.push('a message of the good client came again');
    channel.sendToQueue(message.properties.replyTo, message.content);
    channel.ack(message);
  };
  return { replied, asked };
}

/** @param {Promise<unknown>} promise @param {string} what */
function within(promise, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ROUND_LIMIT} ms`)), ROUND_LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// --- strangers -----------------------------------------------------------------------------------------------------

/**
 * Connects, says something, and leaves in some way. Resolves when the socket is gone.
 *
 * @param {Stand} stand
 * @param {Strangers} strangers
 * @param {Dice} dice
 */
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.send && process.argv[2] === 'broker')
    await broker(/** @type {Parameters<typeof broker>[0]} */ (process.argv[3]));
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
