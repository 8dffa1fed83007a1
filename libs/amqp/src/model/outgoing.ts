// Checks what a user wants to send before it gets near the wire: a bad property there closes the
// channel and takes innocent publishes with it.

import { milliseconds } from './duration.js';
import { EncodeError } from './errors.js';
import type { Encoded } from './codec.js';
import type { MessageProperties, OutgoingMessage } from './message.js';
import type { PublishOptions } from './publish-options.js';

/** Where a message goes, and what every message gets. */
export interface OutgoingDefaults {
  readonly exchange: string;
  readonly routingKey: string;
  readonly persistent: boolean;
  readonly mandatory: boolean;
  readonly messageId: string;
  readonly timestamp: number;
  readonly appId?: string;
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
  encoded: Encoded,
  options: PublishOptions,
): OutgoingMessage {
  if (options.delay !== undefined && options.expiration !== undefined) {
    throw new EncodeError(
      'delay and expiration cannot be had together: the wait ends with the first of the two, and the broker forgets the other',
      'leave one of them out',
    );
  }
  checkName('exchange', defaults.exchange);
  checkName('routing key', defaults.routingKey);
  if (encoded.content.length > defaults.maxBytes) {
    throw new EncodeError(
      `the body has ${encoded.content.length} bytes, but maxMessageBytes is ${defaults.maxBytes}`,
      'send a reference to it instead, or raise the limit on both sides',
    );
  }
  const properties: Writable<MessageProperties> = {
    messageId: shortText('messageId', defaults.messageId),
    timestamp: Math.floor(defaults.timestamp / 1_000),
    deliveryMode: (options.persistent ?? defaults.persistent) ? 2 : 1,
    headers: options.headers ? checkHeaders(options.headers) : {},
  };
  if (encoded.contentType !== undefined)
    properties.contentType = shortText('contentType', encoded.contentType);
  if (options.priority !== undefined) properties.priority = checkPriority(options.priority);
  if (options.expiration !== undefined) properties.expiration = String(expiration(options.expiration));
  if (options.correlationId !== undefined)
    properties.correlationId = shortText('correlationId', options.correlationId);
  if (options.type !== undefined) properties.type = shortText('type', options.type);
  if (defaults.appId !== undefined) properties.appId = defaults.appId;
  return {
    exchange: defaults.exchange,
    routingKey: defaults.routingKey,
    content: encoded.content,
    properties,
    mandatory: defaults.mandatory,
  };
}

/** Names and keys are at most 255 bytes on the wire; longer ones must fail, never be cut. */
export function checkName(what: string, value: unknown): asserts value is string {
  if (typeof value !== 'string')
    throw new EncodeError(`the ${what} must be a string, but is ${kindOf(value)}`, '');
  if (Buffer.byteLength(value) > 255) {
    throw new EncodeError(`the ${what} is ${Buffer.byteLength(value)} bytes long`, 'AMQP allows 255 bytes');
  }
  if (Buffer.from(value).toString() !== value) {
    throw new EncodeError(`the ${what} contains half a character (a lone surrogate)`, '');
  }
  if (value.includes('\0')) throw new EncodeError(`the ${what} contains a NUL character`, '');
}

function shortText(what: string, value: unknown): string {
  checkName(what, value);
  return value;
}

function checkPriority(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255) return value;
  throw new EncodeError(`priority must be a whole number from 0 to 255, but is ${String(value)}`, '');
}

function expiration(value: NonNullable<PublishOptions['expiration']>): number {
  try {
    return milliseconds(value, 'expiration');
  } catch (error) {
    throw new EncodeError((error as Error).message, '', error);
  }
}

function checkHeaders(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    if (Buffer.byteLength(name) > 255)
      throw new EncodeError(`the header name '${name.slice(0, 40)}…' is too long`, '');
    checkHeaderValue(name, value, 0);
    checkCopies(name, value);
    copy[name] = value;
  }
  return copy;
}

// The broker sends copies to what CC and BCC list, and closes the channel when they are no lists of texts.
function checkCopies(name: string, value: unknown): void {
  if (name !== 'CC' && name !== 'BCC') return;
  if (Array.isArray(value) && value.every((key) => typeof key === 'string')) return;
  throw new EncodeError(`header '${name}' must be a list of routing keys`, 'the broker sends copies to them');
}

function checkHeaderValue(name: string, value: unknown, depth: number): void {
  if (depth > 20) throw new EncodeError(`header '${name}' is nested too deep or circular`, '');
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') {
    throw new EncodeError(
      `header '${name}' is ${kindOf(value)}, which AMQP cannot carry`,
      'send text or a number',
    );
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new EncodeError(`header '${name}' is ${value}, which AMQP cannot carry`, '');
  }
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value) || value instanceof Date) return;
  for (const inner of Object.values(value)) checkHeaderValue(name, inner, depth + 1);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
