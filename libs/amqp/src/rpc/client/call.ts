import type { Clock } from '../../runtime/clock.js';
import type { Deadline, Deadlines } from '../../runtime/deadlines.js';
import { HEADER, safeHeaders, textHeader } from '../../message/headers.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import { isError, withoutFrames } from '../../errors/errors.js';
import {
  RpcProtocolError,
  RpcConnectionLostError,
  RpcNoServerError,
  RpcNotSentError,
  RpcTimeoutError,
} from '../../errors/rpc-errors.js';
import { type StandardSchema, validate } from '../../message/schema.js';
import type { Cancellation } from './cancellation.js';
import { readPart, readReply, type ReplyReading } from './decode-reply.js';
import { IdMap, type Listed } from '../../runtime/id-map.js';
import type { Waiting } from '../../publish/publish-buffer.js';

/**
 * A call under way, with its place in the publish buffer and among all calls. It ends by its reply, deadline, signal,
 * return, or the loss of the channel.
 */
export abstract class PendingCall implements Waiting, Listed {
  readonly id: string;
  after: this | undefined = undefined;
  gone = true;
  queued = false;
  /** Its request has left, on the channel that is open. */
  sent = false;
  ended = false;
  /** Where the server of a stream listens, once that is known. */
  controlQueue: string | undefined = undefined;

  constructor(readonly message: OutgoingMessage) {
    this.id = message.properties.correlationId as string;
  }

  get bytes(): number {
    return this.message.content.length;
  }

  /** One of possibly many replies. */
  abstract onReply(message: ReceivedMessage): void;
  /** The reply cannot come any more. */
  abstract onLost(reason: string): void;
  /** It could not even be sent. */
  abstract fail(error: Error): void;

  /** Nobody listens. */
  onReturned(): void {
    this.fail(new RpcNoServerError(this.message.exchange, this.message.routingKey));
  }

  /** For a call that is lost with its channel. */
  protected lostError(reason: string): Error {
    return new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason));
  }
}

/** Why the request of a call has not left; undefined when it has. */
export type WhyUnsent = (call: PendingCall) => string | undefined;

/** How a call ends whose time is over. */
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
  waitingFor({ properties: { correlationId } }: ReceivedMessage): PendingCall | undefined {
    const call = typeof correlationId === 'string' ? this.get(correlationId) : undefined;
    return call?.sent ? call : undefined;
  }

  /** The channel died: every call that was sent on it hears so. */
  lost(reason: string): void {
    for (const call of this.values().filter(({ sent }) => sent)) {
      call.sent = false;
      call.onLost(reason);
    }
  }
}

/** What it is made from. */
export interface GatherCallOptions {
  readonly message: OutgoingMessage;
  readonly timeout: number;
  /** Enough answers. */
  readonly expect: number;
  /** What all answers together may have. */
  readonly maxBytes: number;
  readonly cancellation: Cancellation | undefined;
  readonly deadlines: Deadlines;
  /** Why the request has not left; undefined when it has. */
  readonly whyUnsent: WhyUnsent;
  readonly onEnd: (result: GatherResult) => void;
}

/** How it ended. `left`: servers may still be running it in vain. */
export type GatherResult = { readonly left: boolean } & (
  { readonly replies: readonly ReceivedMessage[] } | { readonly error: Error }
);

/** More instances than any service has: a server that replies so often is faulty. */
const REPLIES_LIMIT = 10_000;

/**
 * One call to many: collects the answers of all instances until as many came as were expected, or the time
 * is over.
 */
export class GatherCall extends PendingCall {
  private readonly deadline: Deadline;
  private readonly replies = new Map<string, ReceivedMessage>();
  private size = 0;

  constructor(private readonly options: GatherCallOptions) {
    const { message, timeout, cancellation: leaving, deadlines } = options;
    super(message);
    // Instances that did not reply by now are not counted; that is not an error.
    this.deadline = deadlines.set(timeout, () => {
      const unsent = options.whyUnsent(this);
      if (unsent === undefined) this.answered(false);
      else this.fail(timedOut(message, timeout, this.id, unsent));
    });
    leaving?.listen(this.onLeft);
  }

  onReply(reply: ReceivedMessage): void {
    const instance = textHeader(safeHeaders(reply.properties.headers), HEADER.run);
    // An instance that got the request twice answers twice.
    const from = instance ?? `?${this.replies.size}`;
    if (!this.replies.has(from)) {
      this.replies.set(from, reply);
      this.size += reply.content.length;
    }
    const { maxBytes } = this.options;
    if (this.size > maxBytes) {
      const error = new RpcProtocolError(`the gathered replies have more than ${maxBytes} bytes`);
      return this.end({ error, left: true });
    }
    if (this.replies.size >= Math.min(this.options.expect, REPLIES_LIMIT)) this.answered(true);
  }

  onLost(reason: string): void {
    this.fail(this.lostError(reason));
  }

  fail(error: Error): void {
    this.end({ error, left: false });
  }

  private answered(left: boolean): void {
    this.end({ replies: [...this.replies.values()], left });
  }

  private readonly onLeft = (): void => {
    const error = this.options.cancellation?.error({ ...this.message, correlationId: this.id });
    if (error) this.end({ error, left: true });
  };

  private end(result: GatherResult): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.deadline);
    this.options.cancellation?.forget(this.onLeft);
    this.options.onEnd(result);
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

/** Who sends calls and hears how they end. */
export interface Caller {
  readonly deadlines: Deadlines;
  readonly clock: Clock;
  whyUnsent(call: PendingCall): string | undefined;
  /** Sends it once more. */
  again(call: PendingCall): void;
  /** It is over. `left`: its server may still be running it in vain. */
  ended(call: PendingCall, left: boolean): void;
}

/**
 * One call under way: its deadline, its signal, and its one end. A reply, a return, a time-out, an abort and
 * a lost channel may all come; the first counts. It is its own deadline.
 */
export class Call extends PendingCall implements Deadline {
  tick = 0;
  place = 0;
  private resends: number;
  /** And lost: what waits now is a second one. */
  private wasSent = false;
  /** Of an answer in several parts: the last one with a value. */
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

  onReply(reply: ReceivedMessage): void {
    const { reading, schema } = this.options;
    const part = reading.codec?.encodeEnd ? partOf(reply, reading) : 'last';
    if (part === 'more') this.last = reply;
    else if (this.end(false)) {
      try {
        const value = readReply(part === 'end' && this.last ? this.last : reply, reading);
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

  /** Its time is over. */
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
