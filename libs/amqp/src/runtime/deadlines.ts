// Many deadlines, one timer. Thousands of publishes and calls are pending at once, and a Node timer for each costs
// more than the rest of the publish; here they share ticks of 20 ms.

import type { Clock } from './clock.js';
import { MAX_DURATION } from '../options/duration.js';

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
    deadline.tick = tick;
    const list = this.ticks.get(tick);
    deadline.place = list ? list.push(deadline) - 1 : 0;
    if (!list) this.ticks.set(tick, [deadline]);
    if (tick < this.next) this.arm(tick);
  }

  clear(deadline: Deadline): void {
    const list = this.ticks.get(deadline.tick);
    if (list?.[deadline.place] !== deadline) return;
    const last = list.pop() as Deadline;
    if (last !== deadline) {
      list[deadline.place] = last;
      last.place = deadline.place;
    }
    // The timer stays set. It may fire with nothing to do, which costs less than a timer for every single message.
    if (list.length === 0) this.ticks.delete(deadline.tick);
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
      if (tick > now) {
        earliest = Math.min(earliest, tick);
        continue;
      }
      this.ticks.delete(tick);
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
