// Calls that wait for replies, by correlation id. What comes for nobody (late, repeated, foreign) is told and harms
// no other call.

import { withoutFrames } from '../../errors/errors.js';
import { IdMap, type Listed } from '../../runtime/id-map.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import { RpcNotSentError, RpcTimeoutError } from '../../errors/rpc-errors.js';
import type { Waiting } from '../../publish/publish-buffer.js';

/** A call under way: it ends by its reply, deadline, signal, return, or the loss of the channel. */
export interface PendingCall {
  readonly id: string;
  readonly message: OutgoingMessage;
  readonly ended: boolean;
  /** Where the server of a stream listens, once that is known. */
  readonly controlQueue?: string;
  /** One of possibly many replies. */
  onReply(message: ReceivedMessage): void;
  /** Nobody listens. */
  onReturned(): void;
  /** The reply cannot come any more. */
  onLost(reason: string): void;
  /** It could not even be sent. */
  fail(error: Error): void;
}

/** Why the request of a call has not left; undefined when it has. */
export type WhyUnsent = (id: string) => string | undefined;

/** How a call ends whose time is over. */
export function timedOut(
  { exchange, routingKey }: OutgoingMessage,
  timeout: number,
  id: string,
  unsent: string | undefined,
): RpcTimeoutError {
  return withoutFrames(() =>
    unsent === undefined
      ? new RpcTimeoutError(exchange, routingKey, timeout, id)
      : new RpcNotSentError(exchange, routingKey, timeout, id, unsent),
  );
}

/** A call, its place in the publish buffer, and whether it has left. */
export class Entry implements Waiting, Listed {
  readonly id: string;
  after: this | undefined;
  gone = true;
  queued = false;
  sent = false;

  constructor(
    readonly call: PendingCall,
    private readonly send: (entry: Entry) => void,
  ) {
    this.id = call.id;
  }

  get bytes(): number {
    return this.call.message.content.length;
  }

  go(): void {
    this.send(this);
  }
}

/** Sent or waiting to be sent. */
export class PendingCalls {
  private readonly entries = new IdMap<Entry>();

  /** How many wait. */
  get size(): number {
    return this.entries.size;
  }

  add(entry: Entry): void {
    this.entries.add(entry);
  }

  get(id: string): Entry | undefined {
    return this.entries.get(id);
  }

  remove(entry: Entry): void {
    this.entries.remove(entry);
  }

  /** False when nobody waits for it: late, repeated, foreign, or without an id. */
  deliver(message: ReceivedMessage): boolean {
    const call = this.sent(message.properties.correlationId);
    call?.onReply(message);
    return call !== undefined;
  }

  returned(message: ReceivedMessage): void {
    this.sent(message.properties.correlationId)?.onReturned();
  }

  /** The channel died: every call that was sent on it hears so. */
  lost(reason: string): void {
    for (const entry of this.entries.values().filter(({ sent }) => sent)) {
      entry.sent = false;
      entry.call.onLost(reason);
    }
  }

  /** Those whose request has left. */
  sentCalls(): PendingCall[] {
    return this.entries.values().flatMap(({ call, sent }) => (sent ? [call] : []));
  }

  /** All of them. */
  calls(): PendingCall[] {
    return this.entries.values().map(({ call }) => call);
  }

  private sent(id: unknown): PendingCall | undefined {
    const entry = typeof id === 'string' ? this.entries.get(id) : undefined;
    return entry?.sent ? entry.call : undefined;
  }
}
