// A dead letter as an operator sees it: the facts of the failure, parsed from the headers, and filters.

import {
  isOwnRetry,
  countHeader,
  HEADER,
  safeHeaders,
  textHeader,
  RETURN_EXCHANGE,
} from '../message/headers.js';
import type { BrokerOptions } from '../options/options.js';
import { ageInMilliseconds, type Duration } from '../options/duration.js';
import type { Headers, MessageProperties, ReceivedMessage } from '../message/message.js';

/** A message of a dead-letter queue. Its texts are untrusted: escape them before printing them to a terminal. */
export interface DeadLetter {
  /** The queue that contains it. */
  readonly deadQueue: string;
  /** 1 for the one at the head of the queue. */
  readonly position: number;
  /** The queue in which it failed; undefined when unknown. */
  readonly queue: string | undefined;
  readonly id: string | undefined;
  /** The reason: Warren's as in `x-warren-reason`, the broker's `delivery_limit`, `expired`, `maxlen` or `rejected`. */
  readonly reason: string | undefined;
  /** The broker dead-lettered it: no handler failed, and any headers with Warren's names were written by its sender. */
  readonly byBroker: boolean;
  /** Class of the error. */
  readonly error: string | undefined;
  readonly errorMessage: string | undefined;
  readonly errorStack: string | undefined;
  readonly handler: string | undefined;
  /** Number of attempts. */
  readonly attempts: number;
  /** When it failed. */
  readonly failedAt: Date | undefined;
  /** The exchange to which it was originally published. */
  readonly exchange: string | undefined;
  readonly routingKey: string | undefined;
  /** Number of earlier replays. */
  readonly replayed: number;
  /** The trace of its last failed attempt, if that was traced. */
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  /** How often it was read from a quorum queue and returned: this counts for an `x-delivery-limit`. */
  readonly looks: number;
  readonly properties: MessageProperties;
  readonly headers: Headers;
  readonly content: Buffer;
}

/** Selects dead letters. All conditions must match; without any, all messages match. */
export interface DeadLetterFilter {
  /** Class of the error: `TypeError`. */
  readonly error?: string;
  /** The handler that failed: `OrderHandlers.place`. */
  readonly handler?: string;
  /** The message id, or one of several. */
  readonly id?: string | readonly string[];
  /** Failed at least this long ago. Messages without a failure time do not match. */
  readonly olderThan?: Duration;
  /** Failed at most this long ago. Messages without a failure time do not match. */
  readonly newerThan?: Duration;
  /** A further condition. */
  readonly where?: (letter: DeadLetter) => boolean;
}

/** Parses a delivery of a dead-letter queue. Never throws. */
export function deadLetter(message: ReceivedMessage, deadQueue: string, position: number): DeadLetter {
  const headers = safeHeaders(message.properties.headers);
  const { messageId } = message.properties;
  const death = latestDeath(headers);
  return {
    deadQueue,
    position,
    id: typeof messageId === 'string' && messageId !== '' ? messageId : undefined,
    byBroker: death !== undefined,
    ...(death ? ofTheBroker(death, headers) : ofOurs(headers, deadQueue)),
    replayed: countHeader(headers, HEADER.replayed),
    traceId: textHeader(headers, HEADER.traceId) || undefined,
    spanId: textHeader(headers, HEADER.spanId) || undefined,
    properties: message.properties,
    headers,
    content: message.content,
  };
}

/** The queue that a dead-letter queue belongs to, by its name: `orders` for `orders.dead`. */
export function ownQueue(deadQueue: string): string | undefined {
  return /^(.+)\.dead$/s.exec(deadQueue)?.[1];
}

type Facts = Omit<
  DeadLetter,
  | 'deadQueue'
  | 'position'
  | 'id'
  | 'byBroker'
  | 'replayed'
  | 'traceId'
  | 'spanId'
  | 'properties'
  | 'headers'
  | 'content'
>;

function ofOurs(headers: Headers, deadQueue: string): Facts {
  const text = (name: string): string | undefined => textHeader(headers, name) || undefined;
  // May be longer than a name; limited by its writer and by the frame size.
  const long = (name: string): string | undefined =>
    typeof headers[name] === 'string' ? headers[name] : undefined;
  return {
    queue: text(HEADER.queue) ?? ownQueue(deadQueue),
    reason: text(HEADER.reason),
    error: long(HEADER.errorName),
    errorMessage: long(HEADER.errorMessage),
    errorStack: long(HEADER.errorStack),
    handler: text(HEADER.handler),
    attempts: 1 + countHeader(headers, HEADER.attempt),
    failedAt: date(text(HEADER.failedAt)),
    exchange: textHeader(headers, HEADER.originalExchange),
    routingKey: textHeader(headers, HEADER.originalRoutingKey),
    looks: countHeader(headers, 'x-delivery-count'),
  };
}

/** An entry of `x-death`. */
interface Death {
  readonly queue: string;
  readonly reason: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly time: Date | undefined;
}

// Warren removes `x-death` when it dead-letters: if it is present, the broker was the last to do so.
function latestDeath(headers: Headers): Death | undefined {
  const deaths = headers['x-death'];
  const latest = Array.isArray(deaths) ? (deaths[0] as unknown) : undefined;
  if (typeof latest !== 'object' || latest === null) return undefined;
  const { time, 'routing-keys': keys, ...rest } = latest as Record<string, unknown>;
  const [queue, reason] = [textHeader(rest, 'queue'), textHeader(rest, 'reason')];
  if (!queue || !reason) return undefined;
  return {
    queue,
    reason,
    exchange: textHeader(rest, 'exchange') ?? '',
    routingKey: Array.isArray(keys) && typeof keys[0] === 'string' ? keys[0] : queue,
    time: time instanceof Date ? time : undefined,
  };
}

function ofTheBroker({ queue, reason, exchange, routingKey, time }: Death, headers: Headers): Facts {
  // After a retry delay it carries Warren's own headers; otherwise its sender wrote them.
  const came = exchange === RETURN_EXCHANGE || (exchange === '' && isOwnRetry(queue, headers));
  return {
    queue,
    reason,
    failedAt: time,
    error: undefined,
    errorMessage: undefined,
    errorStack: undefined,
    handler: undefined,
    attempts: came ? 1 + countHeader(headers, HEADER.attempt) : 1,
    exchange: (came ? textHeader(headers, HEADER.exchange) : undefined) ?? exchange,
    routingKey: (came ? textHeader(headers, HEADER.routingKey) : undefined) ?? routingKey,
    // RabbitMQ 4 still has the count of the previous queue.
    looks: reason === 'delivery_limit' ? 0 : countHeader(headers, 'x-delivery-count'),
  };
}

/** Converts a filter to a predicate. @throws ConfigError for an invalid duration */
export function matchesFilter(filter: DeadLetterFilter, now: number): (letter: DeadLetter) => boolean {
  const ids = filter.id === undefined ? undefined : new Set([filter.id].flat());
  const before =
    filter.olderThan === undefined ? Infinity : now - ageInMilliseconds(filter.olderThan, 'olderThan');
  const after =
    filter.newerThan === undefined ? -Infinity : now - ageInMilliseconds(filter.newerThan, 'newerThan');
  const byAge = filter.olderThan !== undefined || filter.newerThan !== undefined;
  return (letter) => {
    const { error, handler, id, failedAt } = letter;
    if (filter.error !== undefined && filter.error !== error) return false;
    if (filter.handler !== undefined && filter.handler !== handler) return false;
    if (ids !== undefined && (id === undefined || !ids.has(id))) return false;
    const time = failedAt?.getTime();
    if (byAge && !(time !== undefined && time <= before && time >= after)) return false;
    return filter.where?.(letter) ?? true;
  };
}

/** Whether a filter can exclude messages. */
export function isSelective(filter: DeadLetterFilter): boolean {
  const { error, handler, id, olderThan, newerThan, where } = filter;
  return [error, handler, id, olderThan, newerThan, where].some((condition) => condition !== undefined);
}

function date(text: string | undefined): Date | undefined {
  const time = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** Where the broker is. */
export type DeadLetterConnection = Pick<
  BrokerOptions,
  'url' | 'tls' | 'credentials' | 'connectTimeout' | 'heartbeat'
>;

/** Options of replay and drop. */
export interface DeadLetterWork extends DeadLetterFilter {
  /** Maximum number of messages. Default: all that are in the queue at the start. */
  readonly limit?: number;
  /** Messages per batch, 1 to 1 000. Default 100. After `kill -9`, at most one batch is duplicated. */
  readonly batch?: number;
  /** Aborting it ends the work after the current batch. */
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (progress: DeadLetterProgress) => void;
}

/** Progress of the work. */
export interface DeadLetterProgress {
  /** Replayed or dropped. */
  readonly done: number;
  /** Messages read. */
  readonly seen: number;
  /** Messages in the queue at the start. */
  readonly total: number;
}

/** The result of the work. */
export interface DeadLetterResult extends DeadLetterProgress {
  /** Messages that were not read: the limit was reached, the signal aborted, or 10 000 (fewer large ones) did not match. */
  readonly unseen: number;
  /** Whether the signal ended the work. */
  readonly interrupted: boolean;
}
