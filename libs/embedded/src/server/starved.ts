// Consumers of one connection that were refused a message because too much was unsent. They are woken together once
// the client has read, in a turn of their own so that others get theirs.
import type { Subscription } from './subscription.js';

const nextTurn = setImmediate;

export class Starved {
  private subscriptions = new Set<Subscription>();

  add(subscription: Subscription): void {
    this.subscriptions.add(subscription);
  }

  forget(): void {
    this.subscriptions.clear();
  }

  feed(): void {
    const { subscriptions } = this;
    if (subscriptions.size === 0) return;
    this.subscriptions = new Set();
    nextTurn(() => {
      for (const subscription of subscriptions) subscription.wake();
      for (const { queue } of subscriptions) queue.pump();
    });
  }
}
