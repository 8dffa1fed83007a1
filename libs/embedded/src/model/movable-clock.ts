// Time that a test can move. It runs with the machine's clock; it can be stopped, moved from one due moment to the
// next, and started again; users of the clock do not notice.
import { performance } from 'node:perf_hooks';
import { DueList } from './due-list.js';

const startTimer = setTimeout;
const stopTimer = clearTimeout;
const monotonic = performance.now.bind(performance);
const wall = Date.now;

/** The longest delay a Node timer takes. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** A timer may fire a little early; by more than this it was one of several, in milliseconds. */
const EARLY = 2;

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
  readonly keepAlive: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * A clock that can be moved forward. Hand the same one to `EmbeddedBroker.start({ clock })` and to other parts of the
 * process, and `broker.clock` moves them together.
 */
export class MovableClock {
  private readonly waiting = new Set<Waiting>();
  /** What is due next, kept while the clock stands. */
  private due: DueList<Waiting> | undefined;
  /** How far it is before the machine's clock, in milliseconds; behind it when it was stopped for a while. */
  private ahead = 0;
  /** Where it stands. Whole milliseconds, so that sums of durations come out even. */
  private standing: { at: number; readonly since: number; readonly wall: number } | undefined;
  private orders = 0;

  /** Whether it stands still. */
  get stopped(): boolean {
    return this.standing !== undefined;
  }

  /** Milliseconds since some moment; never goes back. */
  monotonic(): number {
    return this.standing ? this.standing.at : monotonic() + this.ahead;
  }

  /** Milliseconds since 1970: the machine's time of day, and by how much this clock was moved. */
  wall(): number {
    const { standing } = this;
    return standing ? standing.wall + standing.at - standing.since : wall() + Math.round(this.ahead);
  }

  /** Calls back once after `ms`; returns what cancels it. Keeps the process alive only when told to. */
  after(ms: number, callback: () => void, keepAlive = false): () => void {
    const at = this.monotonic() + Math.max(0, ms);
    const one: Waiting = { at, order: (this.orders += 1), action: callback, keepAlive, timer: undefined };
    this.waiting.add(one);
    if (this.due) this.due.push(one);
    else this.arm(one);
    return () => {
      stopTimer(one.timer);
      this.waiting.delete(one);
    };
  }

  /** Stops it: nothing becomes due until it is moved or started. */
  stop(): void {
    if (this.standing) return;
    const at = Math.ceil(this.monotonic());
    this.standing = { at, since: at, wall: this.wall() };
    for (const one of this.waiting) stopTimer(one.timer);
    this.due = new DueList(this.waiting);
  }

  /** It goes on from where it stands. */
  start(): void {
    if (!this.standing) return;
    this.ahead = this.standing.at - monotonic();
    this.standing = undefined;
    this.due = undefined;
    for (const one of this.waiting) this.arm(one);
  }

  /** When the next thing is due; undefined when nothing waits. */
  next(): number | undefined {
    let next = Infinity;
    if (this.due) next = this.first()?.at ?? Infinity;
    else for (const { at } of this.waiting) next = Math.min(next, at);
    return next === Infinity ? undefined : next;
  }

  /**
   * While it stands: moves to the next moment at which something is due, not beyond `until`, and does what is due
   * then. What that brings about for the same moment is left for the next step. Without anything due it moves to
   * `until` and returns false.
   */
  step(until: number): boolean {
    const { standing, due } = this;
    if (!standing || !due) throw new Error('the clock must be stopped before it is moved');
    const last = this.orders;
    const first = this.first();
    if (!first || first.at > until) {
      standing.at = Math.max(standing.at, until);
      return false;
    }
    standing.at = Math.max(standing.at, first.at);
    for (let one: Waiting | undefined = first; one && one.at <= standing.at; one = this.first()) {
      if (one.order > last) break;
      due.shift();
      this.run(one);
    }
    return true;
  }

  /** Without those that were cancelled meanwhile. */
  private first(): Waiting | undefined {
    for (let one = this.due?.peek(); one; one = this.due?.peek()) {
      if (this.waiting.has(one)) return one;
      this.due?.shift();
    }
    return undefined;
  }

  private arm(one: Waiting): void {
    const left = one.at - this.monotonic();
    one.timer = startTimer(() => this.fire(one), Math.min(Math.max(left, 1), LONGEST_TIMER));
    if (!one.keepAlive) one.timer.unref();
  }

  private fire(one: Waiting): void {
    if (one.at - this.monotonic() > EARLY) this.arm(one);
    else if (this.waiting.delete(one)) one.action();
  }

  /** Whoever waits for the same moment gets it, whatever this one throws; that goes where errors of timers go. */
  private run(one: Waiting): void {
    this.waiting.delete(one);
    try {
      one.action();
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}
