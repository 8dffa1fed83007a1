// Checks what a user wants to send before it gets near the wire: a bad property there closes the
// channel and takes innocent publishes with it.

import { compress } from './content-encoding.js';
import { milliseconds } from './duration.js';
import { EncodeError } from './errors.js';
import { checkName, outgoingHeaders } from './outgoing-headers.js';
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
  const { contentEncoding } = options;
  const content =
    contentEncoding === undefined ? encoded.content : compress(encoded.content, contentEncoding);
  const properties: Writable<MessageProperties> = {
    messageId: shortText('messageId', defaults.messageId),
    timestamp: Math.floor(defaults.timestamp / 1_000),
    deliveryMode: (options.persistent ?? defaults.persistent) ? 2 : 1,
    headers: options.headers === undefined ? {} : outgoingHeaders(options.headers),
  };
  if (encoded.contentType !== undefined)
    properties.contentType = shortText('contentType', encoded.contentType);
  if (contentEncoding !== undefined) properties.contentEncoding = contentEncoding;
  if (options.priority !== undefined) properties.priority = checkPriority(options.priority);
  if (options.expiration !== undefined) properties.expiration = String(expiration(options.expiration));
  if (options.correlationId !== undefined)
    properties.correlationId = shortText('correlationId', options.correlationId);
  if (options.type !== undefined) properties.type = shortText('type', options.type);
  if (options.userId !== undefined) properties.userId = shortText('userId', options.userId);
  if (defaults.appId !== undefined) properties.appId = defaults.appId;
  return {
    exchange: defaults.exchange,
    routingKey: defaults.routingKey,
    content,
    properties,
    mandatory: defaults.mandatory,
  };
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

type Writable<T> = { -readonly [K in keyof T]: T[K] };
