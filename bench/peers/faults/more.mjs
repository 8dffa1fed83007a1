// Faults that only our own suite needs: rarer ways in which a network, a broker or a process goes wrong, and messages
// whose handlers fail meanwhile. Of these some work the second time and some never: failing.mjs says which.
import { setTimeout as pause } from 'node:timers/promises';
import { each } from './messaging.mjs';

/**
 * @typedef {import('./calls.mjs').World} World
 * @typedef {import('./messaging.mjs').StreamFault} StreamFault
 */

/**
 * Under a stream of messages, like those of messaging.mjs.
 *
 * @type {StreamFault[]}
 */
export const moreMessaging = [
  {
    name: 'connections cut inside a frame',
    hit: ({ trials }) => each(trials, ({ proxy }) => proxy.cutInside()),
  },
  {
    name: 'a line with 300 ms of delay',
    hit: async ({ trials }) => {
      await each(trials, ({ proxy }) => (proxy.delay = 300));
      await pause(3_000);
      await each(trials, ({ proxy }) => (proxy.delay = 0));
    },
  },
  {
    name: 'ten cuts, one every 300 ms',
    hit: tenCuts,
  },
  {
    name: 'broker frozen for 6 s',
    hit: async ({ broker }) => {
      broker.pause();
      await pause(6_000);
      broker.resume();
    },
  },
  {
    name: 'memory alarm for 5 s, with messages in the queue',
    // Half of what comes in is handled, so that there is something to do while nothing comes in.
    settings: { work: 200 },
    said: /is blocked by the broker/,
    hit: async ({ broker, trials }) => {
      await pause(4_000);
      await broker.alarm(true);
      const before = trials.map(({ ledger }) => ledger.handledCount);
      await pause(5_000);
      trials.forEach((trial, at) => (trial.more = { meanwhile: trial.ledger.handledCount - before[at] }));
      await broker.alarm(false);
    },
    holds: ({ meanwhile = 0 }) =>
      meanwhile < 50 ? [`handled only ${meanwhile} messages while publishing was blocked`] : [],
  },
  {
    name: "the consumer's channel closed by the broker",
    said: /unknown delivery tag/,
    hit: ({ broker, trials }) => each(trials, (trial) => closeChannels(broker, trial, 'consumer')),
    holds: noneRejected,
  },
  {
    name: "the producer's channels closed by the broker",
    hit: ({ broker, trials }) => each(trials, (trial) => closeChannels(broker, trial, 'producer')),
  },
  {
    name: 'the queue held by another connection for 3 s',
    said: /exclusive to another connection/,
    hit: ({ trials }) => each(trials, (trial) => trial.inPause(() => trial.holdQueue(3_000))),
  },
  {
    name: 'the password changed for 4 s, and connections reset',
    said: /rejected the user name or password/,
    hit: async ({ broker, trials }) => {
      await broker.password({ right: false });
      await each(trials, ({ proxy }) => proxy.cut());
      await pause(4_000);
      await broker.password({ right: true });
    },
  },
  {
    name: 'ten cuts, one every 300 ms, publishing with retryUnknown',
    settings: { retryUnknown: true },
    hit: tenCuts,
    holds: noneRejected,
  },
  {
    name: 'ten cuts while handlers fail',
    settings: { failing: true, retry: { attempts: 3, delays: 500 } },
    waits: 500,
    hit: tenCuts,
  },
  ...['classic', 'quorum'].map((queueType) => ({
    name: `broker killed while messages of a ${queueType} queue wait for their next attempt`,
    settings: { queueType, failing: true, retry: { attempts: 3, delays: 3_000 } },
    waits: 4_000,
    // RabbitMQ forgets what is in a quorum queue that was declared in the second before it is killed: the waiting
    // queue must be older than that.
    hit: async (/** @type {World} */ { broker }) => {
      await pause(2_000);
      await broker.restart({ crash: true });
    },
  })),
  {
    name: 'producer killed',
    hit: ({ trials }) =>
      each(trials, (trial) => {
        trial.expectEnd('producer', { startAgain: true });
        trial.children.producer.signal('SIGKILL');
      }),
  },
  {
    name: 'queue and its dead-letter queue deleted',
    hit: ({ broker, trials }) =>
      each(trials, (trial) =>
        trial.inPause(async () => {
          await broker.deleteQueue(trial);
          await broker.deleteQueue(trial, 'numbered.dead');
        }),
      ),
  },
];

/**
 * @param {import('../harness/broker.mjs').Broker} broker
 * @param {import('./trial.mjs').Trial} trial
 * @param {'consumer' | 'producer'} which
 */
async function closeChannels(broker, trial, which) {
  if (!(await broker.closeChannels(trial, which))) throw new Error(`no channel of a ${which} to close`);
}

/** @param {World} world */
async function tenCuts({ trials }) {
  for (let cut = 0; cut < 10; cut++) {
    await each(trials, ({ proxy }) => proxy.cut());
    await pause(300);
  }
}

/** @param {import('./promises.mjs').Figures} figures */
function noneRejected({ rejected = 0 }) {
  return rejected > 0 ? [`${rejected} publishes rejected`] : [];
}
