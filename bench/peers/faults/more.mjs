// Faults that only our own suite needs: rarer ways in which a network, a broker or a process goes wrong.
import { setTimeout as pause } from 'node:timers/promises';

const each = (trials, work) => Promise.all(trials.map((trial) => work(trial)));

/** Under a stream of messages, like those of messaging.mjs. */
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
    hit: async ({ trials }) => {
      for (let cut = 0; cut < 10; cut++) {
        await each(trials, ({ proxy }) => proxy.cut());
        await pause(300);
      }
    },
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
    name: 'memory alarm for 5 s',
    hit: async ({ broker }) => {
      await broker.alarm(true);
      await pause(5_000);
      await broker.alarm(false);
    },
  },
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
