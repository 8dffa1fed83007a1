import { sizeAtMost } from '../message/content-encoding.js';
import type { Delivery } from '../message/delivery.js';
import type { Settings } from '../options/settings.js';
import { Fifo } from '../runtime/fifo.js';
import { type MaybePromise, chain } from '../runtime/maybe-promise.js';
import { keyOf, type KeyOf } from '../options/order-by.js';
import type { HandlerPlan } from '../topology/handler-plan.js';

/** The maximum total weight of running jobs. A single job may weigh more. */
export interface Budget<Job> {
  readonly limit: number;
  readonly weigh: (job: Job) => number;
}

/** What the bodies that the handlers of a consumer have at the same time may come to in bytes. */
export function decodingBudget({ maxDecodedBytes, maxUnfoldedBytes }: Settings): Budget<Delivery> {
  const weigh = ({ message: { content, properties } }: Delivery): number =>
    properties.contentEncoding
      ? sizeAtMost(content, properties.contentEncoding, maxUnfoldedBytes)
      : content.length;
  return { limit: maxDecodedBytes, weigh };
}

/** Runs jobs, at most `limit` at once. */
export class ConcurrencyLimiter<Job> {
  private running = 0;
  private weight = 0;
  private readonly queue = new Fifo<Job>();
  private stopped = false;
  private held = false;
  private idleWaiters: (() => void)[] = [];

  constructor(
    private readonly limit: number,
    /** Must neither throw nor reject. */
    private readonly run: (job: Job) => MaybePromise<void>,
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
    if (this.queue.size > 0 || !this.start(job, false)) this.queue.push(job);
  }

  /** Starts no more until `release`. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    this.next();
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
    if (this.running === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  private next(): void {
    while (this.queue.size > 0 && this.start(this.queue.first as Job, true));
    if (this.running === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  /** Runs a job, the first that waits or a new one; false when the limit is reached. */
  private start(job: Job, waited: boolean): boolean {
    if (this.stopped || this.held || this.running >= this.limit) return false;
    const weight = this.budget ? this.budget.weigh(job) : 0;
    if (this.budget && this.running > 0 && this.weight + weight > this.budget.limit) return false;
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
    if (this.idleWaiters.length > 0) this.next();
    return true;
  }
}

type Run = (delivery: Delivery) => MaybePromise<void>;

/** What a consumer gives its deliveries to. */
export interface Executor {
  push(delivery: Delivery): void;
  /** Starts no more until `release`. */
  hold(): void;
  release(): void;
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
    ? new ConcurrencyLimiter(concurrency, run, budget)
    : new KeyedExecutor(concurrency, keyOf(orderBy), run, budget);
}

interface Turn {
  readonly key: string | undefined;
  readonly delivery: Delivery;
}

/**
 * `orderBy`: messages with the same key run one after the other, in the order they arrived, those with other
 * keys at the same time. A message takes a place among those that run at once only when its turn has come,
 * so one busy key does not keep the others waiting. Bounded by the prefetch, as everything that waits here.
 */
export class KeyedExecutor implements Executor {
  private readonly ready: ConcurrencyLimiter<Turn>;
  /** By key, as long as one of it runs or is about to: those that wait behind it. */
  private readonly queues = new Map<string, Fifo<Turn>>();
  /** Whose turn has come while another one's was being given. */
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

  /** How many keys are under way. */
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

  hold(): void {
    this.ready.hold();
  }

  release(): void {
    this.ready.release();
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

  /** The one in front is done, or gone: the next of its key has its turn. */
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
