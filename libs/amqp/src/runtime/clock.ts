// Time as a value that is passed in, so that tests move it instead of waiting for it. There are two clocks: the one
// that everybody shares may be set at any time, forward and back; the one that only counts is what durations are
// measured with.

/** Two clocks, and timers. */
export interface Clock {
  /** Milliseconds since 1970, for what goes on the wire or is shown to people. It may jump. */
  wall(): number;
  /** Milliseconds since some moment, for durations and deadlines. It never jumps and never goes back. */
  monotonic(): number;
  /** Calls back once after `ms`; returns what cancels it. Keeps the process alive only when told to. */
  after(ms: number, callback: () => void, keepAlive?: boolean): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, keepAlive = false) {
    const timer = setTimeout(callback, ms);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A moment of the monotonic clock in milliseconds since 1970, as the wall clock says now. */
export function onWall(clock: Clock, moment: number): number {
  return Math.round(clock.wall() + moment - clock.monotonic());
}

/** Runs `work` with a promise that resolves when `ms` are over. The timer keeps the process alive until `work` is done. */
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
 * A time that several waits share, one after the other; what lies between them does not count. Each has `least` of it,
 * or all if that is less, so that a slow first does not take everything from a quick second.
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

/** `work`, or after `ms` the error that `late` makes. */
export async function inTime<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let cancel = (): void => undefined;
  const expired = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => reject(late()), true);
  });
  return Promise.race([work, expired]).finally(() => cancel());
}
