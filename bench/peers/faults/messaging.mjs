// Faults under a steady stream of messages: a producer, a consumer, 100 messages a second that are not awaited one by
// one, and something that breaks.
import { setTimeout as pause } from 'node:timers/promises';
import { RATE } from './trial.mjs';

/**
 * @typedef {import('./trial.mjs').Trial} Trial
 * @typedef {import('./calls.mjs').World} World
 * @typedef {import('./promises.mjs').Figures} Figures
 */

/**
 * A fault under a stream of messages. `hit` does it and resolves when the broker can be had again; times are in ms.
 *
 * @typedef {object} StreamFault
 * @property {string} name
 * @property {(world: World) => unknown} hit
 * @property {import('./trial.mjs').Extra} [settings]
 * @property {boolean} [harmless] nothing is broken, so nothing may run twice
 * @property {boolean} [needsExchange]
 * @property {import('./trial.mjs').Stream} [stream]
 * @property {number} [watch] how long anybody may take to come back
 * @property {number} [settle] how long the last promises may take
 * @property {boolean} [memory] whether that of the producer is measured
 * @property {boolean} [late] the broker comes after the programs
 * @property {number} [waits] how long messages wait before they come back
 * @property {RegExp} [said] what a log must say
 * @property {(figures: Figures) => string[]} [holds] what is broken
 */

/** How long it goes well before the fault, in milliseconds. */
const BEFORE = 2_000;
/** How long anybody may take to come back before it counts as never. */
const WATCH = 17_000;
/** How long the last promises may take: longer than any timeout here. */
const SETTLE = 12_000;

/**
 * `hit({ node, broker, trials })` does it and resolves when the broker can be had again. `alone` are done for one
 * system at a time.
 *
 * @type {StreamFault[]}
 */
export const messaging = [
  { name: 'nothing at all', harmless: true, hit: () => pause(1_000) },
  { name: 'broker killed', hit: ({ broker }) => broker.restart({ crash: true }) },
  { name: 'broker restarted', hit: ({ broker }) => broker.restart({ crash: false }) },
  {
    name: 'connections closed by the broker',
    hit: ({ broker, trials }) => each(trials, broker.closeConnections),
  },
  { name: 'connections reset', hit: ({ trials }) => each(trials, ({ proxy }) => proxy.cut()) },
  {
    name: 'network silent for 12 s',
    hit: async ({ trials }) => {
      await each(trials, ({ proxy }) => proxy.silence());
      await pause(12_000);
      await each(trials, ({ proxy }) => proxy.speak());
    },
  },
  // The queue is empty at that moment, so that nothing goes with it.
  {
    name: 'consumer cancelled by the broker',
    hit: ({ broker, trials }) => each(trials, (trial) => trial.inPause(() => broker.replaceQueue(trial))),
  },
  {
    name: 'queue deleted',
    hit: ({ broker, trials }) => each(trials, (trial) => trial.inPause(() => broker.deleteQueue(trial))),
  },
  {
    name: 'publishes to a missing exchange in between',
    needsExchange: true,
    hit: async ({ trials }) => {
      for (let round = 0; round < 3; round++) {
        await each(trials, ({ children }) => wrong(children.producer, round));
        await pause(100);
      }
    },
  },
  {
    name: 'no broker for 60 s, 200 messages of 1 KiB a second',
    stream: { rate: 2 * RATE, size: 1_024 },
    watch: 27_000,
    settle: 35_000,
    memory: true,
    hit: async ({ trials }) => {
      await each(trials, ({ proxy }) => {
        proxy.refusing = true;
        proxy.cut();
      });
      await pause(60_000);
      await each(trials, ({ proxy }) => (proxy.refusing = false));
    },
  },
  {
    name: 'broker comes 6 s after the programs',
    late: true,
    hit: async ({ trials }) => {
      await pause(6_000);
      await each(trials, ({ proxy }) => (proxy.refusing = false));
    },
  },
];

/** @param {readonly Trial[]} trials @param {(trial: Trial) => unknown} work */
export const each = (trials, work) => Promise.all(trials.map((trial) => work(trial)));
/** @param {import('../harness/child.mjs').Child} producer @param {number} round */
const wrong = (producer, round) =>
  producer.tell({ id: `wrong-${round}`, publish: { n: 0 }, options: { exchange: 'gone' } });

/**
 * Runs one for several systems at the same time; resolves with `{ [system]: figures }`.
 *
 * @param {StreamFault} fault
 * @param {World} world
 */
export async function underStream(fault, world) {
  const { trials } = world;
  for (const trial of trials) await prepare(fault, trial);
  if (!fault.late) await pause(BEFORE);
  const began = performance.now();
  const memory = fault.memory ? await Promise.all(trials.map(remember)) : [];
  await fault.hit(world);
  const over = performance.now();
  if (!fault.harmless) for (const { ledger } of trials) ledger.hit(began, over);
  const found = await Promise.all(
    trials.map((trial, at) => outcome(fault, trial, { began, over, memory: memory[at] })),
  );
  return Object.fromEntries(found);
}

/** @param {StreamFault} fault @param {Trial} trial */
async function prepare(fault, trial) {
  if (fault.late) await runBefore(trial);
  await trial.start('consumer', !fault.late);
  await trial.start('producer', !fault.late);
  trial.stream(fault.stream);
}

// Both have run before, so that the queue is there: whose program comes first is not what is compared.
/** @param {Trial} trial */
async function runBefore(trial) {
  await trial.start('consumer');
  trial.expectEnd('consumer');
  await trial.children.consumer.kill();
  trial.proxy.refusing = true;
}

/**
 * @param {StreamFault} fault
 * @param {Trial} trial
 * @param {{ began: number, over: number, memory: number | null | undefined }} seen
 * @returns {Promise<[string, Figures]>}
 */
async function outcome(fault, trial, { began, over, memory }) {
  const { ledger } = trial;
  const after = fault.memory ? await remember(trial) : undefined;
  // Seen to go on twice: what was on its way does not count.
  const backAt = async () => {
    const { sends, handles } = ledger.goesOnSince(performance.now() - 500);
    return sends && handles && performance.now() - over > 3_000;
  };
  await trial.until(backAt, fault.watch ?? WATCH);
  trial.stopStream();
  await trial.until(() => ledger.pending === 0, fault.settle ?? SETTLE);
  await quiet(trial, fault.waits);
  await trial.finish();
  /** @type {Figures} */
  const figures = { ...ledger.verdict(began, over), ...trial.more };
  if (fault.memory) figures.memory = [memory, after];
  const { said } = fault;
  if (said) figures.said = trial.logs.some((line) => said.test(line));
  const broken = fault.holds?.(figures) ?? [];
  if (broken.length > 0) figures.broken = broken;
  return [trial.system.key, { ...figures, ...why(trial) }];
}

// The consumer is through when nothing was handled for a second, or for longer than messages wait before they come back.
/** @param {Trial} trial @param {number} [waits] */
export async function quiet({ ledger, until }, waits = 0) {
  let count = -1;
  let since = performance.now();
  await until(() => {
    if (ledger.begunSince(0) !== count) since = performance.now();
    count = ledger.begunSince(0);
    return performance.now() - since > 1_000 + waits;
  }, 60_000);
}

/** @param {Trial} trial */
const why = ({ crash }) => (crash ? { crash } : {});

/**
 * MiB that the producer has in use.
 *
 * @param {Trial} trial
 */
async function remember({ children: { producer } }) {
  producer.forget();
  producer.tell({ memory: true });
  const answer = await producer.wait(({ event }) => event === 'memory', 2_000);
  return answer ? Math.round(answer.rss / 2 ** 20) : null;
}
