// Time as a dependency, so that tests move it instead of waiting. There are two clocks: the wall clock may be set at
// any time, forward and back; the monotonic clock measures durations.

import { MAX_DURATION } from '../options/duration.js';

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

  /** As `withTimeout`, with the time that is left. */
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

// Many deadlines, one timer. Thousands of publishes and calls are pending at once, and a Node timer for each costs
// more than the rest of the publish; here they share ticks of 20 ms.

/** In ms. */
const TICK = 20;

/** A pending deadline; pass it to `clear`. */
export interface Deadline {
  /** Its tick and its index there; set when it is added. */
  tick: number;
  place: number;
  onExpired(): void;
}

/** Calls each deadline back at its time, at most one tick late. */
export class Deadlines {
  private readonly ticks = new Map<number, Deadline[]>();
  /** The tick that was added to last. Its list stays when it is empty: calls one at a time would make one each. */
  private latest = NaN;
  private list: Deadline[] = [];
  /** The timer, and when it fires. */
  private cancelTimer: (() => void) | undefined;
  private next = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly step = TICK,
  ) {}

  /** Number of pending deadlines. */
  get size(): number {
    let size = 0;
    for (const list of this.ticks.values()) size += list.length;
    return size;
  }

  set(ms: number, onExpired: () => void): Deadline {
    const deadline = { tick: 0, place: 0, onExpired };
    this.addAt(this.clock.monotonic() + ms, deadline);
    return deadline;
  }

  /** The same for a time of the monotonic clock, for an object that is itself the deadline. */
  addAt(time: number, deadline: Deadline): void {
    const tick = Math.ceil(time / this.step);
    if (tick !== this.latest) {
      if (this.list.length === 0) this.ticks.delete(this.latest);
      this.latest = tick;
      this.list = this.ticks.get(tick) ?? [];
      this.ticks.set(tick, this.list);
    }
    deadline.tick = tick;
    deadline.place = this.list.push(deadline) - 1;
    if (tick < this.next) this.arm(tick);
  }

  clear(deadline: Deadline): void {
    const list = deadline.tick === this.latest ? this.list : this.ticks.get(deadline.tick);
    if (list?.[deadline.place] !== deadline) return;
    const last = list.pop() as Deadline;
    if (last !== deadline) {
      list[deadline.place] = last;
      last.place = deadline.place;
    }
    // The timer stays set. It may fire with nothing to do, which costs less than a timer for every single message.
    if (list.length === 0 && list !== this.list) this.ticks.delete(deadline.tick);
  }

  private arm(tick: number): void {
    this.cancelTimer?.();
    this.next = tick;
    // A Node timer with a longer delay would fire at once.
    const wait = Math.min(Math.max(0, tick * this.step - this.clock.monotonic()), MAX_DURATION);
    this.cancelTimer = this.clock.after(wait, () => this.expire());
  }

  private expire(): void {
    this.cancelTimer = undefined;
    this.next = Infinity;
    const now = Math.floor(this.clock.monotonic() / this.step);
    let earliest = Infinity;
    let failed: { readonly error: unknown } | undefined;
    for (const [tick, list] of this.ticks) {
      if (tick > now && list.length > 0) {
        earliest = Math.min(earliest, tick);
        continue;
      }
      this.ticks.delete(tick);
      if (tick === this.latest) this.latest = NaN;
      for (const deadline of list) {
        try {
          deadline.onExpired();
        } catch (error) {
          failed ??= { error };
        }
      }
    }
    if (earliest < this.next) this.arm(earliest);
    // All other callbacks run; this error becomes an uncaught exception.
    if (failed) throw failed.error;
  }
}
