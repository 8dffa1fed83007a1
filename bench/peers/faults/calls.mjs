// Faults while calls run: a server, a client with 50 calls a second and 3 s of patience each, and something that
// breaks. Afterwards ten more calls show whether both are well again.
import { setTimeout as pause } from 'node:timers/promises';

const BEFORE = 2_000;
const WATCH = 17_000;
/** What each call allows, in milliseconds; Nest's transport knows no such thing and gets it from rxjs. */
export const TIMEOUT = 3_000;

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

/** Runs one for several systems at the same time; resolves with `{ [system]: figures }`. */
export async function underCalls(fault, world) {
  const { trials } = world;
  for (const trial of trials) await prepare(fault, trial);
  if (fault.burst) return entries(trials, (trial) => burst(fault, trial));
  for (const trial of trials) trial.stream({ calls: true, rate: 50, timeout: TIMEOUT });
  await pause(BEFORE);
  await fault.hit(world);
  const over = performance.now();
  return entries(trials, (trial) => outcome(trial, over));
}

// A server was there once, so that its queue is: whoever calls finds the queue and nobody behind it.
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

async function burst(fault, trial) {
  const { ledger } = trial;
  trial.stream({ calls: true, rate: 10_000, count: fault.burst, timeout: TIMEOUT });
  let exit;
  if (fault.signal) {
    await trial.until(() => ledger.handledCount > fault.burst, TIMEOUT);
    exit = await trial.end('rpc-server', fault.signal);
  }
  await trial.until(() => ledger.sentCount >= fault.burst && ledger.pending === 0, 2 * TIMEOUT);
  return finished(trial, exit ? { exit } : {});
}

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

export const entries = async (trials, work) =>
  Object.fromEntries(await Promise.all(trials.map(async (trial) => [trial.system.key, await work(trial)])));
