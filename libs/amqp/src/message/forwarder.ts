// What the consuming side needs of the publishing side: to send a message on before it acks the
// original. An interface, so that the two sides never import each other.

import type { CodecLookup } from './codecs/codec.js';
import type { Headers, OutgoingMessage } from './message.js';
import type { ReturnRoute } from './retry-return.js';

/** A durable queue that is declared again when a message for it comes back. */
export interface KeptQueue {
  readonly name: string;
  readonly arguments: Headers;
}

/** Who waits for an answer to arrive, and hears of one of the two, once. */
export interface ReplyWaiter {
  /** The caller's queue has it. */
  onArrived(): void;
  onLost(error: Error): void;
}

/** Sends answers to callers, with a confirm. */
export interface ReplySender {
  /** Resolves when the caller's queue has it. @throws UnroutableError when the caller is gone */
  send(message: OutgoingMessage): Promise<void>;
  /** The same without a promise, which costs more than all the rest when there are thousands. */
  begin(message: OutgoingMessage, waiter: ReplyWaiter): void;
}

/** Sends with a confirm. */
export interface MessageForwarder {
  /** Resolves when the broker has it; rejects like a publish otherwise. */
  send(message: OutgoingMessage): Promise<void>;
  /** The same to a queue of ours: when somebody deleted it, it is declared again first. */
  sendTo(queue: KeptQueue, message: OutgoingMessage): Promise<void>;
  /** The same after a wait in the broker, to the queue that the routing key names. */
  sendLater(message: OutgoingMessage, wait: number, back: ReturnRoute): Promise<void>;
  /** Bytes that the properties of a message may take, headers included: a frame of this connection holds no more. */
  readonly maxPropertyBytes: number;
  readonly codecs: CodecLookup;
}
