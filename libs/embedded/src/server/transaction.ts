// The transaction of a channel (tx.select): its publishes and acks take effect at tx.commit, publishes first, and are undone
// by tx.rollback. Messages are checked and routed on arrival; settled deliveries count against the prefetch until the commit.
import type { MemoryMeter } from '../model/memory-meter.js';
import type { Message } from '../model/message.js';
import type { Queue, Return } from '../model/queue.js';
import type { UnackedDelivery } from './unacked.js';

export interface RoutedPublish {
  readonly message: Message;
  readonly mandatory: boolean;
  /** Found when it was published, if it waited since. */
  readonly queues: readonly Queue[] | undefined;
}

/** What becomes of a delivery: done with, rejected for good, or back to its queue. */
export type End = Return | 'done' | 'rejected';

interface Settlement {
  readonly deliveries: readonly UnackedDelivery[];
  readonly end: End;
}

export class Transaction {
  private publications: RoutedPublish[] = [];
  private settlements: Settlement[] = [];
  private bytes = 0;

  constructor(private readonly meter: MemoryMeter) {}

  publish(publication: RoutedPublish): void {
    const { cost } = publication.message;
    this.meter.arrive(cost);
    this.bytes += cost;
    this.publications.push(publication);
  }

  settle(deliveries: readonly UnackedDelivery[], end: End): void {
    this.settlements.push({ deliveries, end });
  }

  /** Hands out what there is, in order, and begins anew. */
  take(): { readonly publications: readonly RoutedPublish[]; readonly settlements: readonly Settlement[] } {
    const { publications, settlements } = this;
    this.publications = [];
    this.settlements = [];
    this.meter.arrived(this.bytes);
    this.bytes = 0;
    return { publications, settlements };
  }
}
