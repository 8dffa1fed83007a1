// Keeps the number of handlers running at once below a limit; what came beyond it waits here, in order.
// The broker's prefetch bounds the waiting, so no limit of its own is needed.

import { Fifo } from '../runtime/fifo.js';
import type { Soon } from '../runtime/maybe-promise.js';

/** Runs jobs, at most `limit` at once. */
export class InFlight<Job> {
  private running = 0;
  private readonly queue = new Fifo<Job>();
  private stopped = false;
  private held = false;
  private idleWaiters: (() => void)[] = [];

  constructor(
    private readonly limit: number,
    /** Must neither throw nor reject. */
    private readonly run: (job: Job) => Soon<void>,
  ) {}

  /** How many run now. */
  get count(): number {
    return this.running;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.queue.size;
  }

  push(job: Job): void {
    this.queue.push(job);
    this.next();
  }

  /** Starts no more until `release`. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    this.next();
  }

  /** Starts no more; hands out what had not started. */
  stop(): Job[] {
    this.stopped = true;
    return this.queue.take();
  }

  /** Forgets what waits: its channel died and the broker delivers it again. */
  forget(isGone: (job: Job) => boolean): void {
    this.queue.drop(isGone);
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    if (this.running === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  private next(): void {
    while (!this.stopped && !this.held && this.running < this.limit && this.queue.size > 0) {
      const job = this.queue.shift() as Job;
      this.running++;
      const ended = this.run(job);
      if (ended instanceof Promise) void ended.then(this.ended, this.ended);
      else this.running--;
    }
    if (this.running === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  private readonly ended = (): void => {
    this.running--;
    this.next();
  };
}
