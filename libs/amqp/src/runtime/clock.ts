// Time as a dependency, so that tests move it instead of waiting. There are two clocks: the wall clock may be set at
// any time, forward and back; the monotonic clock measures durations.

/** Two clocks, and timers. */
export interface Clock {
  /** Milliseconds since 1970, for timestamps in messages and for display. It may jump. */
  wall(): number;
  /** Milliseconds since an arbitrary moment, for durations and deadlines. It never jumps or goes back. */
  monotonic(): number;
  /** Calls back once after `ms`; returns a function that cancels it. Keeps the process alive only when asked to. */
  after(ms: number, callback: () => void, keepAlive?: boolean): () => void;
}

/** The system clock. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, keepAlive = false) {
    const timer = setTimeout(callback, ms);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A time of the monotonic clock in milliseconds since 1970, converted with the current wall clock. */
export function onWall(clock: Clock, moment: number): number {
  return Math.round(clock.wall() + moment - clock.monotonic());
}

/** Runs `work` with a promise that resolves after `ms`. The timer keeps the process alive until `work` is done. */
export async function withTimeout(
  clock: Clock,
  ms: number,
  work: (expired: Promise<void>) => Promise<void>,
): Promise<void> {
  let cancel = (): void => undefined;
  const expired = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve, true);
  });
  await work(expired).finally(() => cancel());
}

/**
 * A time limit that several waits share, one after the other; the time between them does not count. Each gets at
 * least `least` of it, or all if that is less, so that a slow first wait does not use up the time of the next.
 */
export class SharedTime {
  private left: number;

  constructor(
    private readonly clock: Clock,
    private readonly ms: number,
    private readonly least: number,
  ) {
    this.left = ms;
  }

  /** See `patience`. */
  async spend(work: (expired: Promise<void>) => Promise<void>): Promise<void> {
    const began = this.clock.monotonic();
    const share = Math.max(this.left, Math.min(this.least, this.ms));
    await withTimeout(this.clock, share, work).finally(() => {
      this.left -= this.clock.monotonic() - began;
    });
  }
}

/** The result of `work`, or after `ms` the error that `late` creates. */
export async function inTime<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let cancel = (): void => undefined;
  const expired = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => reject(late()), true);
  });
  return Promise.race([work, expired]).finally(() => cancel());
}
