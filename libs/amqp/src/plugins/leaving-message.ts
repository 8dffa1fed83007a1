import { EncodeError } from '../errors/errors.js';
import { tableBytes } from '../message/headers.js';
import type { Delivery } from '../message/delivery.js';
import type { Headers, MessageProperties, OutgoingMessage } from '../message/message.js';
import { checkName, outgoingHeaders } from '../message/outgoing.js';
import type { MessageChanges, PublishContext, PublishKind, PublishResult } from './plugin.js';

/** What one publish shares among its plugins. */
export interface PublishRun {
  readonly kind: PublishKind;
  /** Sends what the last plugin gave. */
  readonly send: (message: OutgoingMessage) => Promise<PublishResult>;
  readonly payload: unknown;
  readonly template: string | undefined;
  readonly delivery: Delivery | undefined;
  readonly part: number | undefined;
  readonly limits: MessageLimits;
  /** The innermost plugin that was entered. */
  entered: string;
  /** What the sending comes to, once a plugin began it. */
  sending: Promise<PublishResult> | undefined;
  /** It may not be sent by plugins any more. */
  over: boolean;
  outcome: { readonly result: PublishResult } | { readonly error: unknown } | undefined;
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

  constructor(run: PublishRun, message: OutgoingMessage) {
    this.#run = run;
    this.#message = message;
  }

  /** What a plugin gave to `next`. @throws TypeError when that is something else */
  static read(context: PublishContext): { readonly run: PublishRun; readonly message: OutgoingMessage } {
    if (!(context instanceof LeavingMessage)) throw new TypeError('next got something else than its message');
    return { run: context.#run, message: context.#message };
  }

  get kind(): PublishKind {
    return this.#run.kind;
  }

  get exchange(): string {
    return this.#message.exchange;
  }

  get routingKey(): string {
    return this.#message.routingKey;
  }

  get template(): string | undefined {
    return this.#run.template;
  }

  get payload(): unknown {
    return this.#run.payload;
  }

  get content(): Buffer {
    return this.#message.content;
  }

  get properties(): MessageProperties {
    return this.#message.properties;
  }

  get delivery(): Delivery | undefined {
    return this.#run.delivery;
  }

  get part(): number | undefined {
    return this.#run.part;
  }

  with(changes: MessageChanges): PublishContext {
    const { content, headers, contentType, contentEncoding, type } = changes;
    for (const [what, value] of Object.entries({ contentType, contentEncoding, type })) {
      if (value !== undefined) checkName(what, value);
    }
    const before = this.#message;
    const properties: MessageProperties = {
      ...before.properties,
      headers: headers === undefined ? before.properties.headers : merged(before.properties.headers, headers),
      contentType: contentType ?? before.properties.contentType,
      contentEncoding: contentEncoding ?? before.properties.contentEncoding,
      type: type ?? before.properties.type,
    };
    const message = { ...before, content: content ?? before.content, properties };
    check(message, this.#run.limits);
    return new LeavingMessage(this.#run, message);
  }
}

function merged(before: Headers | undefined, added: Headers): Headers {
  const checked = outgoingHeaders(added);
  const all: Record<string, unknown> = { ...before, ...checked };
  for (const name of Object.keys(added)) if (added[name] === undefined) delete all[name];
  return all;
}

function check(
  { content, properties }: OutgoingMessage,
  { maxBytes, maxPropertyBytes }: MessageLimits,
): void {
  if (!Buffer.isBuffer(content)) throw new EncodeError('the content that a plugin gave is no Buffer', '');
  if (content.length > maxBytes) {
    throw new EncodeError(
      `the body that a plugin made has ${content.length} bytes, but maxMessageBytes is ${maxBytes}`,
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
