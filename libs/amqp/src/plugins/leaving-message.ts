import { EncodeError } from '../errors/errors.js';
import { tableBytes } from '../message/headers.js';
import type { Delivery } from '../message/delivery.js';
import type { Deadline } from '../runtime/clock.js';
import {
  bodyBytes,
  bodySize,
  type Headers,
  type MessageProperties,
  type OutgoingMessage,
} from '../message/message.js';
import { checkName, outgoingHeaders } from '../message/outgoing.js';
import type { MessageChanges, PublishContext, PublishKind, PublishResult } from './plugin.js';

/** What one publish shares among its plugins. It is the deadline of what they do before they send the message. */
export class PublishRun implements Deadline {
  tick = 0;
  place = 0;
  /** The innermost plugin that was entered and has not returned. */
  entered = '';
  /** What the sending comes to, once a plugin began it. */
  sending: Promise<PublishResult> | undefined = undefined;
  /** It may not be sent by plugins any more. */
  over = false;
  outcome: { readonly result: PublishResult } | { readonly error: unknown } | undefined = undefined;

  constructor(
    readonly leaving: Leaving,
    /** Sends what the last plugin gave. */
    readonly send: (message: OutgoingMessage) => Promise<PublishResult>,
    readonly limits: () => MessageLimits,
    /** Plugins kept it for too long. */
    readonly onExpired: () => void,
  ) {}
}

/** One message that leaves. */
export interface Leaving {
  readonly kind: PublishKind;
  readonly message: OutgoingMessage;
  readonly payload?: unknown;
  readonly template?: string | undefined;
  readonly delivery?: Delivery;
  readonly part?: number | undefined;
  readonly idempotent?: boolean;
  /** How long plugins may keep it before they send it on, in ms. */
  readonly timeout: number;
}

/** How large a message may be. */
export interface MessageLimits {
  readonly maxBytes: number;
  readonly maxPropertyBytes: number;
}

/** What plugins get: a message, and the run that it belongs to, which they do not see. */
export class LeavingMessage implements PublishContext {
  readonly #run: PublishRun;
  readonly #message: OutgoingMessage;
  #content: Buffer | undefined;

  constructor(run: PublishRun, message: OutgoingMessage) {
    this.#run = run;
    this.#message = message;
  }

  /** The run of what a plugin gave to `next`. @throws TypeError when that is something else */
  static runOf(context: PublishContext): PublishRun {
    if (!(context instanceof LeavingMessage)) throw new TypeError('next got something else than its message');
    return context.#run;
  }

  static messageOf(context: PublishContext): OutgoingMessage {
    return (context as LeavingMessage).#message;
  }

  get kind(): PublishKind {
    return this.#run.leaving.kind;
  }

  get exchange(): string {
    return this.#message.exchange;
  }

  get routingKey(): string {
    return this.#message.routingKey;
  }

  get template(): string | undefined {
    return this.#run.leaving.template;
  }

  get payload(): unknown {
    return this.#run.leaving.payload;
  }

  get content(): Buffer {
    return (this.#content ??= bodyBytes(this.#message.content));
  }

  get properties(): MessageProperties {
    return this.#message.properties;
  }

  get delivery(): Delivery | undefined {
    return this.#run.leaving.delivery;
  }

  get part(): number | undefined {
    return this.#run.leaving.part;
  }

  get idempotent(): boolean {
    return this.#run.leaving.idempotent === true;
  }

  with(changes: MessageChanges): PublishContext {
    const { content, headers, contentType, contentEncoding, type } = changes;
    if (content !== undefined && !Buffer.isBuffer(content)) {
      throw new EncodeError('the content that a plugin gave is no Buffer', '');
    }
    if (contentType !== undefined) checkName('contentType', contentType);
    if (contentEncoding !== undefined) checkName('contentEncoding', contentEncoding);
    if (type !== undefined) checkName('type', type);
    const before = this.#message;
    const { properties: own } = before;
    // Written in one piece: a copy that changes is read more slowly by all who come after.
    const properties: MessageProperties = {
      contentType: contentType ?? own.contentType,
      contentEncoding: contentEncoding ?? own.contentEncoding,
      headers: headers === undefined ? own.headers : merged(own.headers, headers),
      deliveryMode: own.deliveryMode,
      priority: own.priority,
      correlationId: own.correlationId,
      replyTo: own.replyTo,
      expiration: own.expiration,
      messageId: own.messageId,
      timestamp: own.timestamp,
      type: type ?? own.type,
      userId: own.userId,
      appId: own.appId,
    };
    const { exchange, routingKey, mandatory } = before;
    const message = { exchange, routingKey, content: content ?? before.content, properties, mandatory };
    check(message, this.#run.limits());
    return new LeavingMessage(this.#run, message);
  }
}

function merged(before: Headers | undefined, added: Headers): Headers {
  const checked = outgoingHeaders(added);
  if (before === undefined) return checked;
  const all: Record<string, unknown> = { ...before };
  for (const name in added) if (added[name] === undefined) delete all[name];
  return Object.assign(all, checked);
}

function check(
  { content, properties }: OutgoingMessage,
  { maxBytes, maxPropertyBytes }: MessageLimits,
): void {
  const size = bodySize(content);
  if (size > maxBytes) {
    throw new EncodeError(
      `the body that a plugin made has ${size} bytes, but maxMessageBytes is ${maxBytes}`,
      'raise the limit on both sides, or store large bodies elsewhere',
    );
  }
  const bytes = tableBytes(properties);
  if (bytes <= maxPropertyBytes) return;
  throw new EncodeError(
    `the properties that a plugin made have ${bytes} bytes, but a frame holds ${maxPropertyBytes}`,
    'put less into the headers',
  );
}
