// One dead letter as a person looks at it: the facts of the failure, read from the headers with care, and
// which of them somebody wants.

import {
  isOwnRetry,
  countHeader,
  HEADER,
  safeHeaders,
  textHeader,
  RETURN_EXCHANGE,
} from '../message/headers.js';
import { milliseconds, type Duration } from '../options/duration.js';
import type { Headers, MessageProperties, ReceivedMessage } from '../message/message.js';

/** A message of a dead-letter queue. Texts come from the wire: make them printable before a terminal sees them. */
export interface DeadLetter {
  /** The queue it lies in. */
  readonly deadQueue: string;
  /** 1 for the one at the head of the queue. */
  readonly position: number;
  /** Where it was when it failed; undefined when nothing says so. */
  readonly queue: string | undefined;
  readonly id: string | undefined;
  /** Why: of ours as in `x-warren-reason`, of the broker `delivery_limit`, `expired`, `maxlen` or `rejected`. */
  readonly reason: string | undefined;
  /**
   * The broker dead-lettered it by itself: no handler failed, and headers of ours on it are none of ours but what its
   * sender wrote there.
   */
  readonly byBroker: boolean;
  /** Class of the error. */
  readonly error: string | undefined;
  readonly errorMessage: string | undefined;
  readonly errorStack: string | undefined;
  readonly handler: string | undefined;
  /** How often it was tried. */
  readonly attempts: number;
  /** When it failed. */
  readonly failedAt: Date | undefined;
  /** Where it was published to in the beginning. */
  readonly exchange: string | undefined;
  readonly routingKey: string | undefined;
  /** How often it was replayed before. */
  readonly replayed: number;
  /** How often it was taken from a quorum queue and handed back: what a `x-delivery-limit` counts. */
  readonly looks: number;
  readonly properties: MessageProperties;
  readonly headers: Headers;
  readonly content: Buffer;
}

/** Which dead letters are meant. All conditions must hold; without any, all are. */
export interface DeadLetterFilter {
  /** Class of the error: `TypeError`. */
  readonly error?: string;
  /** The handler that failed: `OrderHandlers.place`. */
  readonly handler?: string;
  /** The message id, or one of several. */
  readonly id?: string | readonly string[];
  /** Failed at least this long ago. What has no time of failure is not meant. */
  readonly olderThan?: Duration;
  /** Failed at most this long ago. What has no time of failure is not meant. */
  readonly newerThan?: Duration;
}

/** Reads a delivery of a dead-letter queue. Nothing in it can make this throw. */
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
    properties: message.properties,
    headers,
    content: message.content,
  };
}

/** The queue whose dead letters a queue is for by its name: `orders` for `orders.dead`. */
export function ownQueue(deadQueue: string): string | undefined {
  return /^(.+)\.dead$/s.exec(deadQueue)?.[1];
}

type Facts = Omit<
  DeadLetter,
  'deadQueue' | 'position' | 'id' | 'byBroker' | 'replayed' | 'properties' | 'headers' | 'content'
>;

function ofOurs(headers: Headers, deadQueue: string): Facts {
  const text = (name: string): string | undefined => textHeader(headers, name) || undefined;
  // Longer than a name may be; capped where it was written, and by the frame it came in.
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

// What we dead-letter leaves the broker's own words behind: where they are, the broker wrote last.
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
  // On its way back from a wait it carries headers of ours; on any other way they are what its sender wrote.
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
    // RabbitMQ 4 still shows the count of the queue that it left.
    looks: reason === 'delivery_limit' ? 0 : countHeader(headers, 'x-delivery-count'),
  };
}

/** A filter as a question. @throws ConfigError for a duration that is none. */
export function matchesFilter(filter: DeadLetterFilter, now: number): (letter: DeadLetter) => boolean {
  const ids = filter.id === undefined ? undefined : new Set([filter.id].flat());
  const before =
    filter.olderThan === undefined ? Infinity : now - milliseconds(filter.olderThan, 'olderThan');
  const after =
    filter.newerThan === undefined ? -Infinity : now - milliseconds(filter.newerThan, 'newerThan');
  const byAge = filter.olderThan !== undefined || filter.newerThan !== undefined;
  return ({ error, handler, id, failedAt }) => {
    if (filter.error !== undefined && filter.error !== error) return false;
    if (filter.handler !== undefined && filter.handler !== handler) return false;
    if (ids !== undefined && (id === undefined || !ids.has(id))) return false;
    if (!byAge) return true;
    const time = failedAt?.getTime();
    return time !== undefined && time <= before && time >= after;
  };
}

/** Whether a filter can leave anything out. */
export function isSelective(filter: DeadLetterFilter): boolean {
  const { error, handler, id, olderThan, newerThan } = filter;
  return [error, handler, id, olderThan, newerThan].some((condition) => condition !== undefined);
}

function date(text: string | undefined): Date | undefined {
  const time = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time);
}
