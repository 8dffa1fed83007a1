// What goes over a channel for every message, and the two ways it can go: past the client library (hot/), or through
// its public functions when it is not as we know it.

import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';

/** How the broker answered a publish. */
export type ConfirmOutcome = 'confirmed' | 'nacked';

/** How a consumer is asked for. */
export interface ConsumeOptions {
  readonly noAck: boolean;
  readonly exclusive?: boolean;
  readonly arguments?: object;
}

/** Who hears what comes. */
export interface TrafficListener {
  /** A message, or that the broker cancelled the consumer. */
  onDelivery(message: ReceivedMessage | 'cancelled'): void;
  /** The publish with this number, or all up to it. */
  onConfirm(number: number, multiple: boolean, outcome: ConfirmOutcome): void;
  /** Writes are possible again. */
  onDrain(): void;
}

/** What waits for the end of a turn of the event loop, to be written with all else of it. */
export interface Collected {
  /** The turn ends: what is to leave with it is written now. */
  atTurnsEnd(): void;
}

/** The traffic of one channel. What cannot be encoded throws, with nothing sent. */
export interface ChannelTraffic {
  /** False while the socket's buffer is full. */
  readonly writable: boolean;
  consume(queue: string, options: ConsumeOptions): Promise<string>;
  /** On a confirm channel `number` counts its publishes from 1. */
  publish(message: OutgoingMessage, replyTo: string | undefined, number?: number): void;
  /** Does nothing once the channel is closing. */
  ack(deliveryTag: number, multiple: boolean): void;
  requeue(deliveryTag: number): void;
  /** Asks for one `atTurnsEnd`. */
  settling(acks: Collected): void;
  /** Everything that was written leaves, and nothing comes any more. */
  end(): void;
}
