import { sizeAtMost } from '../message/content-encoding.js';
import type { Delivery } from '../message/delivery.js';
import type { Settings } from '../options/settings.js';
import { Fifo } from '../runtime/fifo.js';
import { type MaybePromise, chain } from '../runtime/maybe-promise.js';
import { keyOf, type KeyOf } from '../options/order-by.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import type { RateLimit } from './rate-limit.js';

/** The maximum total weight of running jobs. A single job may weigh more. */
export interface Budget<Job> {
  readonly limit: number;
  readonly weigh: (job: Job) => number;
}

/** The maximum total size of the bodies that the handlers of a consumer work on at the same time, in bytes. */
export function decodingBudget({ maxDecodedBytes, maxUnfoldedBytes }: Settings): Budget<Delivery> {
  const weigh = ({ message: { content, properties } }: Delivery): number =>
    properties.contentEncoding
      ? sizeAtMost(content, properties.contentEncoding, maxUnfoldedBytes)
      : content.length;
  return { limit: maxDecodedBytes, weigh };
}

/** What may be changed of an executor while it runs. */
export interface Limits {
  /** Asked before a job starts, if there is one. `next` says that it has tokens again. */
  rate: Pick<RateLimit, 'take'> | undefined;
  /** How many run now. */
  readonly count: number;
  readonly limit: number;
  /** Starts no more until as many calls of `release`. */
  hold(): void;
  release(): void;
  /** Starts one more, although it holds: the first that waits, or the next that comes. */
  allow(): void;
  /** Takes that back, if none has started. */
  disallow(): void;
  /** Runs so many at once from now on; resolves when no more than that run. */
  resize(limit: number): Promise<void>;
  /** Starts what may start. */
  next(): void;
}

/** Runs jobs, at most `limit` at once. */
export class ConcurrencyLimiter<Job> implements Limits {
  rate: Pick<RateLimit, 'take'> | undefined;
  private running = 0;
  private weight = 0;
  private readonly queue = new Fifo<Job>();
  private stopped = false;
  private held = 0;
  private allowed = 0;
  private waiters: { readonly most: number; readonly resolve: () => void }[] = [];

  constructor(
    public limit: number,
    /** Must neither throw nor reject. */
    private readonly run: (job: Job) => MaybePromise<void>,
    private readonly budget?: Budget<Job>,
    /** How many messages a job is. */
    private readonly sizeOf: (job: Job) => number = () => 1,
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
    if (this.queue.size > 0 || !this.start(job, false)) this.queue.push(job);
  }

  hold(): void {
    this.held++;
  }

  release(): void {
    this.held--;
    this.next();
  }

  allow(): void {
    this.allowed = 1;
    this.next();
  }

  disallow(): void {
    this.allowed = 0;
  }

  resize(limit: number): Promise<void> {
    this.limit = limit;
    this.next();
    return this.atMost(limit);
  }

  /** Removes and returns the jobs that have not started. */
  take(): Job[] {
    return this.queue.take();
  }

  /** Starts no more; returns the jobs that have not started. */
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
    return this.atMost(0);
  }

  next(): void {
    while (this.queue.size > 0 && this.start(this.queue.first as Job, true));
    if (this.waiters.length === 0) return;
    const due = this.waiters.filter(({ most }) => this.running <= most);
    this.waiters = this.waiters.filter(({ most }) => this.running > most);
    for (const { resolve } of due) resolve();
  }

  private atMost(most: number): Promise<void> {
    if (this.running <= most) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ most, resolve }));
  }

  /** Runs a job, the first that waits or a new one; false when the limit is reached. */
  private start(job: Job, waited: boolean): boolean {
    if (this.stopped || this.running >= this.limit) return false;
    // Allowed by who holds it, not beside others that do.
    if (this.held > this.allowed) return false;
    const weight = this.budget ? this.budget.weigh(job) : 0;
    if (this.budget && this.running > 0 && this.weight + weight > this.budget.limit) return false;
    if (this.rate && !this.rate.take(this.sizeOf(job))) return false;
    this.allowed = 0;
    if (waited) this.queue.shift();
    this.running++;
    this.weight += weight;
    const ended = this.run(job);
    if (ended instanceof Promise) {
      const end = (): void => {
        this.running--;
        this.weight -= weight;
        this.next();
      };
      void ended.then(end, end);
      return true;
    }
    this.running--;
    this.weight -= weight;
    if (this.waiters.length > 0) this.next();
    return true;
  }
}

type Run = (delivery: Delivery) => MaybePromise<void>;

/** What a consumer gives its deliveries to. */
export interface Executor {
  readonly limits: Limits;
  push(delivery: Delivery): void;
  /** Starts one more, although its limits hold: one message, also of a batch. */
  allow(): void;
  /** Takes that back, if none has started. */
  disallow(): void;
  /** Starts no more; returns the jobs that have not started. */
  stop(): Delivery[];
  /** Forgets what waits: its channel died and the broker delivers it again. */
  forget(isGone: (delivery: Delivery) => boolean): void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

/** What a handler's deliveries run in: with an order when it asks for one. `run` must not reject. */
export function executorOf(
  { concurrency, registration }: HandlerPlan,
  run: Run,
  budget: Budget<Delivery>,
): Executor {
  const { orderBy } = registration.options;
  return orderBy === undefined
    ? new PlainExecutor(concurrency, run, budget)
    : new KeyedExecutor(concurrency, keyOf(orderBy), run, budget);
}

/** Runs deliveries in the order in which they came. */
class PlainExecutor extends ConcurrencyLimiter<Delivery> implements Executor {
  readonly limits = this;
}

interface Turn {
  readonly key: string | undefined;
  readonly delivery: Delivery;
}

/**
 * `orderBy`: messages with the same key run one after the other, in the order they arrived, those with other
 * keys at the same time. A message counts towards the concurrency only when it is the first of its key, so one busy key
 * does not keep the others waiting. Bounded by the prefetch, like everything that waits here.
 */
export class KeyedExecutor implements Executor {
  private readonly ready: ConcurrencyLimiter<Turn>;
  /** By key, while a message of it runs or is about to: those that wait behind it. */
  private readonly queues = new Map<string, Fifo<Turn>>();
  /** Unblocked while another delivery was being started; drained in a loop. */
  private readonly called = new Fifo<Turn>();
  private calling = false;

  constructor(
    limit: number,
    private readonly keyOf: KeyOf,
    run: Run,
    budget?: Budget<Delivery>,
  ) {
    this.ready = new ConcurrencyLimiter(
      limit,
      ({ key, delivery }) => chain(run(delivery), () => this.passOn(key)),
      budget && { limit: budget.limit, weigh: ({ delivery }) => budget.weigh(delivery) },
    );
  }

  /** Number of keys in progress. */
  get size(): number {
    return this.queues.size;
  }

  push(delivery: Delivery): void {
    const turn = { key: this.read(delivery), delivery };
    if (turn.key === undefined) return this.ready.push(turn);
    const behind = this.queues.get(turn.key);
    if (behind) {
      behind.push(turn);
      return;
    }
    this.queues.set(turn.key, new Fifo());
    this.ready.push(turn);
  }

  get limits(): Limits {
    return this.ready;
  }

  allow(): void {
    this.ready.allow();
  }

  disallow(): void {
    this.ready.disallow();
  }

  stop(): Delivery[] {
    const waiting = [
      ...this.called.take(),
      ...this.ready.stop(),
      ...[...this.queues.values()].flatMap((queue) => queue.take()),
    ];
    // In their order of arrival: a quorum queue redelivers in the order in which messages are returned.
    waiting.sort((one, other) => one.delivery.message.deliveryTag - other.delivery.message.deliveryTag);
    return waiting.map(({ delivery }) => delivery);
  }

  forget(isGone: (delivery: Delivery) => boolean): void {
    const gone = ({ delivery }: Turn): boolean => isGone(delivery);
    for (const queue of this.queues.values()) queue.drop(gone);
    const left: Turn[] = [];
    this.ready.forget((turn) => gone(turn) && left.push(turn) > 0);
    for (const { key } of left) this.passOn(key);
  }

  idle(): Promise<void> {
    return this.ready.idle();
  }

  /** A message is done, or gone: starts the next one of its key. */
  private passOn(key: string | undefined): void {
    if (key === undefined) return;
    const next = this.queues.get(key)?.shift();
    if (!next) {
      this.queues.delete(key);
      return;
    }
    this.called.push(next);
    if (this.calling) return;
    this.calling = true;
    // A loop: many synchronous handlers with one key would overflow the stack.
    for (let turn = this.called.shift(); turn; turn = this.called.shift()) this.ready.push(turn);
    this.calling = false;
  }

  /** A message whose key cannot be read does not wait: the order step refuses it. */
  private read(delivery: Delivery): string | undefined {
    try {
      return this.keyOf(delivery);
    } catch (error) {
      delivery.run.orderKeyError = error;
      return undefined;
    }
  }
}
