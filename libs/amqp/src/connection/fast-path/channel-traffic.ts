// What goes over a channel for every message. There are two implementations: the fast path bypasses the client library
// (fast-path.ts), the public path uses its public functions when its internals are not as expected.

import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';

/** How the broker answered a publish. */
export type ConfirmOutcome = 'confirmed' | 'nacked';

/** Options of a consumer. */
export interface ConsumeOptions {
  readonly noAck: boolean;
  readonly exclusive?: boolean;
  readonly arguments?: object;
}

/** Receives what arrives. */
export interface TrafficListener {
  /** A message, or that the broker cancelled the consumer. */
  onDelivery(message: ReceivedMessage | 'cancelled'): void;
  /** The publish with this number, or all up to it. */
  onConfirm(number: number, multiple: boolean, outcome: ConfirmOutcome): void;
  /** Writes are possible again. */
  onDrain(): void;
}

/** Writes that are collected until the end of a turn of the event loop. */
export interface Collected {
  /** The turn ends: writes what is due. */
  atTurnsEnd(): void;
}

/** The traffic of one channel. What cannot be encoded throws, with nothing sent. */
export interface ChannelTraffic {
  /** `writable` is false while the socket's buffer is full. */
  readonly socket: { readonly writable: boolean };
  consume(queue: string, options: ConsumeOptions): Promise<string>;
  /** `number` counts the publishes of a channel from 1. */
  publish(message: OutgoingMessage, replyTo: string | undefined, number: number): void;
  /** Does nothing once the channel is closing. */
  ack(deliveryTag: number, multiple: boolean): void;
  requeue(deliveryTag: number): void;
  /** Asks for one `atTurnsEnd`. */
  settling(acks: Collected): void;
  /** Sends everything that was written; nothing is delivered any more. */
  end(): void;
}
