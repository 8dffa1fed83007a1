// What a channel has delivered and not heard of again, by delivery tag, oldest first.
import { precondition } from '../model/failure.js';
import type { Held } from '../model/message.js';
import type { Queue } from '../model/queue.js';
import type { Subscription } from './subscription.js';

export interface Delivery {
  readonly queue: Queue;
  readonly held: Held;
  /** Undefined for basic.get. */
  readonly subscription: Subscription | undefined;
}

export class Unacked {
  /** Prefetch of the whole channel (qos with `global`); 0 is no limit. */
  limit = 0;
  private readonly deliveries = new Map<number, Delivery>();
  private lastTag = 0;
  private consuming = 0;

  get size(): number {
    return this.deliveries.size;
  }

  next(): number {
    return (this.lastTag += 1);
  }

  /** Whether the channel's own limit allows another delivery; what basic.get took does not count. */
  hasRoom(): boolean {
    return this.limit === 0 || this.consuming < this.limit;
  }

  add(tag: number, delivery: Delivery): void {
    this.deliveries.set(tag, delivery);
    if (!delivery.subscription) return;
    delivery.subscription.holding += 1;
    this.consuming += 1;
  }

  /** Takes out one delivery, or all up to and including it (tag 0: all). Throws 406 for a tag that is not there. */
  settle(tag: number, multiple: boolean): Delivery[] {
    if (multiple && tag === 0) return this.takeAll();
    if (!this.deliveries.has(tag)) throw precondition(`unknown delivery tag ${tag}`);
    if (!multiple) return [this.remove(tag)];
    const taken: Delivery[] = [];
    for (const at of this.deliveries.keys()) {
      if (at > tag) break;
      taken.push(this.remove(at));
    }
    return taken;
  }

  takeAll(): Delivery[] {
    return [...this.deliveries.keys()].map((tag) => this.remove(tag));
  }

  private remove(tag: number): Delivery {
    const delivery = this.deliveries.get(tag) as Delivery;
    this.deliveries.delete(tag);
    if (delivery.subscription) {
      delivery.subscription.holding -= 1;
      this.consuming -= 1;
    }
    return delivery;
  }
}

/** Puts deliveries back into their queues, each queue once, and lets the queues go on. */
export function requeue(deliveries: readonly Delivery[]): void {
  const byQueue = new Map<Queue, Held[]>();
  for (const { queue, held } of deliveries) {
    const list = byQueue.get(queue);
    if (list) list.push(held);
    else byQueue.set(queue, [held]);
  }
  for (const [queue, held] of byQueue) queue.requeue(held);
  for (const queue of byQueue.keys()) queue.pump();
}
