// Calls that wait for their reply, by correlation id. Each settles once: by its reply, its deadline, its
// signal, its return, or the loss of the channel on which the reply would have come.

import type { ReceivedMessage } from '../model/message.js';

/** A call under way. */
export interface Waiter {
  readonly id: string;
  readonly onReply: (message: ReceivedMessage) => void;
  /** Nobody listens. */
  readonly onReturned: () => void;
  /** The reply cannot come any more. */
  readonly onLost: (reason: string) => void;
}

/** The waiters of one process. */
export class Inbox {
  private readonly waiters = new Map<string, Waiter>();

  /** How many wait. */
  get size(): number {
    return this.waiters.size;
  }

  has(id: string): boolean {
    return this.waiters.has(id);
  }

  add(waiter: Waiter): void {
    this.waiters.set(waiter.id, waiter);
  }

  remove(id: string): void {
    this.waiters.delete(id);
  }

  /** False when nobody waits for it: late, repeated, foreign, or without an id. */
  deliver(message: ReceivedMessage): boolean {
    const waiter = this.take(message.properties.correlationId);
    waiter?.onReply(message);
    return waiter !== undefined;
  }

  returned(message: ReceivedMessage): void {
    this.take(message.properties.correlationId)?.onReturned();
  }

  /** The channel died: every call that was sent on it ends now. */
  lost(reason: string): void {
    const all = [...this.waiters.values()];
    this.waiters.clear();
    for (const waiter of all) waiter.onLost(reason);
  }

  private take(id: unknown): Waiter | undefined {
    if (typeof id !== 'string') return undefined;
    const waiter = this.waiters.get(id);
    this.waiters.delete(id);
    return waiter;
  }
}
