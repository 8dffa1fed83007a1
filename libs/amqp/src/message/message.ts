// The words for what travels: a received message as the wire gave it, and an outgoing one as the wire
// will get it. Plain data; no channel in sight.

import { randomFillSync } from 'node:crypto';

// Ids of messages and of calls. Random throughout: whoever has seen some of them must not know the next one, since a
// correlation id is what tells a reply from a forged one, and a message id what a stored reply is found by. And short:
// RabbitMQ handles messages whose properties have more than 64 bytes more slowly (decisions 14 and 20).

/** Ids made from one look at the system's random numbers, which costs as much as a hundred ids. */
const POOLED = 256;

/** 96 random bits: 16 letters, digits, `-` and `_`. */
export const newMessageId = randomIds(12);

/** 128 random bits: 22 letters, digits, `-` and `_`. */
export const newCorrelationId = randomIds(16);

function randomIds(bytes: number): () => string {
  const pool = Buffer.allocUnsafeSlow(bytes * POOLED);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    return pool.toString('base64url', at, (at += bytes));
  };
}

/** Header values AMQP can carry. `undefined` entries are left out when sending. */
export type Headers = Readonly<Record<string, unknown>>;

/** AMQP's basic properties, with the names amqplib uses. */
export interface MessageProperties {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly headers?: Headers;
  readonly deliveryMode?: number;
  readonly priority?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly expiration?: string;
  readonly messageId?: string;
  readonly timestamp?: number;
  readonly type?: string;
  readonly userId?: string;
  readonly appId?: string;
}

/** A message as received from the broker. */
export interface ReceivedMessage {
  readonly content: Buffer;
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether the broker delivered it before, to any consumer. */
  readonly redelivered: boolean;
  readonly deliveryTag: number;
  readonly properties: MessageProperties;
}

/** A message ready to be sent. `headers` are checked, `content` is encoded. */
export interface OutgoingMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly properties: MessageProperties;
  readonly mandatory: boolean;
}
