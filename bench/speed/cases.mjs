// What is measured: each case with its sizes, for the full run and for the quick one. `run` is a function of cells.mjs;
// what a case does not say comes from `sizes`.

/**
 * How long things take: counts, milliseconds of CPU time, and milliseconds that pass at most. A window ends with the
 * first of them. Consumers have a count, since their queue is filled before. A service runs for days, so the warm-up is
 * long enough for its code to be compiled.
 */
export const sizes = {
  full: {
    publish: { warmUp: { count: 20_000, ms: 2_000 }, window: { count: 500_000, cpu: 500, ms: 2_500 } },
    consume: { count: 60_000, warmUp: 20_000 },
    consumeLarge: { count: 15_000, warmUp: 4_000 },
    call: { warmUp: { count: 20_000, ms: 2_000 }, window: { count: 500_000, cpu: 400, ms: 2_000 } },
    through: 200_000,
  },
  quick: {
    publish: { warmUp: { count: 100, ms: 2_000 }, window: { count: 500, ms: 2_000 } },
    consume: { count: 500, warmUp: 100 },
    consumeLarge: { count: 200, warmUp: 50 },
    call: { warmUp: { count: 100, ms: 2_000 }, window: { count: 200, ms: 2_000 } },
    through: 2_000,
  },
};

const SMALL = 256;
const LARGE = 4096;

const publish = (title, atOnce, more = {}) => ({
  key: `publish-${more.size ?? SMALL}-${more.persistent ? 'persistent' : 'transient'}-${atOnce}`,
  group: 'publish',
  title,
  run: 'publish',
  atOnce,
  size: SMALL,
  persistent: false,
  ...more,
});

const consume = (title, prefetch, more = {}) => ({
  key: `consume-${more.size ?? SMALL}-${prefetch}`,
  group: 'consume',
  title,
  run: 'consume',
  prefetch,
  size: SMALL,
  ...more,
});

const call = (title, atOnce, more = {}) => ({
  key: `rpc-${more.here ? 'here-' : ''}${atOnce}`,
  group: 'rpc',
  title,
  run: 'call',
  atOnce,
  size: SMALL,
  ...more,
});

const growing = (counts, one) =>
  counts.map((count) => ({ ...one(count), group: 'growth', rounds: 1, count }));

/** All of them, in the order of the table. `only` names the contenders that can do it. */
export const cases = [
  publish('publish 256 B transient, 1 in flight', 1),
  publish('publish 256 B transient, 100 in flight', 100, { quick: true }),
  publish('publish 256 B transient, 1000 in flight', 1000),
  publish('publish 256 B persistent, 1000 in flight', 1000, { persistent: true }),
  publish('publish 4 KiB transient, 1000 in flight', 1000, { size: LARGE }),
  consume('consume 256 B, prefetch 10', 10),
  consume('consume 256 B, prefetch 100', 100, { quick: true }),
  consume('consume 256 B, prefetch 1000', 1000),
  consume('consume 4 KiB, prefetch 100', 100, { size: LARGE }),
  call('RPC, two processes, 1 at once', 1),
  call('RPC, two processes, 64 at once', 64, { quick: true }),
  call('RPC, two processes, 512 at once', 512),
  call('RPC, one process, 64 at once', 64, { here: true }),
  { key: 'start', group: 'start', title: 'start-up to ready', run: 'start', figure: 'ms' },
  {
    key: 'memory',
    group: 'memory',
    title: 'memory after 200 000 messages through one process',
    run: 'through',
    figure: 'mb',
    size: SMALL,
    rounds: 1,
  },
  ...growing([1, 10, 100, 500], (count) => ({
    key: `growth-handlers-${count}`,
    title: `handlers registered: ${count}`,
    run: 'handlers',
    size: SMALL,
    only: ['warren', 'golevelup'],
    quick: count === 10,
  })),
  ...growing([1, 10, 50], (count) => ({
    key: `growth-shared-${count}`,
    title: `handlers on one queue: ${count}`,
    run: 'shared',
    size: SMALL,
    only: ['warren', 'nest-transport'],
    quick: count === 10,
  })),
  ...growing([1, 100, 1_000, 10_000], (count) => ({
    key: `growth-pending-${count}`,
    title: `calls pending beside: ${count}`,
    run: 'pending',
    size: SMALL,
    only: ['warren', 'golevelup'],
    quick: count === 100,
  })),
];
