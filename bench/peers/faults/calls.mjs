// Faults while calls run: a server, a client with 50 calls a second and 3 s of patience each, and something that
// breaks. Afterwards ten more calls show whether both are well again.
import { setTimeout as pause } from 'node:timers/promises';

/**
 * @typedef {import('./trial.mjs').Trial} Trial
 * @typedef {import('./trial.mjs').Role} Role
 * @typedef {{ broker: import('../harness/broker.mjs').Broker, trials: Trial[] }} World
 */

/**
 * A fault while calls run: `hit` does it and resolves when it is over; `burst` calls are made at once, and `signal` is sent
 * to the server meanwhile. `killed`: whose end is part of it.
 *
 * @typedef {object} CallFault
 * @property {string} name
 * @property {(world: World) => unknown} [hit]
 * @property {Role} [killed]
 * @property {import('./trial.mjs').Extra} [settings]
 * @property {number} [burst]
 * @property {NodeJS.Signals} [signal]
 * @property {boolean} [server] whether there is one
 */

const BEFORE = 2_000;
const WATCH = 17_000;
/** What each call allows, in milliseconds; Nest's transport knows no such thing and gets it from rxjs. */
export const TIMEOUT = 3_000;

/** @type {CallFault[]} */
export const calling = [
  {
    name: 'connections reset while calls run',
    hit: ({ trials }) => trials.forEach(({ proxy }) => proxy.cut()),
  },
  { name: 'broker killed while calls run', hit: ({ broker }) => broker.restart({ crash: true }) },
  {
    name: 'server killed while calls run',
    hit: ({ trials }) => trials.forEach(({ children }) => children['rpc-server'].signal('SIGKILL')),
    killed: 'rpc-server',
  },
  {
    name: 'server asked to end while ten calls run',
    settings: { work: 1_000 },
    burst: 10,
    signal: 'SIGTERM',
  },
  { name: 'a call that no server takes', server: false, burst: 1 },
];

/**
 * Runs one for several systems at the same time; resolves with `{ [system]: figures }`.
 *
 * @param {CallFault} fault
 * @param {World} world
 */
export async function underCalls(fault, world) {
  const { trials } = world;
  for (const trial of trials) await prepare(fault, trial);
  const { burst } = fault;
  if (burst) return entries(trials, (trial) => atOnce(fault, burst, trial));
  for (const trial of trials) trial.stream({ calls: true, rate: 50, timeout: TIMEOUT });
  await pause(BEFORE);
  await fault.hit?.(world);
  const over = performance.now();
  return entries(trials, (trial) => outcome(trial, over));
}

// A server was there once, so that its queue is: whoever calls finds the queue and nobody behind it.
/** @param {CallFault} fault @param {Trial} trial */
async function prepare(fault, trial) {
  await trial.start('rpc-server');
  await trial.start('rpc-client');
  await trial.goodCall(TIMEOUT);
  if (fault.killed) trial.expectEnd(fault.killed, { startAgain: true });
  if (fault.server !== false) return;
  trial.expectEnd('rpc-server');
  await trial.children['rpc-server'].kill();
  await trial.removeQueue();
}

/** @param {Trial} trial @param {number} over */
async function outcome(trial, over) {
  const { ledger } = trial;
  await trial.until(() => ledger.goesOnSince(Math.max(over, performance.now() - 500)).sends, WATCH);
  await pause(1_000);
  trial.stopStream();
  await trial.until(() => ledger.pending === 0, 2 * TIMEOUT);
  let after = 0;
  for (let call = 0; call < 10; call++) if ((await trial.goodCall(TIMEOUT))?.ok) after++;
  return finished(trial, { after });
}

/** @param {CallFault} fault @param {number} count @param {Trial} trial */
async function atOnce(fault, count, trial) {
  const { ledger } = trial;
  trial.stream({ calls: true, rate: 10_000, count, timeout: TIMEOUT });
  let exit;
  if (fault.signal) {
    await trial.until(() => ledger.handledCount > count, TIMEOUT);
    exit = await trial.end('rpc-server', fault.signal);
  }
  await trial.until(() => ledger.sentCount >= count && ledger.pending === 0, 2 * TIMEOUT);
  return finished(trial, exit ? { exit } : {});
}

/** @param {Trial} trial @param {object} more */
async function finished(trial, more) {
  const figures = trial.ledger.calls();
  await trial.finish();
  return {
    ...figures,
    crashes: trial.ledger.crashes,
    leaks: trial.ledger.leaks,
    ...more,
    ...(trial.crash ? { crash: trial.crash } : {}),
  };
}

/** @template T @param {readonly Trial[]} trials @param {(trial: Trial) => T | Promise<T>} work */
export const entries = async (trials, work) =>
  Object.fromEntries(await Promise.all(trials.map(async (trial) => [trial.system.key, await work(trial)])));
