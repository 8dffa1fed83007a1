// Faults at random: what, when and for how long comes from a seed, so that a schedule that shows something can be
// played again. The stream goes on through all of them; the ledger must balance at the end.
import { setTimeout as pause } from 'node:timers/promises';
import { underStream } from './messaging.mjs';

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const kinds = {
  cut: (_, { proxy }) => proxy.cut(),
  'cut inside a frame': (_, { proxy }) => proxy.cutInside(),
  'close by the broker': (broker, trial) => broker.closeConnections(trial).catch(() => {}),
  'slow line': async (_, { proxy }, ms) => {
    proxy.delay = 100;
    await pause(ms);
    proxy.delay = 0;
  },
  'nobody there': async (_, { proxy }, ms) => {
    proxy.refusing = true;
    proxy.cut();
    await pause(ms);
    proxy.refusing = false;
  },
  'consumer killed': (_, trial) => {
    trial.expectEnd('consumer', { startAgain: true });
    trial.children.consumer.signal('SIGKILL');
  },
  'broker killed': (broker) => broker.restart({ crash: true }).then(() => broker.settled()),
  'broker frozen': async (broker, _, ms) => {
    broker.pause();
    await pause(ms);
    broker.resume();
  },
};

/** What happens when: `[{ at, kind, ms }]`, for so many milliseconds. A broker takes long to restart, so few do. */
export function scheduleOf(seed, length) {
  const random = randomOf(seed);
  const names = Object.keys(kinds);
  const steps = [];
  for (let at = 1_000 + random() * 1_000; at < length; at += 500 + random() * 3_000) {
    const kind = names[Math.floor(random() * names.length)];
    const ms = Math.round(200 + random() * 2_000);
    if (kind === 'broker killed' && (length < 60_000 || random() > 0.3)) continue;
    steps.push({ at: Math.round(at), kind, ms });
  }
  return steps;
}

/** Plays a schedule for one system; resolves with its figures. */
export async function playSchedule({ broker, trial, seed, length, say = () => {} }) {
  const steps = scheduleOf(seed, length);
  const fault = {
    name: `seed ${seed}`,
    async hit() {
      const began = performance.now();
      for (const { at, kind, ms } of steps) {
        await pause(Math.max(0, at - (performance.now() - began)));
        say(`  ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${kind}`);
        await kinds[kind](broker, trial, ms);
      }
      await pause(Math.max(0, length - (performance.now() - began)));
    },
  };
  const figures = await underStream(fault, { broker, trials: [trial] });
  return { steps: steps.length, ...figures[trial.system.key] };
}
