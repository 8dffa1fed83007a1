// Ends of a process: asked to end or killed, with work in hand, with promises open, and without a broker.
import { setTimeout as pause } from 'node:timers/promises';
import { entries } from './calls.mjs';

/**
 * @typedef {import('./calls.mjs').World} World
 * @typedef {import('./promises.mjs').Figures} Figures
 */

/**
 * The end of a process: `run` brings it about for several systems at the same time and resolves with
 * `{ [system]: figures }`.
 *
 * @typedef {object} Ending
 * @property {string} name
 * @property {import('./trial.mjs').Extra} [settings]
 * @property {(ending: Ending, world: World) => Promise<Record<string, Figures>>} run
 */

const WORK = 1_500;
const PREFETCH = 10;

/** @type {Ending[]} */
export const endings = [
  {
    name: 'consumer killed with ten handlers running',
    settings: { work: WORK },
    run: (_, world) => consumerEnds('SIGKILL', world),
  },
  {
    name: 'consumer asked to end with ten handlers running',
    settings: { work: WORK },
    run: (_, world) => consumerEnds('SIGTERM', world),
  },
  { name: 'producer asked to end with messages on their way', run: producerEnds },
  { name: 'both asked to end while the broker is away', run: bothEnd },
];

/**
 * 40 messages, ten of them in hand when the signal comes; then a second consumer does the rest.
 *
 * @param {NodeJS.Signals} signal
 * @param {World} world
 */
function consumerEnds(signal, { trials }) {
  return entries(trials, async (trial) => {
    const { ledger } = trial;
    await trial.start('consumer');
    await trial.start('producer');
    await trial.goodPublish();
    trial.stream({ rate: 10_000, count: 40 });
    // One more than the good one that came first.
    await trial.until(() => ledger.pending === 0 && ledger.running >= PREFETCH, 10_000);
    const running = ledger.running;
    const at = performance.now();
    const exit = await trial.end('consumer', signal);
    const begunAfter = ledger.begunSince(at);
    const cut = ledger.running;
    await trial.start('consumer');
    await trial.until(() => ledger.handledCount >= 41 && ledger.running <= cut, 15_000);
    await trial.finish();
    const { lost, duplicates, crashes, leaks } = ledger.verdict(at, at);
    return { running, exit, begunAfter, cut, lost, duplicates, crashes, leaks };
  });
}

/**
 * A burst on a line with 300 ms of delay: everything is on its way when the signal comes.
 *
 * @param {Ending} _
 * @param {World} world
 */
function producerEnds(_, { trials }) {
  return entries(trials, async (trial) => {
    const { ledger } = trial;
    await trial.start('consumer');
    await trial.start('producer');
    await trial.goodPublish();
    trial.proxy.delay = 300;
    trial.stream({ rate: 10_000, count: 170 });
    await trial.until(() => ledger.sentCount >= 170, 5_000);
    const exit = await trial.end('producer', 'SIGTERM');
    trial.proxy.delay = 0;
    await pause(1_000);
    await trial.finish();
    const { lost, rejected, rejectedButArrived, falselyRejected, gone, crashes, leaks } = ledger.verdict(
      0,
      0,
    );
    const refused = { rejected, rejectedButArrived, falselyRejected };
    return { sent: 170, exit, lost, ...refused, unsettled: gone, crashes, leaks };
  });
}

/** @param {Ending} _ @param {World} world */
function bothEnd(_, { trials }) {
  return entries(trials, async (trial) => {
    const { ledger } = trial;
    await trial.start('consumer');
    await trial.start('producer');
    await trial.goodPublish();
    trial.proxy.refusing = true;
    trial.proxy.cut();
    await pause(500);
    trial.stream({ rate: 10_000, count: 50 });
    await trial.until(() => ledger.sentCount >= 50, 5_000);
    const [exit, consumerExit] = await Promise.all([
      trial.end('producer', 'SIGTERM'),
      trial.end('consumer', 'SIGTERM'),
    ]);
    trial.proxy.refusing = false;
    await trial.finish();
    const { lost, rejected, falselyRejected, gone, crashes, leaks } = ledger.verdict(0, 0);
    const refused = { rejected, falselyRejected };
    return { sent: 50, exit, consumerExit, lost, ...refused, unsettled: gone, crashes, leaks };
  });
}
