// Calls that wait for replies, by correlation id. What comes for nobody (late, repeated, foreign) is told and harms
// no other call.

import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';

/** A call under way: it ends by its reply, deadline, signal, return, or the loss of the channel. */
export interface PendingCall {
  readonly id: string;
  readonly message: OutgoingMessage;
  readonly ended: boolean;
  /** One of possibly many replies. */
  onReply(message: ReceivedMessage): void;
  /** Nobody listens. */
  onReturned(): void;
  /** The reply cannot come any more. */
  onLost(reason: string): void;
  /** It could not even be sent. */
  fail(error: Error): void;
}

/** Who waits on one life of the reply channel. */
export class Inbox {
  private readonly waiting = new Map<string, PendingCall>();

  /** How many wait. */
  get size(): number {
    return this.waiting.size;
  }

  add(call: PendingCall): void {
    this.waiting.set(call.id, call);
  }

  has(id: string): boolean {
    return this.waiting.has(id);
  }

  remove(id: string): void {
    this.waiting.delete(id);
  }

  /** False when nobody waits for it: late, repeated, foreign, or without an id. */
  deliver(message: ReceivedMessage): boolean {
    const call = this.find(message.properties.correlationId);
    call?.onReply(message);
    return call !== undefined;
  }

  returned(message: ReceivedMessage): void {
    this.find(message.properties.correlationId)?.onReturned();
  }

  /** The channel died: every call that was sent on it hears so. */
  lost(reason: string): void {
    const all = [...this.waiting.values()];
    this.waiting.clear();
    for (const call of all) call.onLost(reason);
  }

  private find(id: unknown): PendingCall | undefined {
    return typeof id === 'string' ? this.waiting.get(id) : undefined;
  }
}
