// Faults at random: what, when and for how long comes from a seed, so that a schedule that shows something can be
// played again. Messages, of which some fail once and some for good, and calls go on through all of them; both ledgers
// must balance at the end.
import { setTimeout as pause } from 'node:timers/promises';
import { TIMEOUT } from './calls.mjs';
import { quiet } from './messaging.mjs';
import { Trial } from './trial.mjs';

/**
 * @typedef {import('../harness/broker.mjs').Broker} Broker
 * @typedef {import('./trial.mjs').Role} Role
 * @typedef {(trial: Trial, ms: number, broker: Broker) => unknown} OnLine
 * @typedef {(broker: Broker, ms: number, trials: { messages: Trial }) => unknown} OnBroker
 * @typedef {{ at: number, kind: string, ms: number }} Step
 */

/**
 * Numbers from 0 to 1, the same for the same seed (mulberry32).
 *
 * @param {number} seed
 */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {Trial} trial @param {Role} role @param {NodeJS.Signals} signal */
const ends = (trial, role, signal) => {
  trial.expectEnd(role, { startAgain: true });
  trial.children[role].signal(signal);
};

// On each of the two lines: messages, and calls.
/** @type {Record<string, OnLine>} */
const onLines = {
  cut: ({ proxy }) => proxy.cut(),
  'cut inside a frame': ({ proxy }) => proxy.cutInside(),
  'close by the broker': (trial, _, broker) => broker.closeConnections(trial).catch(() => {}),
  'slow line': async ({ proxy }, ms) => {
    proxy.delay = 100;
    await pause(ms);
    proxy.delay = 0;
  },
  'nobody there': async ({ proxy }, ms) => {
    proxy.refusing = true;
    proxy.cut();
    await pause(ms);
    proxy.refusing = false;
  },
  // What was sent into it is lost on the way, as is what comes back, and nobody is told before it is cut.
  'silent line': async ({ proxy }, ms) => {
    proxy.silence();
    await pause(ms);
    proxy.speak();
    proxy.cut();
  },
  'consumer and server killed': (trial) => ends(trial, trial.worker, 'SIGKILL'),
  'consumer and server asked to end': (trial) => ends(trial, trial.worker, 'SIGTERM'),
};

/** @type {Record<string, OnBroker>} */
const onTheBroker = {
  'broker killed': (broker) => broker.restart({ crash: true }),
  'broker restarted': (broker) => broker.restart({ crash: false }),
  'broker frozen': async (broker, ms) => {
    broker.pause();
    await pause(ms);
    broker.resume();
  },
  'memory alarm': async (broker, ms) => {
    await broker.alarm(true);
    await pause(ms);
    await broker.alarm(false);
  },
  "consumer's channel closed": (broker, _, { messages }) => broker.closeChannels(messages, 'consumer'),
  "producer's channels closed": (broker, _, { messages }) => broker.closeChannels(messages, 'producer'),
  // With nothing in it, or what is in it would go with it.
  'queue deleted': (broker, _, { messages }) =>
    messages.inPause(() => broker.deleteQueue(messages), { strict: true }),
};
/** These take the broker away for some seconds, so few of them are done, and none in a short run. */
const LONG = ['broker killed', 'broker restarted'];
const SHORT_RUN = 60_000;

/**
 * What happens when: `[{ at, kind, ms }]`, for so many milliseconds.
 *
 * @param {number} seed
 * @param {number} length
 */
export function scheduleOf(seed, length) {
  const random = randomOf(seed);
  const names = [...Object.keys(onLines), ...Object.keys(onTheBroker)];
  /** @type {Step[]} */
  const steps = [];
  for (let at = 1_000 + random() * 1_000; at < length; at += 500 + random() * 3_000) {
    const kind = names[Math.floor(random() * names.length)];
    const ms = Math.round(200 + random() * 2_000);
    if (LONG.includes(kind) && (length < SHORT_RUN || random() > 0.5)) continue;
    steps.push({ at: Math.round(at), kind, ms });
  }
  return steps;
}

/**
 * Plays a schedule for Warren; resolves with `{ messages, calls }`, the figures of both.
 *
 * @param {{ broker: Broker, system: import('./trial.mjs').System, seed: number, length: number, say?: (line: string) => void }} what
 */
export async function playSchedule({ broker, system, seed, length, say = () => {} }) {
  const messages = new Trial(system, await broker.vhost(`random-${seed}-messages`));
  const calls = new Trial(system, await broker.vhost(`random-${seed}-calls`));
  await messages.open({ failing: true, retry: { attempts: 3, delays: 300 } });
  await calls.open();
  messages.worker = 'consumer';
  calls.worker = 'rpc-server';
  await messages.start('consumer');
  await messages.start('producer');
  await calls.start('rpc-server');
  await calls.start('rpc-client');
  await calls.goodCall(TIMEOUT);
  messages.stream();
  calls.stream({ calls: true, rate: 20, timeout: TIMEOUT });
  const began = performance.now();
  const over = await play(scheduleOf(seed, length), { broker, messages, calls, began, length, say });
  const figures = { messages: await endOfMessages(messages, over), calls: await endOfCalls(calls) };
  for (const life of messages.ledger.lives(began)) say(`  lost: ${life}`);
  await broker.settled();
  for (const { vhost } of [messages, calls]) await broker.removeVhost(vhost);
  return figures;
}

/**
 * Resolves with the time of the last fault's end.
 *
 * @param {readonly Step[]} steps
 * @param {{ broker: Broker, messages: Trial, calls: Trial, began: number, length: number, say: (line: string) => void }} what
 */
async function play(steps, { broker, messages, calls, began, length, say }) {
  const lines = [messages, calls];
  let over = began;
  for (const { at, kind, ms } of steps) {
    await pause(Math.max(0, at - (performance.now() - began)));
    const from = performance.now();
    say(`  ${((from - began) / 1_000).toFixed(1).padStart(6)} s  ${kind}`);
    if (kind in onLines) await Promise.all(lines.map((line) => onLines[kind](line, ms, broker)));
    else await onTheBroker[kind](broker, ms, { messages });
    if (LONG.includes(kind)) await broker.settled();
    over = performance.now();
    for (const { ledger } of lines) ledger.hit(from, over);
  }
  await pause(Math.max(0, length - (performance.now() - began)));
  return over;
}

/** @param {Trial} trial @param {number} over */
async function endOfMessages(trial, over) {
  const { ledger } = trial;
  await trial.until(() => {
    const { sends, handles } = ledger.goesOnSince(Math.max(over, performance.now() - 1_000));
    return sends && handles;
  }, 20_000);
  trial.stopStream();
  await trial.until(() => ledger.pending === 0, 15_000);
  // A retry or a dead letter that the last fault kept from being forwarded is forwarded again after five seconds.
  await quiet(trial, 6_000);
  await trial.finish();
  return { ...ledger.verdict(over, over), ...(trial.crash ? { crash: trial.crash } : {}) };
}

/** @param {Trial} trial */
async function endOfCalls(trial) {
  const { ledger } = trial;
  trial.stopStream();
  await trial.until(() => ledger.pending === 0, 3 * TIMEOUT);
  let after = 0;
  for (let call = 0; call < 10; call++) if ((await trial.goodCall(TIMEOUT))?.ok) after++;
  await trial.finish();
  const { leaks } = ledger;
  return { ...ledger.calls(), leaks, after, ...(trial.crash ? { crash: trial.crash } : {}) };
}
