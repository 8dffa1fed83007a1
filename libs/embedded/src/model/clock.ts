// Time for everything that expires. The functions are taken once, at load, so that an application's fake timers do
// not stop the broker it talks to; tests of expiry hand in a clock of their own.
import { performance } from 'node:perf_hooks';

export type Timer = NodeJS.Timeout;

export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Wall clock in seconds, for the `time` of x-death. */
  wallSeconds(): number;
  /** A timer that does not keep the process alive. */
  after(milliseconds: number, action: () => void): Timer;
  cancel(timer: Timer): void;
}

/** The longest delay a Node timer takes; longer waits are made of several. */
export const LONGEST_TIMER = 2 ** 31 - 1;

const startTimer = setTimeout;
const stopTimer = clearTimeout;
const monotonic = performance.now.bind(performance);
const wall = Date.now;

export const systemClock: Clock = {
  now: monotonic,
  wallSeconds: () => Math.floor(wall() / 1000),
  after: (milliseconds, action) =>
    startTimer(action, Math.min(Math.max(milliseconds, 1), LONGEST_TIMER)).unref(),
  cancel: (timer) => stopTimer(timer),
};
