// One message on its way to a handler. It carries its own way to be settled, and settles once: a second
// time does nothing and warns, whoever tries. The channel it came on is the sink's business.

import { printable } from '../runtime/logger.js';
import type { LogFields } from '../runtime/log-events.js';
import type { Duration } from '../options/duration.js';
import { onWall, systemClock, type Clock } from '../runtime/clock.js';
import {
  countHeader,
  HEADER,
  isOwnRetry,
  NO_HEADERS,
  safeHeaders,
  textHeader,
  RETURN_EXCHANGE,
  publishedTo,
} from './headers.js';
import type { Headers, MessageProperties, ReceivedMessage } from './message.js';
import { Reject, Retry } from '../errors/signals.js';

// The outcome of one delivery, as data. Steps of the pipeline hand it upwards; consume/settlement.ts
// is the one place that carries it out.

/** The outcome of one delivery. */
export type Verdict =
  /** Done: ack. `value` is the reply of an RPC handler. */
  | { readonly kind: 'ack'; readonly value?: unknown }
  /** Dropped by the handler: acked and discarded. */
  | { readonly kind: 'drop' }
  /** Waits `after` ms in a wait queue and is then delivered as attempt `attempt`. */
  | { readonly kind: 'retry'; readonly after: number; readonly attempt: number; readonly error: unknown }
  /** Goes to the dead-letter queue with details of its failure. */
  | { readonly kind: 'dead-letter'; readonly reason: DeadLetterReason; readonly error: unknown }
  /** Returned to the queue unchanged, because this process is shutting down. */
  | { readonly kind: 'requeue' }
  /** The handler settles by itself later (`ack: 'manual'`). */
  | { readonly kind: 'open' };

/** Why a message was dead-lettered; the header `x-warren-reason` of the dead letter. */
export type DeadLetterReason =
  'rejected' | 'attempts-exhausted' | 'not-retryable' | 'undecodable' | 'unmatched' | 'poison' | 'too-large';

/** Settled with success. */
export const ACK: Verdict = Object.freeze({ kind: 'ack' });
/** Acked and forgotten. */
export const DROP: Verdict = Object.freeze({ kind: 'drop' });
/** Back to the broker. */
export const REQUEUE: Verdict = Object.freeze({ kind: 'requeue' });
/** Left to the handler. */
export const OPEN: Verdict = Object.freeze({ kind: 'open' });

const USABLE = /^[\x20-\x7e]{1,128}$/;

/** An id that is safe to forward: a remote client chose it. */
function usableId(id: unknown): string | undefined {
  return typeof id === 'string' && USABLE.test(id) ? id : undefined;
}

/** The message id of a delivery, when others may see it: that of an idempotent call finds its stored reply. */
export function publicId({ call, message }: Delivery): string | undefined {
  return call?.idempotent ? undefined : usableId(message.properties.messageId);
}

/** `message 42 ('order.created') of queue 'orders'`; the routing key only where it says more than the queue. */
export function named({ queue, message, routingKey, correlationId }: Delivery): string {
  const id = message.properties.messageId;
  const which = id === undefined || id === '' ? 'a message without id' : `message ${printable(id, 100)}`;
  const key = routingKey === queue ? '' : ` ('${printable(routingKey)}')`;
  const chain = correlationId === undefined || correlationId === id ? '' : ` [correlation ${correlationId}]`;
  return `${which}${key} of queue '${queue}'${chain}`;
}

/** The same as fields of a log line. */
export function aboutMessage(delivery: Delivery): Omit<LogFields, 'event'> {
  const { messageId } = delivery.message.properties;
  return {
    handler: delivery.handler === '' ? undefined : delivery.handler,
    queue: delivery.queue,
    messageId: messageId === undefined || messageId === '' ? undefined : printable(messageId, 100),
    correlationId: delivery.correlationId,
    exchange: printable(delivery.exchange),
    routingKey: printable(delivery.routingKey),
  };
}

/** Who turns the outcome into frames, and where warnings go. */
export interface DeliverySink {
  /** Turns a decision of the handler (`ack`, `reject`, `retry` called by it) into its verdict and carries it out. */
  settle(delivery: Delivery, decision: Verdict | Error): void;
  warn(text: string, delivery: Delivery): void;
  /** What times of deliveries are measured with. Default: the machine's. */
  readonly clock?: Clock;
}

/** Something that will end, with or without an error. */
export interface Ending {
  /** Calls `next` once, when it is over: at once if it is. */
  whenOver(next: () => void): void;
}

/** The call that a handler answers: what calls that are made inside it inherit. */
export interface CallScope {
  /** When its caller stops waiting, by the monotonic clock; undefined when it did not say. */
  readonly deadline: number | undefined;
  /** Aborts when the caller left. */
  readonly signal: AbortSignal;
  /** The handler has answered. */
  over: boolean;
  /** Its message id identifies a stored reply, so it is secret. */
  readonly idempotent: boolean;
}

/** A body, and what it is read by. */
export interface DeliveryBody {
  readonly content: Buffer;
  readonly properties: MessageProperties;
}

/** What the steps of the pipeline know and find out about one delivery. Times are of the monotonic clock. */
export interface DeliveryRun {
  /** When it came into this process. */
  arrivedAt: number;
  /** When its steps began. */
  beganAt: number;
  /** When its handler's time ends, by its `timeout` or its caller's timeout. */
  deadline: number | undefined;
  /** RPC: when its caller stops waiting; undefined when it did not say. */
  callerDeadline: number | undefined;
  /** Its delivery tag, of the delivery that is to be settled. */
  tag: number;
  /** Index of the handler of its queue; -1 for none, or when not decided yet. */
  handler: number;
  /** Its place among the unsettled ones of its consumer; -1 when it is not there. */
  place: number;
  /** RPC: its caller reads the answer as a stream of items. */
  streamed: boolean;
  /** Why the handler was told to stop, if it was. */
  abortedBy: unknown;
  /** RPC: its answer on its way. The request is not settled before that is over. */
  answer: Ending | undefined;
  /** Plugins passed it on to its handler. */
  entered: boolean;
  /** What is decoded instead of what was received, when a plugin says so. */
  body: DeliveryBody | undefined;
  /** What its handler came to, when there are plugins around it. */
  verdict?: Verdict;
  /** Why its handler must not be called: it may have killed the process. */
  poison?: Error;
  /** How often the broker took it back because its handler took too long. */
  tookBack?: number;
  /** Whether its retry or dead letter has arrived; undefined while it is pending. */
  sentOn?: boolean;
  /** Who wants to know that. */
  whenSentOn?: (there: boolean) => void;
  /** It was refused before its handler was called: unreadable, or not what the schema, a guard or a pipe wants. */
  refused?: boolean;
  /** RPC: the id that the caller got in place of an error that is not for it. */
  errorId?: string;
  /** `orderBy`: why it has no place in the order, when that is so. */
  orderKeyError?: unknown;
}

/** What a handler gets: the payload, the properties of the message, and methods to settle it (`ack: 'manual'`). */
export class Delivery<T = unknown> {
  /** The decoded (and validated) body. */
  payload = undefined as T;
  /** Own keys only, no prototype. */
  readonly headers: Headers;
  /** 1 for the first attempt, counted across retries. */
  readonly attempt: number;
  /** The exchange it was published to, also after retries. */
  readonly exchange: string;
  /** The key it was published with, also after retries. */
  readonly routingKey: string;
  /** The handler that gets it, for logs and errors: `OrderHandlers.place`. */
  handler = '';
  /** What the handler's own `ack`, `reject` or `retry` came to; undefined when it did not settle by itself. */
  decided: Verdict | undefined;
  /** The facts of its way through this process. */
  readonly run: DeliveryRun = {
    arrivedAt: 0,
    beganAt: 0,
    deadline: undefined,
    callerDeadline: undefined,
    tag: 0,
    handler: -1,
    place: -1,
    streamed: false,
    abortedBy: undefined,
    answer: undefined,
    entered: false,
    body: undefined,
  };

  private controller: AbortController | undefined = undefined;
  // Hard private: printing a delivery, or an event with one, must not print the consumer and its options.
  readonly #sink: DeliverySink;
  #call: CallScope | undefined = undefined;
  private outcome: Verdict['kind'] | 'handler' | undefined = undefined;

  constructor(
    readonly message: ReceivedMessage,
    /** The queue it came from. */
    readonly queue: string,
    sink: DeliverySink,
  ) {
    this.#sink = sink;
    const { exchange, routingKey, properties } = message;
    const table = properties.headers;
    const headers = table && Object.keys(table).length > 0 ? safeHeaders(table) : NO_HEADERS;
    this.headers = headers;
    // Our own headers count where retries and replays arrive: on a message that an exchange routed they are copies,
    // taken along by somebody who handed all headers on, or written to have another handler run.
    const isOwn = HEADER.queue in headers && isOwnRetry(queue, headers);
    if (exchange === RETURN_EXCHANGE || (exchange === '' && isOwn)) {
      this.attempt = isOwn ? 1 + countHeader(headers, HEADER.attempt) : 1;
      this.exchange = textHeader(headers, HEADER.exchange) ?? exchange;
      this.routingKey = textHeader(headers, HEADER.routingKey) ?? routingKey;
    } else {
      this.attempt = 1;
      this.exchange = exchange === '' ? exchange : publishedTo(exchange);
      this.routingKey = routingKey;
    }
  }

  /** Aborts at the handler's `timeout`, when the RPC caller leaves, or when the shutdown no longer waits for the handler. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.run.abortedBy !== undefined) this.controller.abort(this.run.abortedBy);
    }
    return this.controller.signal;
  }

  /** When the handler's or the caller's timeout ends, in milliseconds since 1970; undefined without a limit. */
  get deadline(): number | undefined {
    const { deadline } = this.run;
    return deadline === undefined ? undefined : onWall(this.#sink.clock ?? systemClock, deadline);
  }

  /**
   * The id under which the chain of messages that it belongs to is found: the one that the first message of the chain had,
   * or its message id. Undefined when it has no id that others may see.
   */
  get correlationId(): string | undefined {
    const { replyTo, correlationId } = this.message.properties;
    // That of a call is the secret of its reply, so a request has its own in a header.
    const own = replyTo === undefined ? correlationId : undefined;
    return usableId(this.headers[HEADER.correlation]) ?? usableId(own) ?? publicId(this);
  }

  /** The id of the message that was handled when this one was sent; undefined when that was none, or the first of the chain. */
  get causationId(): string | undefined {
    return usableId(this.headers[HEADER.causation]);
  }

  /** For the pipeline: the call that it is. */
  get call(): CallScope | undefined {
    return this.#call;
  }

  set call(call: CallScope) {
    this.#call = call;
  }

  /** Whether the outcome is decided. */
  get settled(): boolean {
    return this.outcome !== undefined;
  }

  /** Acks the message. */
  ack(): void {
    this.settleByHandler('ack', ACK);
  }

  /** Dead-letters the message now. */
  reject(reason: string): void {
    this.settleByHandler('reject', Reject(reason));
  }

  /** Retries the message after `after`, or after the policy's next delay. */
  retry(options: { readonly after?: Duration } = {}): void {
    this.settleByHandler('retry', Retry(options));
  }

  /**
   * For plugins, before they call `next`: the handler gets this body, read by this content type and encoding, default those
   * of the message. A retry or a dead letter still holds the body that was received.
   */
  replaceBody(content: Buffer, read: Pick<MessageProperties, 'contentType' | 'contentEncoding'> = {}): void {
    this.run.body = { content, properties: { ...this.message.properties, ...read } };
  }

  /** For the pipeline: tells the handler to stop. */
  abort(reason: Error): void {
    if (this.run.abortedBy !== undefined) return;
    this.run.abortedBy = reason;
    this.controller?.abort(reason);
  }

  /** For the pipeline: takes the right to settle. False when it is settled already. */
  claim(kind: Verdict['kind']): boolean {
    if (this.outcome !== undefined) return false;
    this.outcome = kind;
    return true;
  }

  private settleByHandler(name: string, decision: Verdict | Error): void {
    if (this.outcome !== undefined) {
      this.#sink.warn(
        `${this.handler}: ${name}() on a message of queue '${this.queue}' that was already settled (${this.outcome}); ignored`,
        this,
      );
      return;
    }
    this.outcome = 'handler';
    this.#sink.settle(this, decision);
  }
}
