// What is measured: each case with its sizes, for the full run and for the quick one. `run` is one of measure.mjs; what a case
// does not say comes from `sizes`.

/**
 * How long things take: counts, milliseconds of CPU time, and milliseconds that pass at most. A window ends with the
 * first of them, but not before `least`. Consumers have a count, since their queue is filled before; large messages have bytes, since a broker
 * that is short of memory blocks its publishers. A service runs for days, so the warm-up is
 * long enough for its code to be compiled.
 */
export const sizes = {
  full: {
    publish: { warmUp: { count: 20_000, ms: 1_200 }, window: { count: 500_000, cpu: 400, ms: 2_000 } },
    consume: { count: 45_000, warmUp: 15_000 },
    consumeLarge: { count: 15_000, warmUp: 4_000 },
    call: {
      warmUp: { count: 20_000, ms: 1_200 },
      window: { count: 500_000, cpu: 400, ms: 1_600, least: 300 },
    },
    through: 200_000,
    large: { warmUp: 16 << 20, window: 128 << 20 },
    short: 5_000,
    quorum: { count: 30_000, warmUp: 10_000 },
    enhanced: { count: 25_000, warmUp: 10_000 },
    spread: { count: 40_000, warmUp: 15_000 },
    batches: { count: 40_000, warmUp: 15_000 },
    ordered: { count: 40_000, warmUp: 15_000 },
    burst: { count: 40_000, warmUp: 20_000 },
    failing: { count: 12_000, warmUp: 4_000 },
    half: {
      warmUp: { count: 10_000, ms: 1_000 },
      probe: { count: 500_000, ms: 700 },
      ms: 3_000,
    },
    held: { warmUp: 2_000, count: 5_000 },
    items: { warmUp: { count: 10_000, ms: 1_500 }, window: { count: 500_000, ms: 1_500 } },
    brokers: 50_000,
  },
  quick: {
    publish: { warmUp: { count: 100, ms: 2_000 }, window: { count: 500, ms: 2_000 } },
    consume: { count: 500, warmUp: 100 },
    consumeLarge: { count: 200, warmUp: 50 },
    call: { warmUp: { count: 100, ms: 2_000 }, window: { count: 200, ms: 2_000 } },
    through: 2_000,
    large: { warmUp: 2 << 20, window: 4 << 20 },
    short: 500,
    quorum: { count: 300, warmUp: 50 },
    enhanced: { count: 300, warmUp: 50 },
    spread: { count: 300, warmUp: 50 },
    batches: { count: 500, warmUp: 100 },
    ordered: { count: 500, warmUp: 100 },
    burst: { count: 500, warmUp: 100 },
    failing: { count: 200, warmUp: 50 },
    half: { warmUp: { count: 100, ms: 1_000 }, probe: { count: 200, ms: 500 }, ms: 100 },
    held: { warmUp: 100, count: 200 },
    items: { warmUp: { count: 1_000, ms: 1_000 }, window: { count: 1_000, ms: 1_000 } },
    brokers: 1_000,
  },
};

/**
 * A case: `run` is one of measure.mjs; `only` names the contenders that can do it; `quick` ones are part of the quick run, some
 * with a few contenders only; `figure` is what contenders are compared by, if not CPU.
 *
 * @typedef {object} Case
 * @property {string} key
 * @property {string} group
 * @property {string} title
 * @property {keyof typeof import('./measure.mjs').cells | 'brokers'} run
 * @property {number} size
 * @property {number} atOnce
 * @property {number} prefetch
 * @property {boolean} persistent
 * @property {number} count handlers or calls, where cost may grow with them
 * @property {boolean} [here] both sides in one process
 * @property {string} [queueType] default classic
 * @property {readonly import('./enhancers.mjs').Kind[]} [enhanced] what is in front of the handler
 * @property {'retry' | 'dead'} [fails] the handler fails: the first attempt, or for good
 * @property {boolean} [calls] calls, where the case could be publishes as well
 * @property {boolean} [tls]
 * @property {boolean} [delays] of the event loop are measured
 * @property {string} [between] name of a case of bench/embedded: two brokers are compared, not contenders
 * @property {boolean} [lists] `atOnce` messages are one list, for those who can publish lists
 * @property {boolean | readonly string[]} [quick]
 * @property {number} [rounds]
 * @property {'cpu' | 'ms' | 'mb' | 'p99' | 'delay' | 'bytes'} [figure]
 * @property {readonly string[]} [only]
 */

/** @typedef {Partial<Case>} More */

const SMALL = 256;
/** Of a case that does not say. */
const NONE = { size: 0, atOnce: 0, prefetch: 0, persistent: false, count: 0 };
const LARGE = 4096;
const KIB = 1024;

/** @param {string} title @param {number} atOnce @param {More} [more] @returns {Case} */
const publish = (title, atOnce, more = {}) => ({
  ...NONE,
  key: `publish-${more.size ?? SMALL}-${more.persistent ? 'persistent' : 'transient'}-${atOnce}`,
  group: 'publish',
  title,
  run: 'publish',
  atOnce,
  size: SMALL,
  persistent: false,
  ...more,
});

/** @param {string} title @param {number} prefetch @param {More} [more] @returns {Case} */
const consume = (title, prefetch, more = {}) => ({
  ...NONE,
  key: `consume-${more.size ?? SMALL}-${prefetch}`,
  group: 'consume',
  title,
  run: 'consume',
  prefetch,
  size: SMALL,
  ...more,
});

/** @param {string} title @param {number} atOnce @param {More} [more] @returns {Case} */
const call = (title, atOnce, more = {}) => ({
  ...NONE,
  key: `rpc-${more.here ? 'here-' : ''}${atOnce}`,
  group: 'rpc',
  title,
  run: 'call',
  atOnce,
  size: SMALL,
  ...more,
});

/** Those with Nest's pipeline. */
const NEST = ['warren', 'golevelup', 'nest-transport'];
/** Those that can nack. */
const NACKING = [
  'warren',
  'warren-amqp',
  'amqplib-tuned',
  'amqplib-naive',
  'golevelup',
  'nest-transport',
  'rabbitmq-client',
];
const HAND_WRITTEN = ['warren', 'warren-amqp', 'amqplib-tuned'];

/** @param {string} name @param {string} title @param {NonNullable<Case['enhanced']>} enhanced @param {More} [more] */
const enhanced = (name, title, enhanced, more) =>
  consume(`consume 256 B, prefetch 100, ${title}`, 100, {
    key: `consume-${name}-100`,
    enhanced,
    only: NEST,
    rounds: 1,
    ...more,
  });

/** @param {string} key @param {string} title @param {Case['run']} run @param {More} more @returns {Case} */
const other = (key, title, run, more) => ({
  ...NONE,
  key,
  title,
  run,
  group: 'consume',
  size: SMALL,
  rounds: 1,
  ...more,
});

/** @param {string} key @param {string} between @returns {Case} */
const brokers = (key, between) => other(`brokers-${key}`, between, 'brokers', { group: 'brokers', between });

/**
 * @param {readonly number[]} counts
 * @param {(count: number) => Pick<Case, 'key' | 'title' | 'run' | 'size'> & More} one
 * @returns {Case[]}
 */
const growing = (counts, one) =>
  counts.map((count) => ({ ...NONE, ...one(count), group: 'growth', rounds: 1, count }));

/**
 * All of them, in the order of the table.
 *
 * @type {Case[]}
 */
export const cases = [
  publish('publish 256 B transient, 1 in flight', 1),
  publish('publish 256 B transient, 100 in flight', 100, { quick: true }),
  publish('publish 256 B transient, 1000 in flight', 1000),
  publish('publish 256 B persistent, 1000 in flight', 1000, { persistent: true }),
  publish('publish 4 KiB transient, 1000 in flight', 1000, { size: LARGE }),
  publish('publish 64 KiB transient, 16 in flight', 16, { size: 64 * KIB }),
  publish('publish 1 MiB transient, 4 in flight', 4, { size: KIB * KIB }),
  publish('publish 256 B persistent to a quorum queue, 1000 in flight', 1000, {
    key: 'publish-quorum-1000',
    persistent: true,
    queueType: 'quorum',
  }),
  publish('publish 256 B transient, lists of 1000', 1000, {
    key: 'publish-lists-1000',
    lists: true,
    only: ['warren', 'warren-amqp', 'amqplib-tuned', 'bare'],
  }),
  consume('consume 256 B, prefetch 10', 10),
  consume('consume 256 B, prefetch 100', 100, { quick: true }),
  consume('consume 256 B, prefetch 1000', 1000),
  consume('consume 4 KiB, prefetch 100', 100, { size: LARGE }),
  consume('consume 256 B from a quorum queue, prefetch 100', 100, {
    key: 'consume-quorum-100',
    queueType: 'quorum',
    rounds: 2,
    quick: ['nest-transport', 'bare'],
  }),
  other('consume-ten-handlers', 'consume 256 B, ten handlers on one connection', 'spread', {
    prefetch: 100,
    rounds: 2,
    quick: ['rabbitmq-client'],
    only: [...NACKING.filter((key) => key !== 'nest-transport'), 'bare'],
  }),
  other('consume-batches', 'consume 256 B in batches of 100', 'batches', {
    prefetch: 400,
    rounds: 2,
    quick: ['warren'],
    only: [...HAND_WRITTEN, 'golevelup'],
  }),
  other('consume-ordered', 'consume 256 B in the order of 100 keys', 'ordered', {
    prefetch: 400,
    rounds: 2,
    quick: ['warren-amqp'],
    only: HAND_WRITTEN,
  }),
  enhanced('guard', 'guard', ['guard']),
  enhanced('interceptor', 'interceptor', ['interceptor']),
  enhanced('transformer', 'class-transformer', ['transform']),
  enhanced('validated', 'ValidationPipe', ['validate']),
  enhanced('enhanced', 'guard, interceptor and ValidationPipe', ['guard', 'interceptor', 'validate'], {
    quick: ['golevelup'],
  }),
  other('failing-retry', 'consume 256 B, each fails once and is retried after 10 ms', 'failing', {
    prefetch: 100,
    fails: 'retry',
    only: NACKING,
    quick: ['warren'],
  }),
  other('failing-dead', 'consume 256 B, each fails and is dead-lettered', 'failing', {
    prefetch: 100,
    fails: 'dead',
    only: NACKING,
    quick: ['amqplib-tuned'],
  }),
  consume('consume 5 000 messages of 256 B in a new process, its start included', 100, {
    key: 'consume-short',
    run: 'short',
    quick: ['warren'],
  }),
  call('RPC, two processes, 1 at once', 1),
  call('RPC, two processes, 64 at once', 64, { quick: true }),
  call('RPC, two processes, 512 at once', 512),
  call('RPC, one process, 64 at once', 64, { here: true }),
  other('rpc-items', 'streams of 1000 replies, each item', 'items', {
    group: 'rpc',
    only: ['warren', 'warren-amqp'],
    quick: ['warren-amqp'],
    rounds: 2,
  }),
  publish('publish 256 B transient over TLS, 1000 in flight', 1000, {
    key: 'publish-tls-1000',
    tls: true,
    rounds: 1,
  }),
  consume('consume 256 B over TLS, prefetch 100', 100, {
    key: 'consume-tls-100',
    tls: true,
    rounds: 1,
    quick: ['bare'],
  }),
  other('half-publish', 'confirm of a publish', 'half', {
    group: 'half',
    figure: 'p99',
    atOnce: 100,
  }),
  other('half-call', 'reply of a call', 'half', {
    group: 'half',
    figure: 'p99',
    atOnce: 64,
    calls: true,
    quick: ['warren-amqp'],
  }),
  consume('20 000 waiting messages, prefetch 1000', 1000, {
    key: 'burst-consume',
    group: 'delay',
    figure: 'delay',
    delays: true,
    rounds: 1,
    quick: ['amqplib-tuned'],
  }),
  {
    ...NONE,
    key: 'start',
    group: 'start',
    title: 'start to the first confirmed publish, consumers ready',
    run: 'start',
    figure: 'ms',
    size: SMALL,
    quick: true,
  },
  {
    ...NONE,
    key: 'memory',
    group: 'memory',
    title: 'memory after 200 000 messages through one process',
    run: 'through',
    figure: 'mb',
    size: SMALL,
    rounds: 1,
    quick: ['warren'],
  },
  other('held-publish', 'a publish that waits for its confirm', 'held', {
    group: 'held',
    figure: 'bytes',
    quick: ['warren'],
  }),
  other('held-call', 'a call that waits for its reply', 'held', {
    group: 'held',
    figure: 'bytes',
    calls: true,
  }),
  { ...brokers('both', 'published and consumed'), quick: ['embedded'] },
  brokers('warren', 'published and consumed by @warren/amqp'),
  brokers('published', 'published'),
  brokers('consumed', 'consumed'),
  brokers('calls', 'calls and replies'),
  brokers('retried', 'rejected, 10 ms later consumed'),
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
