// Checks what a user wants to send before it gets near the wire: a bad property there closes the
// channel and takes innocent publishes with it.

import { compress } from './content-encoding.js';
import { milliseconds } from '../options/duration.js';
import { EncodeError } from '../errors/errors.js';
import { checkName, outgoingHeaders } from './outgoing-headers.js';
import type { Encoded } from './codecs/codec.js';
import type { MessageProperties, OutgoingMessage } from './message.js';
import { newMessageId } from './message-id.js';
import type { PublishOptions } from '../options/publish-options.js';

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
  /** In ms, instead of that of the options. */
  readonly expiration?: number;
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
  if (options.delay !== undefined && (options.expiration ?? defaults.expiration) !== undefined) {
    throw new EncodeError(
      'delay and expiration cannot be combined: the message would leave its wait queue with the shorter of the two',
      'leave one of them out',
    );
  }
  exchangeNames.check(defaults.exchange);
  routingKeys.check(defaults.routingKey);
  if (encoded.content.length > defaults.maxBytes) {
    throw new EncodeError(
      `the body has ${encoded.content.length} bytes, but maxMessageBytes is ${defaults.maxBytes}`,
      'send a reference to it instead, or raise the limit on both sides',
    );
  }
  const { contentEncoding } = options;
  const content =
    contentEncoding === undefined ? encoded.content : compress(encoded.content, contentEncoding);
  // All names, in the order in which they are read: one shape for all messages.
  const properties: MessageProperties = {
    contentType: encoded.contentType === undefined ? undefined : contentTypes.check(encoded.contentType),
    contentEncoding,
    headers: defaults.headers ?? (options.headers === undefined ? {} : outgoingHeaders(options.headers)),
    deliveryMode: (options.persistent ?? defaults.persistent) ? 2 : 1,
    priority: options.priority === undefined ? undefined : checkPriority(options.priority),
    correlationId: shortText('correlationId', options.correlationId) ?? defaults.correlationId,
    replyTo: undefined,
    expiration: expirationOf(defaults.expiration, options.expiration),
    messageId: shortText('messageId', options.messageId) ?? newMessageId(),
    timestamp: Math.floor(defaults.timestamp / 1_000),
    type: shortText('type', options.type),
    userId: shortText('userId', options.userId),
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

/** Names that are mostly the one of the message before, which was checked then. */
class Names {
  private last = '';

  constructor(private readonly what: string) {}

  /** The name. @throws EncodeError */
  check(name: string): string {
    if (name !== this.last) {
      checkName(this.what, name);
      this.last = name;
    }
    return name;
  }
}

const exchangeNames = new Names('exchange');
const routingKeys = new Names('routing key');
const contentTypes = new Names('contentType');

function shortText(what: string, value: string | undefined): string | undefined {
  if (value !== undefined) checkName(what, value);
  return value;
}

function checkPriority(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255) return value;
  throw new EncodeError(`priority must be an integer between 0 and 255, but is ${String(value)}`, '');
}

function expirationOf(ms: number | undefined, given: PublishOptions['expiration']): string | undefined {
  if (ms !== undefined) return String(Math.max(0, Math.round(ms)));
  if (given === undefined) return undefined;
  try {
    return String(milliseconds(given, 'expiration'));
  } catch (error) {
    throw new EncodeError((error as Error).message, '', error);
  }
}
