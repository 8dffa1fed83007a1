import { afterFailure } from '../options/retry-policy.js';
import { describeError } from '../runtime/logger.js';
import type { Delivery } from '../message/delivery.js';
import type { MaybePromise } from '../runtime/maybe-promise.js';
import type { Verdict } from '../message/verdict.js';
import { batchPipeline } from './batch.js';
import { unmatched, unmatchedCall, type Dispatch } from './dispatch.js';
import { pipeline } from './pipeline.js';
import type { HandlerContext, Run } from './step.js';

/** So many kinds of unwanted messages are named in the log. */
const NAMED = 100;

/**
 * The handlers of one queue: which of them a delivery is for, and what comes of it. Batches go to the one
 * handler there is.
 */
export class Handlers {
  private readonly runs: readonly Run[];
  private readonly batch: (list: readonly Delivery[]) => Promise<Verdict[]>;
  private readonly unwanted = new Set<string>();

  constructor(
    private readonly contexts: readonly HandlerContext[],
    private readonly dispatch: Dispatch,
  ) {
    this.runs = contexts.map(pipeline);
    this.batch = batchPipeline(contexts[0]);
  }

  /** Runs the batch handler. The verdicts are in the order of the list. */
  async runBatch(list: readonly Delivery[]): Promise<readonly Verdict[]> {
    const wanted = list.filter((delivery) => this.roomFor(delivery));
    const handled = new Map<Delivery, Verdict>();
    const verdicts = wanted.length > 0 ? await this.batch(wanted) : [];
    wanted.forEach((delivery, index) => handled.set(delivery, verdicts[index]));
    return list.map((delivery) => handled.get(delivery) ?? this.nobodys(delivery));
  }

  /** Runs the handler of a delivery. */
  run(delivery: Delivery): MaybePromise<Verdict> {
    const context = this.roomFor(delivery);
    return context ? this.runs[delivery.run.handler](delivery) : this.nobodys(delivery);
  }

  /** What a handler's own decision comes to. */
  decided(delivery: Delivery, decision: Verdict | Error): Verdict {
    const { retry } = (this.roomOf(delivery) ?? this.contexts[0]).plan;
    return decision instanceof Error ? afterFailure(retry, delivery.attempt, decision) : decision;
  }

  /** Where a delivery ends that fails for good. Without a handler, any dead-letter queue of the others is the right one. */
  deadQueueOf(delivery: Delivery): string | undefined {
    const context = this.roomOf(delivery) ?? this.contexts.find(({ plan }) => plan.deadQueue);
    return context?.plan.deadQueue;
  }

  private roomFor(delivery: Delivery): HandlerContext | undefined {
    delivery.run.handler = this.dispatch(delivery);
    const context = this.roomOf(delivery);
    delivery.handler = context?.plan.id ?? `queue '${delivery.queue}'`;
    return context;
  }

  // By its place: handlers of one queue may have the same name.
  private roomOf(delivery: Delivery): HandlerContext | undefined {
    return this.contexts[delivery.run.handler];
  }

  private nobodys(delivery: Delivery): Verdict {
    const { events } = this.contexts[0];
    const { handler, queue } = delivery;
    const ids = [...new Set(this.contexts.map(({ plan }) => plan.id))];
    const verdict = unmatched(delivery, ids);
    this.say(delivery, describeError(verdict.error));
    events.emit({ kind: 'handled', handler, queue, delivery, verdict, ms: 0 });
    // A caller that asks for what nobody here does should not wait for its time-out to learn it.
    const answering = this.contexts.find(({ plan }) => plan.rpc);
    if (answering && delivery.message.properties.replyTo) {
      answering.rpc?.reject(answering, delivery, unmatchedCall(delivery));
    }
    return verdict;
  }

  // A binding that was left behind brings messages for ever: each kind is named once.
  private say(delivery: Delivery, error: string): void {
    const { logger } = this.contexts[0];
    const kind = `${delivery.exchange}\0${delivery.routingKey}`;
    if (this.unwanted.has(kind) || this.unwanted.size > NAMED) return;
    this.unwanted.add(kind);
    if (this.unwanted.size > NAMED) {
      logger.error(
        `queue '${delivery.queue}' keeps receiving messages that no handler wants; further routing keys are not logged (rabbitmqctl list_bindings shows what brings them)`,
      );
      return;
    }
    const dead = this.deadQueueOf(delivery);
    const end = dead ? `goes to '${dead}' (unmatched)` : 'is dropped, since there is no dead-letter queue';
    logger.error(`${error}; it ${end}, like all others with this routing key`);
  }
}
