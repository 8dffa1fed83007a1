// Keeps the number of handlers running at once below a limit, and what their bodies come to below another; what came
// beyond it waits here, in order. The broker's prefetch bounds the waiting, so no limit of its own is needed.

import { sizeAtMost } from '../message/content-encoding.js';
import type { Delivery } from '../message/delivery.js';
import type { Settings } from '../options/settings.js';
import { Fifo } from '../runtime/fifo.js';
import type { Soon } from '../runtime/maybe-promise.js';

/** What jobs may weigh together. One alone may weigh more. */
export interface Budget<Job> {
  readonly limit: number;
  readonly weigh: (job: Job) => number;
}

/** What the bodies that the handlers of a consumer have at the same time may come to in bytes. */
export function decodingBudget({ maxDecodedBytes, maxUnfoldedBytes }: Settings): Budget<Delivery> {
  const weigh = ({ message: { content, properties } }: Delivery): number =>
    sizeAtMost(content, properties.contentEncoding, maxUnfoldedBytes);
  return { limit: maxDecodedBytes, weigh };
}

/** Runs jobs, at most `limit` at once. */
export class InFlight<Job> {
  private running = 0;
  private weight = 0;
  private readonly queue = new Fifo<Job>();
  private stopped = false;
  private held = false;
  private idleWaiters: (() => void)[] = [];

  constructor(
    private readonly limit: number,
    /** Must neither throw nor reject. */
    private readonly run: (job: Job) => Soon<void>,
    private readonly budget?: Budget<Job>,
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
      const weight = this.weighNext();
      if (weight === undefined) break;
      const job = this.queue.shift() as Job;
      this.running++;
      this.weight += weight;
      const ended = this.run(job);
      if (ended instanceof Promise) {
        const end = (): void => this.ended(weight);
        void ended.then(end, end);
      } else {
        this.running--;
        this.weight -= weight;
      }
    }
    if (this.running === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  /** What the first that waits weighs; undefined when that is too much now. */
  private weighNext(): number | undefined {
    const { budget, queue } = this;
    if (!budget) return 0;
    const weight = budget.weigh(queue.first as Job);
    return this.running === 0 || this.weight + weight <= budget.limit ? weight : undefined;
  }

  private ended(weight: number): void {
    this.running--;
    this.weight -= weight;
    this.next();
  }
}
