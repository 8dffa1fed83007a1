// Collects deliveries into lists for a handler that works on many at once. A list is complete when it has `size`, when
// more would not fit into memory, or `wait` after its first message; each message still gets an outcome of its own.

import { afterFailure } from '../options/retry-policy.js';
import { ACK, OPEN, type Verdict, type Delivery } from '../message/delivery.js';
import type { Clock } from '../runtime/clock.js';
import type { HandlerContext } from './step.js';
import { currentDelivery } from '../message/current-delivery.js';
import { assertDone, decodePayload, isInherited, limited, reporter, unfit } from './pipeline.js';
import { handlerInfo, pluginFailed } from './plugin-step.js';
import type { BatchNext } from '../plugins/plugin.js';
import { type Budget, ConcurrencyLimiter, type Executor, type Limits } from './executor.js';
import type { MaybePromise } from '../runtime/maybe-promise.js';

/** Fills lists. */
export class Batcher {
  private list: Delivery[] = [];
  private weight = 0;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly size: number,
    private readonly wait: number,
    private readonly clock: Clock,
    private readonly onFull: (list: Delivery[]) => void,
    private readonly budget?: Budget<Delivery>,
  ) {}

  add(delivery: Delivery): void {
    const weight = this.budget?.weigh(delivery) ?? 0;
    if (this.budget && this.weight + weight > this.budget.limit) this.flush();
    this.list.push(delivery);
    this.weight += weight;
    if (this.list.length >= this.size) this.flush();
    else this.cancel ??= this.clock.after(this.wait, () => this.flush());
  }

  /** Removes and returns the messages collected so far. */
  take(): Delivery[] {
    this.cancel?.();
    this.cancel = undefined;
    this.weight = 0;
    return this.list.splice(0);
  }

  private flush(): void {
    const list = this.take();
    if (list.length > 0) this.onFull(list);
  }
}

/** Runs lists of deliveries, as many at once as `concurrency` says. */
export class BatchExecutor implements Executor {
  private readonly batcher: Batcher;
  private readonly lists: ConcurrencyLimiter<readonly Delivery[]>;
  /** The next message is one that `allow` asked for, and makes a list by itself. */
  private alone = false;

  /** `run` must neither throw nor reject. */
  constructor(
    { size, wait }: { readonly size: number; readonly wait: number },
    concurrency: number,
    clock: Clock,
    run: (list: readonly Delivery[]) => MaybePromise<void>,
    { limit, weigh }: Budget<Delivery>,
  ) {
    const weighAll = (list: readonly Delivery[]): number =>
      list.reduce((sum, delivery) => sum + weigh(delivery), 0);
    this.lists = new ConcurrencyLimiter(concurrency, run, { limit, weigh: weighAll }, ({ length }) => length);
    this.batcher = new Batcher(size, wait, clock, (list) => this.lists.push(list), { limit, weigh });
  }

  get limits(): Limits {
    return this.lists;
  }

  push(delivery: Delivery): void {
    if (this.alone) return this.single(delivery);
    this.batcher.add(delivery);
  }

  /** One message by itself: what waits is put together anew behind it. */
  allow(): void {
    const [first, ...others] = [...this.lists.take().flat(), ...this.batcher.take()];
    this.lists.allow();
    this.alone = first === undefined;
    if (first) this.single(first);
    for (const delivery of others) this.batcher.add(delivery);
  }

  disallow(): void {
    this.alone = false;
    this.lists.disallow();
  }

  stop(): Delivery[] {
    return [...this.lists.stop().flat(), ...this.batcher.take()];
  }

  forget(isGone: (delivery: Delivery) => boolean): void {
    this.batcher.take();
    this.lists.forget((list) => list.every(isGone));
  }

  idle(): Promise<void> {
    return this.lists.idle();
  }

  private single(delivery: Delivery): void {
    this.alone = false;
    this.lists.push([delivery]);
  }
}

/**
 * Runs a batch handler on a list: the same checks as the pipeline, each delivery on its own, then one call with those
 * that can be read. The verdicts are in the order of the list.
 */
export function batchPipeline(context: HandlerContext): BatchNext {
  const report = reporter(context);
  const run = context.plugins.aroundBatch(
    handlerInfo(context),
    (list) => runBatch(context, list),
    pluginFailed(context),
  );
  const inherited = isInherited(context);
  return async (list) => {
    const began = context.clock.monotonic();
    for (const { run } of list) run.beganAt = began;
    const verdicts = await (inherited ? currentDelivery.run(list, run, list) : run(list));
    list.forEach((delivery, index) => report(verdicts[index], delivery));
    return verdicts;
  };
}

async function runBatch(context: HandlerContext, list: readonly Delivery[]): Promise<readonly Verdict[]> {
  const refused = await Promise.all(list.map((delivery) => admit(context, delivery)));
  const readable = list.filter((_, index) => refused[index] === undefined);
  const outcome = await outcomeOf(context, readable);
  return list.map((delivery, index) => refused[index] ?? outcome(delivery));
}

/** Decodes; the verdict when the handler must not see it. */
async function admit(
  { plan, settings, forwarder }: HandlerContext,
  delivery: Delivery,
): Promise<Verdict | undefined> {
  const verdict = unfit(delivery, settings);
  if (verdict) return verdict;
  try {
    delivery.payload = await decodePayload(delivery, forwarder.codecs, plan.codec, plan.schema);
    return undefined;
  } catch (error) {
    return { kind: 'dead-letter', reason: 'undecodable', error };
  }
}

/** Calls the handler; what that means for each of its deliveries that it did not settle itself. */
async function outcomeOf(
  context: HandlerContext,
  list: readonly Delivery[],
): Promise<(delivery: Delivery) => Verdict> {
  if (list.length === 0) return () => ACK;
  try {
    const verdict = await call(context, list);
    return () => verdict;
  } catch (error) {
    return (delivery) => afterFailure(context.plan.retry, delivery.attempt, error);
  }
}

async function call(context: HandlerContext, deliveries: readonly Delivery[]): Promise<Verdict> {
  const { plan } = context;
  const value = await limited(context, deliveries, async () => plan.registration.handle(deliveries));
  assertDone(plan, value);
  return plan.ack === 'manual' ? OPEN : ACK;
}
