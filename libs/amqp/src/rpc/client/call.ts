// Pending calls: what all kinds have in common, the call with one reply, and how a reply is read.

import { DecodeError, isError, withoutFrames } from '../../errors/errors.js';
import { rebuiltError } from '../../errors/known-errors.js';
import {
  RpcConnectionLostError,
  RpcNoServerError,
  RpcNotSentError,
  RpcRemoteError,
  RpcTimeoutError,
} from '../../errors/rpc-errors.js';
import type { CallControl } from '../../message/call-control.js';
import type { Codec, CodecLookup, DecodedReply, RemoteErrorFacts } from '../../message/codecs/codec.js';
import { HEADER, refuseUnreadable, safeHeaders } from '../../message/headers.js';
import { bodySize, type OutgoingMessage, type ReceivedMessage } from '../../message/message.js';
import { type StandardSchema, validate } from '../../message/schema.js';
import type { ErrorClass } from '../../options/options.js';
import type { Waiting } from '../../publish/publish-buffer.js';
import type { Clock, Deadline, Deadlines } from '../../runtime/clock.js';
import { IdMap, type Listed } from '../../runtime/id-map.js';
import { describeError, printable, visible } from '../../runtime/logger.js';
import type { Cancellation } from './cancellation.js';

/**
 * A pending call, with its place in the publish buffer and among all calls. It ends by its reply, deadline, signal,
 * return, or the loss of the channel.
 */
export abstract class PendingCall implements Waiting, Listed {
  readonly id: string;
  /** Tells it from other calls with its correlation id; undefined when there are none. */
  readonly mark: unknown;
  after: this | undefined = undefined;
  gone = true;
  queued = false;
  /** Its request was sent on the current channel. */
  sent = false;
  ended = false;
  /** The control queue of a stream's server, once it is known. */
  controlQueue: string | undefined = undefined;

  constructor(readonly message: OutgoingMessage) {
    const { correlationId, headers } = message.properties;
    this.id = correlationId as string;
    this.mark = headers?.[HEADER.call];
  }

  get bytes(): number {
    return bodySize(this.message.content);
  }

  /** Says to its servers that it is over. */
  get cancel(): CallControl {
    return cancelOf(this.id, this.mark);
  }

  /** Whether its message id finds a stored reply, so that nobody else may see it. */
  get idempotent(): boolean {
    return false;
  }

  /** One of possibly many replies. */
  abstract onReply(message: ReceivedMessage): void;
  /** The reply cannot come any more. */
  abstract onLost(reason: string): void;
  /** It ends with this error. */
  abstract fail(error: Error): void;

  /** It cannot be sent, or not once more. */
  giveUp(error: Error): void {
    this.fail(error);
  }

  /** No server has the queue. */
  onReturned(): void {
    this.giveUp(new RpcNoServerError(this.message.exchange, this.message.routingKey));
  }

  /** For a call that is lost with its channel. */
  protected lostError(reason: string): Error {
    return new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason));
  }
}

/** Says that a call is over. `mark`: see `PendingCall`. */
export function cancelOf(id: string, mark: unknown): CallControl {
  return typeof mark === 'string' ? { kind: 'cancel', id, call: mark } : { kind: 'cancel', id };
}

/** Why the request of a call was not sent; undefined when it was. */
export type WhyUnsent = (call: PendingCall) => string | undefined;

/** The error of a call whose timeout expired. */
export function timedOut(
  { exchange, routingKey }: OutgoingMessage,
  timeout: number,
  id: string,
  unsent: string | undefined,
): RpcTimeoutError {
  return withoutFrames(() =>
    unsent === undefined
      ? new RpcTimeoutError(exchange, routingKey, timeout, id)
      : new RpcNotSentError(exchange, routingKey, timeout, id, unsent),
  );
}

/** Sent or waiting to be sent. */
export class PendingCalls extends IdMap<PendingCall> {
  /** The call that waits for a message; undefined for one that is late, repeated, foreign, or without an id. */
  waitingFor({ properties: { correlationId, headers } }: ReceivedMessage): PendingCall | undefined {
    const call = typeof correlationId === 'string' ? this.get(correlationId) : undefined;
    if (!call?.sent) return undefined;
    const mark = call.mark === undefined ? undefined : headers?.[HEADER.call];
    // Servers that do not know the mark do not return it.
    return mark === undefined || mark === call.mark ? call : undefined;
  }

  /** The channel was lost: so are the calls that were sent on it. */
  lost(reason: string): void {
    for (const call of this.values().filter(({ sent }) => sent)) {
      call.sent = false;
      call.onLost(reason);
    }
  }
}

/** What a call is made from. */
export interface CallOptions {
  readonly message: OutgoingMessage;
  readonly timeout: number;
  /** Cancels the call early; undefined when nothing can. */
  readonly cancellation: Cancellation | undefined;
  readonly reading: ReplyReading;
  /** What the value of the reply must be. */
  readonly schema?: StandardSchema | undefined;
  /** How often it may be sent again when the connection is lost. */
  readonly resends: number;
}

/** Sends calls, and is told how they end. */
export interface Caller {
  readonly deadlines: Deadlines;
  readonly clock: Clock;
  whyUnsent(call: PendingCall): string | undefined;
  /** Sends it once more. */
  again(call: PendingCall): void;
  /** It ended. `left`: without a reply, so its server may still be running it. */
  ended(call: PendingCall, left: boolean): void;
}

/**
 * A call with one reply: its deadline, its signal, and its one outcome. A reply, a return, a timeout, an abort and
 * a lost channel may all occur; the first counts. It is its own deadline, to save an object for each call.
 */
export class Call extends PendingCall implements Deadline {
  tick = 0;
  place = 0;
  private resends: number;
  /** It was sent and lost; now it waits to be sent again. */
  private wasSent = false;
  /** Of a reply in several parts: the last part with a value. */
  private last: ReceivedMessage | undefined = undefined;

  constructor(
    private readonly options: CallOptions,
    private readonly by: Caller,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: Error) => void,
  ) {
    super(options.message);
    this.resends = options.resends;
    by.deadlines.addAt(by.clock.monotonic() + options.timeout, this);
    options.cancellation?.listen(this);
  }

  override get idempotent(): boolean {
    return this.options.resends > 0;
  }

  onReply(reply: ReceivedMessage): void {
    const { reading, schema } = this.options;
    const part = reading.codec?.encodeEnd ? partOf(reply, reading) : 'last';
    if (part === 'more') this.last = reply;
    else if (this.end(false)) {
      try {
        const read = readPart(part === 'end' && this.last ? this.last : reply, reading);
        const value = read.kind === 'end' ? undefined : read.value;
        this.resolve(schema ? validate(schema, value) : value);
      } catch (error) {
        this.reject(isError(error) ? error : new Error(String(error)));
      }
    }
  }

  onLost(reason: string): void {
    this.wasSent = true;
    if (this.resends-- > 0) return this.by.again(this);
    this.fail(this.lostError(reason));
  }

  fail(error: Error): void {
    if (this.end(false)) this.reject(error);
  }

  // It may have been handled when it was sent before.
  override giveUp(error: Error): void {
    this.fail(this.wasSent ? this.lostError(error.message) : error);
  }

  /** Its timeout expired. */
  onExpired(): void {
    const unsent = this.wasSent ? undefined : this.by.whyUnsent(this);
    this.leave(timedOut(this.message, this.options.timeout, this.id, unsent));
  }

  /** A signal aborted. */
  handleEvent(): void {
    this.leave(this.options.cancellation?.error({ ...this.message, correlationId: this.id }));
  }

  private leave(error: Error | undefined): void {
    if (error && this.end(true)) this.reject(error);
  }

  /** False when it had ended before. */
  private end(left: boolean): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.by.deadlines.clear(this);
    this.options.cancellation?.forget(this);
    this.by.ended(this, left);
    return true;
  }
}

/** Whether a reply is one of several: for wires that stream in a form of their own. */
function partOf(reply: ReceivedMessage, reading: ReplyReading): 'more' | 'last' | 'end' {
  try {
    const part = readPart(reply, reading);
    if (part.kind === 'end') return 'end';
    return part.more ? 'more' : 'last';
  } catch {
    // An error, which ends every reply; the caller reads it again.
    return 'last';
  }
}

// Reading a reply: a value, or the error of the remote handler. Whatever a foreign service sends, the caller gets one of
// the two, and only text that is safe to print.

/** Another program chooses these texts, which appear in errors and logs of this one. */
const TEXT_LIMIT = 8_000;

/** One part of a reply. */
export type ReplyPart = Exclude<DecodedReply, { readonly kind: 'error' }>;

/** How replies of one call are read. */
export interface ReplyReading {
  readonly codecs: CodecLookup;
  readonly codec: Codec | undefined;
  /** Error classes that are rebuilt here. */
  readonly known: ReadonlyMap<string, ErrorClass>;
  /** The size limit of one reply. */
  readonly maxBytes: number;
}

/** A reply that others are kept with: `bytes` is its size without its content-encoding. */
export interface KeptReply {
  readonly bytes: number;
  /** What it says. @throws RpcRemoteError or the error it stands for, DecodeError */
  readonly part: () => ReplyPart;
}

/** A reply, decompressed: what it takes in memory is not what it took on the wire. Never throws. */
export function keptReply(message: ReceivedMessage, reading: ReplyReading): KeptReply {
  const { content, properties } = message;
  const tooLarge = content.length > reading.maxBytes;
  if (tooLarge || !properties.contentEncoding) {
    return { bytes: tooLarge ? 0 : content.length, part: () => readPart(message, reading) };
  }
  try {
    const plain = reading.codecs.decompress(content, properties);
    const unfolded = {
      ...message,
      content: plain,
      properties: { ...properties, contentEncoding: undefined },
    };
    return { bytes: plain.length, part: () => readPart(unfolded, reading, Infinity) };
  } catch (error) {
    const part = (): never => {
      throw error;
    };
    return { bytes: 0, part };
  }
}

/** What one part of a reply says. @throws RpcRemoteError or the error it stands for, DecodeError */
export function readPart(
  { content, properties }: ReceivedMessage,
  reading: ReplyReading,
  maxBytes = reading.maxBytes,
): ReplyPart {
  const { codecs, codec, known } = reading;
  if (content.length > maxBytes) {
    throw new DecodeError(
      `the reply has ${content.length} bytes, but maxMessageBytes is ${maxBytes}`,
      'raise the limit on both sides, or reply with a reference',
    );
  }
  const headers = safeHeaders(properties.headers);
  refuseUnreadable(headers);
  if (codec?.decodeReply) {
    const reply = decoded(() =>
      codec.decodeReply?.(codecs.decompress(content, properties, codec), properties),
    );
    if (reply?.kind === 'error') throw remoteError(reply.error, known);
    return reply ?? { kind: 'end' };
  }
  const marked = headers[HEADER.rpcError];
  if (marked === undefined || marked === null || marked === 0 || marked === false) {
    return { kind: 'value', value: codecs.decode(content, properties, codec) };
  }
  throw remoteError(errorFacts(decoded(() => codecs.decode(content, properties))), known);
}

function decoded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError(
      `the reply cannot be read: ${printable(describeError(error))}`,
      "check that the other side's content type matches the body",
      [],
      error,
    );
  }
}

function remoteError(facts: RemoteErrorFacts, known: ReadonlyMap<string, ErrorClass>): Error {
  const { data } = facts;
  // Errors are logged: line ends and escape sequences must not take effect where the log is shown.
  const message = visible(facts.message.slice(0, TEXT_LIMIT));
  const code = typeof facts.code === 'string' ? visible(facts.code.slice(0, TEXT_LIMIT)) : facts.code;
  const error = new RpcRemoteError(visible(facts.name.slice(0, TEXT_LIMIT)), message, code, data);
  return rebuiltError(known, { ...facts, message }, error) ?? error;
}

function errorFacts(body: unknown): RemoteErrorFacts {
  if (typeof body !== 'object' || body === null) return { name: 'Error', message: String(body) };
  const { name, message, code, data } = body as Record<string, unknown>;
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : 'the remote handler failed',
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(data === undefined ? {} : { data }),
  };
}
