// Ends of processes and breaks of calls that only our own suite needs.
import { setTimeout as pause } from 'node:timers/promises';
import { entries, TIMEOUT, underCalls } from './calls.mjs';

/**
 * @typedef {import('./calls.mjs').World} World
 * @typedef {import('./calls.mjs').CallFault} CallFault
 * @typedef {import('./endings.mjs').Ending} Ending
 * @typedef {import('./promises.mjs').Figures} Figures
 */

/** The number of the message that kills its process; the others count from 0. */
const DEADLY = -1;

/** @type {Ending[]} */
export const moreEndings = [
  { name: 'both asked to end while the broker is frozen', run: bothEndFrozen },
  {
    name: 'a message that kills its process, in a quorum queue',
    settings: { queueType: 'quorum' },
    run: poison,
  },
];

/** @type {(CallFault & { run: (fault: CallFault, world: World) => Promise<Record<string, Figures>> })[]} */
export const moreCalling = [
  {
    name: 'connections of callers reset while calls run',
    settings: { apart: true },
    hit: ({ trials }) => trials.forEach(({ senders }) => senders.cut()),
    run: underCalls,
  },
  {
    name: 'connections cut inside a frame while calls run',
    hit: ({ trials }) => trials.forEach(({ proxy }) => proxy.cutInside()),
    run: underCalls,
  },
  { name: 'server killed in the middle of a stream', run: streamBreaks },
];

/**
 * A handler that takes longer than the process may live on, publishes that wait, and nobody who answers.
 *
 * @param {Ending} _
 * @param {World} world
 */
function bothEndFrozen(_, { broker, trials }) {
  return entries(trials, async (trial) => {
    const { ledger } = trial;
    await trial.start('consumer');
    await trial.start('producer');
    await trial.goodPublish();
    broker.pause();
    let exits;
    try {
      trial.stream({ rate: 10_000, count: 50 });
      await trial.until(() => ledger.sentCount >= 50, 5_000);
      exits = await Promise.all([trial.end('producer', 'SIGTERM'), trial.end('consumer', 'SIGTERM')]);
    } finally {
      broker.resume();
    }
    await trial.finish();
    const { lost, rejected, unknown, falselyRejected, gone, crashes, leaks } = ledger.verdict(0, 0);
    const [exit, consumerExit] = exits;
    const refused = { rejected, unknown, falselyRejected };
    return { sent: 50, exit, consumerExit, lost, ...refused, unsettled: gone, crashes, leaks };
  });
}

/**
 * Runs and kills five times and no more, ends as a dead letter, and those beside it are handled.
 *
 * @param {Ending} _
 * @param {World} world
 */
function poison(_, { trials }) {
  return entries(trials, async (trial) => {
    const { ledger } = trial;
    await trial.start('consumer');
    await trial.start('producer');
    await trial.goodPublish();
    trial.expectDeaths('consumer');
    trial.children.producer.tell({ id: 'deadly', publish: { n: DEADLY, please: 'die' } });
    const at = performance.now();
    trial.stream({ rate: 20, count: 100 });
    await trial.until(() => ledger.runsOf(DEADLY) >= 5, 60_000);
    const beside = () => ledger.sentCount === 100 && ledger.pending === 0 && ledger.everythingHandled;
    const through = await trial.until(beside, 30_000);
    const over = performance.now();
    ledger.hit(at, over);
    // Time for a sixth run, if there is one.
    await pause(3_000);
    const runs = ledger.runsOf(DEADLY);
    await trial.finish();
    const { sent, lost, dead, duplicates, handedBack, unexplained, stranded } = ledger.verdict(at, over);
    const broken = [
      ...(runs > 5 ? [`ran ${runs} times`] : []),
      ...(ledger.isDead(DEADLY) ? [] : ['is no dead letter']),
      ...(dead > 0 ? [`${dead} messages beside it became dead letters`] : []),
      ...(through ? [] : ['the messages beside it were not handled']),
    ];
    const figures = { sent, runs, lost, duplicates, handedBack, unexplained, stranded };
    return { ...figures, leaks: ledger.leaks, ...(broken.length > 0 ? { broken } : {}) };
  });
}

/**
 * A stream of a thousand items loses its server; its reader is told, and the next stream is whole.
 *
 * @param {CallFault} _
 * @param {World} world
 */
function streamBreaks(_, { trials }) {
  return entries(trials, async (trial) => {
    await trial.start('calls-server');
    await trial.start('calls-client');
    const reader = trial.children['calls-client'];
    /** @param {string} id @param {number} count */
    const read = (id, count) => {
      reader.tell({ id, kind: 'read', body: { count, every: 10 }, timeout: TIMEOUT });
      return reader.wait((event) => event.event === 'settled' && event.id === id, 20_000);
    };
    const first = read('broken', 1_000);
    await reader.wait(({ event }) => event === 'read', TIMEOUT);
    trial.expectEnd('calls-server', { startAgain: true });
    const killed = trial.children['calls-server'];
    const at = performance.now();
    killed.signal('SIGKILL');
    const broken = await first;
    const told = Math.round(performance.now() - at);
    await trial.until(() => trial.children['calls-server'] !== killed, 5_000);
    const next = await read('whole', 20);
    await trial.finish();
    const wrong = [
      ...(/Rpc/.test(broken?.value?.error ?? '') ? [] : [`the reader was told ${broken?.value?.error}`]),
      ...(next?.value?.at.length === 20 && !next.value.error
        ? []
        : [`the next stream was ${JSON.stringify(next)}`]),
    ];
    const figures = { calls: 2, ok: 1, failed: 1, slowestFailure: told, unsettled: broken ? 0 : 1 };
    return { ...figures, leaks: trial.ledger.leaks, ...(wrong.length > 0 ? { broken: wrong } : {}) };
  });
}
