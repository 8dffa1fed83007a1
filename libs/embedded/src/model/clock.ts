// The clock for everything that expires. Heartbeats and socket timeouts use the machine's clock, which tests do not move.
import type { MovableClock } from './movable-clock.js';

/** Of a timer that runs; hand it to `cancel`. */
export type Timer = () => void;

export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Wall clock in milliseconds since 1970. */
  wall(): number;
  /** Wall clock in seconds, for the `time` of x-death. */
  wallSeconds(): number;
  /** A timer that does not keep the process alive. */
  after(milliseconds: number, action: () => void): Timer;
  cancel(timer: Timer): void;
}

/** The clock of a broker: one that its owner may move. What a timer throws is told and ends nothing else. */
export function brokerClock(clock: MovableClock, failed: (error: unknown) => void): Clock {
  return {
    now: () => clock.monotonic(),
    wall: () => clock.wall(),
    wallSeconds: () => Math.floor(clock.wall() / 1000),
    after: (milliseconds, action) =>
      clock.after(milliseconds, () => {
        try {
          action();
        } catch (error) {
          failed(error);
        }
      }),
    cancel: (timer) => timer(),
  };
}
