// The unacked deliveries of a channel by delivery tag, oldest first.
import { precondition } from '../model/failure.js';
import type { Held } from '../model/message.js';
import type { Queue, Return } from '../model/queue.js';
/** A consumer, as far as what it was delivered is concerned. */
export interface Receiver {
  readonly queue: Queue;
  letGo(): void;
  wake(): void;
}

export interface UnackedDelivery {
  readonly tag: number;
  readonly queue: Queue;
  readonly held: Held;
  /** Undefined for basic.get. */
  readonly subscription: Receiver | undefined;
}

/** The walk over what a map still holds is cheaper than one over this many tags for each. */
const SPARSE = 2;

export class Unacked {
  /** Prefetch of the whole channel (qos with `global`); 0 is no limit. */
  limit = 0;
  /** Whether what is settled keeps its place in the prefetch until `letGo`, as in a transaction. */
  deferred = false;
  private readonly deliveries = new Map<number, UnackedDelivery>();
  private lastTag = 0;
  /** No delivery before this tag is left. */
  private oldest = 1;
  private consuming = 0;
  /** Consumers that were refused a message because the channel holds as many as it may. */
  private readonly waiting = new Set<Receiver>();

  get size(): number {
    return this.deliveries.size;
  }

  next(): number {
    return (this.lastTag += 1);
  }

  /**
   * Whether the channel's own limit allows another delivery; what basic.get took does not count. A consumer that is
   * refused is woken when that has changed.
   */
  admits(subscription: Receiver): boolean {
    if (this.hasRoom()) return true;
    this.waiting.add(subscription);
    return false;
  }

  /** The prefetch may allow more messages: waiting consumers are served in the order in which they had to wait. */
  goOn(): void {
    for (const subscription of this.waiting) {
      if (!this.hasRoom()) return;
      this.waiting.delete(subscription);
      subscription.wake();
      subscription.queue.pump();
    }
  }

  /** The consumer left. */
  forget(subscription: Receiver): void {
    this.waiting.delete(subscription);
  }

  add(delivery: UnackedDelivery): void {
    this.deliveries.set(delivery.tag, delivery);
    if (delivery.subscription) this.consuming += 1;
  }

  /** Takes out one delivery. Throws 406 for a tag that is not there. */
  settleOne(tag: number): UnackedDelivery {
    const delivery = this.deliveries.get(tag);
    if (!delivery) throw precondition(`unknown delivery tag ${tag}`);
    return this.remove(tag, delivery);
  }

  /** Takes out one delivery, or all up to and including it (tag 0: all). Throws 406 for a tag that is not there. */
  settle(tag: number, multiple: boolean): UnackedDelivery[] {
    if (multiple && tag === 0) return this.takeAll();
    if (!multiple) return [this.settleOne(tag)];
    if (!this.deliveries.has(tag)) throw precondition(`unknown delivery tag ${tag}`);
    return this.upTo(tag);
  }

  /**
   * By counting up, since a map is slow to find its first entry when many before it were deleted; unless most tags
   * are settled already.
   */
  private upTo(tag: number): UnackedDelivery[] {
    const taken: UnackedDelivery[] = [];
    if (tag - this.oldest < SPARSE * this.deliveries.size) {
      for (let at = this.oldest; at <= tag; at += 1) {
        const delivery = this.deliveries.get(at);
        if (delivery) taken.push(this.remove(at, delivery));
      }
    } else {
      for (const [at, delivery] of this.deliveries) {
        if (at > tag) break;
        taken.push(this.remove(at, delivery));
      }
    }
    this.oldest = tag + 1;
    return taken;
  }

  takeAll(): UnackedDelivery[] {
    const taken = [...this.deliveries].map(([tag, delivery]) => this.remove(tag, delivery));
    this.oldest = this.lastTag + 1;
    if (this.deferred) for (const delivery of taken) this.letGo(delivery);
    return taken;
  }

  /** Puts back what was taken out and not let go. */
  restore(deliveries: readonly UnackedDelivery[]): void {
    const all = [...this.deliveries.values(), ...deliveries].sort((one, other) => one.tag - other.tag);
    this.deliveries.clear();
    for (const delivery of all) this.deliveries.set(delivery.tag, delivery);
    this.oldest = all[0]?.tag ?? this.oldest;
  }

  /** A delivery no longer counts for the prefetch. */
  letGo({ subscription }: UnackedDelivery): void {
    if (!subscription) return;
    subscription.letGo();
    this.consuming -= 1;
  }

  private hasRoom(): boolean {
    return this.limit === 0 || this.consuming < this.limit;
  }

  private remove(tag: number, delivery: UnackedDelivery): UnackedDelivery {
    this.deliveries.delete(tag);
    if (tag === this.oldest) this.oldest += 1;
    if (!this.deferred) this.letGo(delivery);
    return delivery;
  }
}

/** Puts deliveries back into their queues, each queue once; then these and `others` go on. */
export function requeue(
  deliveries: readonly UnackedDelivery[],
  how: Return,
  others: readonly Queue[] = [],
): void {
  const byQueue = new Map<Queue, Held[]>();
  for (const { queue, held } of deliveries) {
    const list = byQueue.get(queue);
    if (list) list.push(held);
    else byQueue.set(queue, [held]);
  }
  for (const [queue, held] of byQueue) queue.requeue(held, how);
  for (const queue of new Set([...byQueue.keys(), ...others])) queue.pump();
}
