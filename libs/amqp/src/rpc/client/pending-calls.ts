// Calls that wait for replies, by correlation id. What comes for nobody (late, repeated, foreign) is told and harms
// no other call.

import { withoutFrames } from '../../errors/errors.js';
import { IdMap, type Listed } from '../../runtime/id-map.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import {
  RpcConnectionLostError,
  RpcNoServerError,
  RpcNotSentError,
  RpcTimeoutError,
} from '../../errors/rpc-errors.js';
import type { Waiting } from '../../publish/publish-buffer.js';

/**
 * A call under way, with its place in the publish buffer and among all calls. It ends by its reply, deadline, signal,
 * return, or the loss of the channel.
 */
export abstract class PendingCall implements Waiting, Listed {
  readonly id: string;
  after: this | undefined = undefined;
  gone = true;
  queued = false;
  /** Its request has left, on the channel that is open. */
  sent = false;
  ended = false;
  /** Where the server of a stream listens, once that is known. */
  controlQueue: string | undefined = undefined;

  constructor(readonly message: OutgoingMessage) {
    this.id = message.properties.correlationId as string;
  }

  get bytes(): number {
    return this.message.content.length;
  }

  /** One of possibly many replies. */
  abstract onReply(message: ReceivedMessage): void;
  /** The reply cannot come any more. */
  abstract onLost(reason: string): void;
  /** It could not even be sent. */
  abstract fail(error: Error): void;

  /** Nobody listens. */
  onReturned(): void {
    this.fail(new RpcNoServerError(this.message.exchange, this.message.routingKey));
  }

  /** For a call that is lost with its channel. */
  protected lostError(reason: string): Error {
    return new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason));
  }
}

/** Why the request of a call has not left; undefined when it has. */
export type WhyUnsent = (call: PendingCall) => string | undefined;

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

/** Sent or waiting to be sent. */
export class PendingCalls extends IdMap<PendingCall> {
  /** The call that waits for a message; undefined for one that is late, repeated, foreign, or without an id. */
  waitingFor({ properties: { correlationId } }: ReceivedMessage): PendingCall | undefined {
    const call = typeof correlationId === 'string' ? this.get(correlationId) : undefined;
    return call?.sent ? call : undefined;
  }

  /** The channel died: every call that was sent on it hears so. */
  lost(reason: string): void {
    for (const call of this.values().filter(({ sent }) => sent)) {
      call.sent = false;
      call.onLost(reason);
    }
  }
}
