// The handlers of one queue: which of them a delivery is for, and what comes of it. Batches go to the one
// handler there is.

import { afterFailure } from '../model/retry-policy.js';
import { describeError } from '../model/logger.js';
import type { Delivery } from '../model/delivery.js';
import type { Soon } from '../model/soon.js';
import type { Verdict } from '../model/verdict.js';
import { answer, errorReply } from './answer.js';
import { batchPipeline } from './batch.js';
import { unmatched, type Dispatch } from './dispatch.js';
import { pipeline } from './pipeline.js';
import type { HandlerRoom, Run } from './step.js';

/** See the top of the file. */
export class Handlers {
  private readonly runs: readonly Run[];
  private readonly batch: (list: readonly Delivery[]) => Promise<Verdict[]>;

  constructor(
    private readonly rooms: readonly HandlerRoom[],
    private readonly dispatch: Dispatch,
  ) {
    this.runs = rooms.map(pipeline);
    this.batch = batchPipeline(rooms[0]);
  }

  /** Runs the batch handler. The verdicts are in the order of the list. */
  runBatch(list: readonly Delivery[]): Promise<readonly Verdict[]> {
    const [room] = this.rooms;
    for (const delivery of list) delivery.handler = room.plan.id;
    return this.batch(list);
  }

  /** Runs the handler of a delivery. */
  run(delivery: Delivery): Soon<Verdict> {
    const index = this.dispatch(delivery);
    const room = this.rooms[index];
    delivery.handler = room?.plan.id ?? `queue '${delivery.queue}'`;
    return room ? this.runs[index](delivery) : this.nobodys(delivery);
  }

  /** What a handler's own decision comes to. */
  decided(delivery: Delivery, decision: Verdict | Error): Verdict {
    const { retry } = (this.roomOf(delivery) ?? this.rooms[0]).plan;
    return decision instanceof Error ? afterFailure(retry, delivery.attempt, decision) : decision;
  }

  /** Where a delivery ends that fails for good. Without a handler, any dead-letter queue of the others is the right one. */
  deadQueueOf(delivery: Delivery): string | undefined {
    const room = this.roomOf(delivery) ?? this.rooms.find(({ plan }) => plan.deadQueue);
    return room?.plan.deadQueue;
  }

  private roomOf(delivery: Delivery): HandlerRoom | undefined {
    return this.rooms.find(({ plan }) => plan.id === delivery.handler);
  }

  private nobodys(delivery: Delivery): Verdict {
    const { events, logger } = this.rooms[0];
    const { handler, queue } = delivery;
    const ids = this.rooms.map(({ plan }) => plan.id);
    const verdict = unmatched(delivery, ids);
    logger.error(`${describeError(verdict.error)}; dead-lettered`);
    events.emit({ kind: 'handled', handler, queue, delivery, verdict, ms: 0 });
    // A caller that asks for what nobody here does should not wait for its time-out to learn it.
    const answering = this.rooms.find(({ plan }) => plan.rpc);
    if (answering && delivery.message.properties.replyTo) {
      answer(answering, delivery, errorReply(answering, verdict.error));
    }
    return verdict;
  }
}
