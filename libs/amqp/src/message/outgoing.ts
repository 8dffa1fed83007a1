// Checks what a user wants to send before it gets near the wire: a bad property there closes the
// channel and takes innocent publishes with it.

import { randomFillSync } from 'node:crypto';
import { EncodeError } from '../errors/errors.js';
import { tableBytes, TABLE_BYTES, writable, type ReturnRoute } from './headers.js';
import { describeError, printable } from '../runtime/logger.js';
import type { LogFields } from '../runtime/log-events.js';
import { bodyBytes, bodySize } from './message.js';
import type { Headers, OutgoingMessage, MessageProperties } from './message.js';
import type { CodecLookup, EncodedBody } from './codecs/codec.js';
import type { Delivery } from './delivery.js';
import { compress } from './content-encoding.js';
import { milliseconds, type Duration } from '../options/duration.js';
import type { PublishOptions } from '../options/publish-options.js';

// Ids of messages and of calls. Random throughout: whoever has seen some of them must not know the next one, since a
// correlation id is what tells a reply from a forged one, and a message id what a stored reply is found by. And short:
// RabbitMQ handles messages whose properties have more than 64 bytes more slowly (decisions 14 and 20).

/** Ids made from one look at the system's random numbers, which costs as much as some hundred ids. */
const POOLED = 1_024;

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

// Names and headers of outgoing messages, checked before the wire. The client library is told everything in a form
// that it writes as it is meant: by itself it makes an empty table of a Date, and forgets what it does not know.

const MAX_DEPTH = 20;

const PLAIN = /^[\x01-\x09\x0b\x0c\x0e-\x7f]{0,255}$/;

/** Names and keys are at most 255 bytes on the wire; longer ones must fail, never be cut. */
export function checkName(what: string, value: unknown): asserts value is string {
  if (typeof value !== 'string')
    throw new EncodeError(`the ${what} must be a string, but is ${kindOf(value)}`, '');
  // Nearly all names: nothing can be wrong with them.
  if (PLAIN.test(value)) return;
  // RabbitMQ leaves them out of the names of queues and exchanges: `a\nb` would be `ab`.
  if (/[\r\n]/.test(value) && /^(queue|exchange)$/.test(what)) {
    throw new EncodeError(
      `the ${what} has a line break in its name: '${printable(value.slice(0, 60))}'`,
      'remove it',
    );
  }
  if (Buffer.byteLength(value) > 255) {
    throw new EncodeError(`the ${what} is ${Buffer.byteLength(value)} bytes long`, 'AMQP allows 255 bytes');
  }
  if (Buffer.from(value).toString() !== value) {
    throw new EncodeError(`the ${what} contains a lone surrogate (half a character)`, '');
  }
  if (value.includes('\0')) throw new EncodeError(`the ${what} contains a NUL character`, '');
}

/** Headers as the wire takes them; `undefined` entries are left out. @throws EncodeError naming the header */
export function outgoingHeaders(headers: Headers): Record<string, unknown> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new EncodeError(`the headers must be an object, but are ${kindOf(headers)}`, '');
  }
  const copy: Record<string, unknown> = {};
  let name = '';
  try {
    for (name of Object.keys(headers)) {
      const value = headers[name];
      if (value === undefined) continue;
      checkKey(name);
      checkCopies(name, value);
      copy[name] = converted(name, value, 0);
    }
  } catch (error) {
    if (error instanceof EncodeError) throw error;
    // A getter may throw anything.
    throw new EncodeError(`header '${printable(name)}' cannot be read: ${describeError(error)}`, '', error);
  }
  const bytes = tableBytes(copy);
  if (bytes > TABLE_BYTES) {
    const [largest] = Object.keys(copy).sort(
      (a, b) => tableBytes({ b: copy[b] }) - tableBytes({ a: copy[a] }),
    );
    throw new EncodeError(
      `the message cannot be sent: its headers take ${bytes} bytes, of which '${printable(largest)}' takes the most`,
      `at most ${TABLE_BYTES} bytes are allowed; move large values into the body`,
    );
  }
  return copy;
}

function checkKey(name: string): void {
  if (PLAIN.test(name) && name !== '__proto__') return;
  checkName(`header name '${printable(name.slice(0, 40))}'`, name);
  if (name === '__proto__') {
    throw new EncodeError(
      `a header cannot be called '__proto__'`,
      'it would change objects in the receiving process',
    );
  }
}

// The broker sends copies to what CC and BCC list, and closes the channel when they are no lists of texts.
function checkCopies(name: string, value: unknown): void {
  if (name !== 'CC' && name !== 'BCC') return;
  if (!Array.isArray(value) || !value.every((key) => typeof key === 'string')) {
    throw new EncodeError(
      `header '${name}' must be an array of routing keys`,
      'the broker sends a copy to each of them',
    );
  }
  for (const key of value) checkName(`routing key in header '${name}'`, key);
}

/** A value for the client library. */
function converted(name: string, value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new EncodeError(`header '${name}' is nested too deeply or circular`, '');
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value))
        throw new EncodeError(`header '${name}' is ${value}, which AMQP cannot carry`, '');
      return writable(value);
    case 'object':
      return value === null ? null : convertedObject(name, value, depth);
    default:
      throw new EncodeError(
        `header '${name}' is or contains ${kindOf(value)}, which AMQP cannot carry`,
        'send a string or a number',
      );
  }
}

function convertedObject(name: string, value: object, depth: number): unknown {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new EncodeError(`header '${name}' is an invalid Date`, '');
    return writable(value);
  }
  if (Array.isArray(value)) return value.map((inner) => converted(name, inner, depth + 1));
  if (value instanceof Map || value instanceof Set || value instanceof Promise || value instanceof RegExp) {
    throw new EncodeError(
      `header '${name}' is or contains ${kindOf(value)}, which AMQP cannot carry`,
      'send a plain object or an array',
    );
  }
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    checkKey(key);
    copy[key] = key === 'value' && Object.hasOwn(value, '!') ? inner : converted(name, inner, depth + 1);
  }
  return copy;
}

/** What a value is, for a sentence. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? `a ${value.constructor?.name ?? 'object'}` : `a ${typeof value}`;
}

// What the consuming side needs of the publishing side: to send a message on before it acks the
// original. An interface, so that the two sides never import each other.

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
  /** The same to a queue of Warren: when it was deleted, it is declared again first. */
  sendTo(queue: KeptQueue, message: OutgoingMessage): Promise<void>;
  /** The same after a wait in the broker, to the queue that the routing key names. */
  sendLater(message: OutgoingMessage, wait: number, back: ReturnRoute): Promise<void>;
  /** Passes messages that are forwarded for a delivery to `send`, as changed by plugins. */
  forwarded(
    kind: 'retry' | 'dead-letter',
    message: OutgoingMessage,
    delivery: Delivery,
    send: (message: OutgoingMessage) => Promise<void>,
  ): Promise<void>;
  /** Bytes that the properties of a message may take, headers included: a frame of this connection holds no more. */
  readonly maxPropertyBytes: number;
  readonly codecs: CodecLookup;
}

/** Where a message goes, and what every message gets. */
export interface OutgoingDefaults {
  readonly exchange: string;
  readonly routingKey: string;
  readonly persistent: boolean;
  readonly mandatory: boolean;
  readonly timestamp: number;
  readonly appId?: string;
  /** When the options have none. */
  readonly correlationId?: string;
  /** Checked, instead of those of the options. */
  readonly headers?: Record<string, unknown>;
  /** As it is written, instead of that of the options. */
  readonly expiration?: string;
  /** The largest body. */
  readonly maxBytes: number;
}

/**
 * A message that is safe to send.
 *
 * @throws EncodeError naming the property that cannot go over the wire.
 */
export function outgoing(
  defaults: OutgoingDefaults,
  encoded: EncodedBody,
  options: PublishOptions,
): OutgoingMessage {
  if (options.delay !== undefined && (options.expiration ?? defaults.expiration) !== undefined) {
    throw new EncodeError(
      'delay and expiration cannot be combined: the message would leave its wait queue with the shorter of the two',
      'use one of them',
    );
  }
  checkNames(defaults, encoded.contentType, options);
  // A character takes three bytes at most.
  if (encoded.content.length * 3 > defaults.maxBytes && bodySize(encoded.content) > defaults.maxBytes) {
    throw new EncodeError(
      `the body has ${bodySize(encoded.content)} bytes, but maxMessageBytes is ${defaults.maxBytes}`,
      'send a reference to it instead, or raise the limit on both sides',
    );
  }
  const { contentEncoding } = options;
  const content =
    contentEncoding === undefined ? encoded.content : compress(bodyBytes(encoded.content), contentEncoding);
  // All names, in the order in which they are read: one shape for all messages.
  const properties: MessageProperties = {
    contentType: encoded.contentType,
    contentEncoding,
    headers:
      defaults.headers ?? (options.headers === undefined ? NO_HEADERS : outgoingHeaders(options.headers)),
    deliveryMode: (options.persistent ?? defaults.persistent) ? 2 : 1,
    priority: options.priority === undefined ? undefined : checkPriority(options.priority),
    correlationId: options.correlationId ?? defaults.correlationId,
    replyTo: undefined,
    expiration:
      defaults.expiration ??
      (options.expiration === undefined ? undefined : expirationOf(options.expiration)),
    messageId: options.messageId ?? newMessageId(),
    timestamp: Math.floor(defaults.timestamp / 1_000),
    type: options.type,
    userId: options.userId,
    appId: defaults.appId,
  };
  return {
    exchange: defaults.exchange,
    routingKey: defaults.routingKey,
    content,
    properties,
    mandatory: defaults.mandatory,
  };
}

const NO_HEADERS: Headers = Object.freeze({});

/** Names of the message before, which were checked then: mostly those of the next one too. */
const last = { exchange: '', routingKey: '', contentType: '' };

function checkNames(
  { exchange, routingKey }: OutgoingDefaults,
  contentType: string | undefined,
  { correlationId, messageId, type, userId }: PublishOptions,
): void {
  if (exchange !== last.exchange) {
    checkName('exchange', exchange);
    last.exchange = exchange;
  }
  if (routingKey !== last.routingKey) {
    checkName('routing key', routingKey);
    last.routingKey = routingKey;
  }
  if (contentType !== undefined && contentType !== last.contentType) {
    checkName('contentType', contentType);
    last.contentType = contentType;
  }
  if (correlationId !== undefined) checkName('correlationId', correlationId);
  if (messageId !== undefined) checkName('messageId', messageId);
  if (type !== undefined) checkName('type', type);
  if (userId !== undefined) checkName('userId', userId);
}

function checkPriority(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255) return value;
  throw new EncodeError(`priority must be an integer between 0 and 255, but is ${String(value)}`, '');
}

function expirationOf(life: Duration): string {
  try {
    return String(milliseconds(life, 'expiration'));
  } catch (error) {
    throw new EncodeError((error as Error).message, '', error);
  }
}

/** A message that leaves, as fields of a log line. */
export function aboutOutgoing({
  exchange,
  routingKey,
  properties,
}: OutgoingMessage): Omit<LogFields, 'event'> {
  return { exchange, routingKey, messageId: properties.messageId };
}
