// Headers: matching them as a headers exchange does, taking them over from the wire without surprises,
// and the names of our own.

import type { Headers, MessageProperties } from './message.js';
import { DecodeError } from '../errors/errors.js';
import { printable } from '../runtime/logger.js';

// Header tables between the wire and us. A sender can put things there that JavaScript objects are no match for: keys
// that are prototypes, numbers that cannot be written again, tables as deep as a frame is long. Whatever came must go
// on as well, to a retry or a dead letter: a message that cannot be sent on would come back for ever.

/** Deeper tables are not taken over. */
const MAX_DEPTH = 100;

/** What the client library can write as a table: its own buffer has 64 KiB. */
export const TABLE_BYTES = 65_536;

type Table = Record<string, unknown>;

// Not Buffer.isBuffer: it asks for the prototype, which a table with the key `__proto__` has from its sender.
const isBytes = (value: object): boolean => ArrayBuffer.isView(value);

/**
 * A received value, deeply, as plain data: tables without prototype and without `__proto__`, timestamps as Date.
 *
 * @throws RangeError when it is nested too deep
 */
export function takenOver(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || isBytes(value)) return value;
  if (depth >= MAX_DEPTH) throw new RangeError(`headers nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((inner) => takenOver(inner, depth + 1));
  const table = value as Table;
  const date = table['!'] === 'timestamp' ? new Date(Number(table.value) * 1_000) : undefined;
  if (date && !Number.isNaN(date.getTime())) return date;
  return copyTable(table, (inner) => takenOver(inner, depth + 1));
}

/** What was taken over, as the client library writes it: each number and each table in a form that it does not refuse. */
export function writable(value: unknown): unknown {
  if (typeof value === 'number') return fitsWire(value) ? value : { '!': 'double', value };
  if (typeof value !== 'object' || value === null || isBytes(value)) return value;
  if (value instanceof Date) {
    const seconds = Math.floor(value.getTime() / 1_000);
    return seconds >= 0 ? { '!': 'timestamp', value: seconds } : value.toISOString();
  }
  if (Array.isArray(value)) return value.map(writable);
  if (isDecimal(value as Table)) return value;
  const copy = copyTable(value as Table, writable);
  // The client library reads an own key `!` as the name of a type; an inherited one is only a key.
  return Object.hasOwn(copy, '!') ? Object.create(copy) : copy;
}

/** Bytes of a table on the wire, within a few. */
export function tableBytes(table: object): number {
  let bytes = 4;
  for (const name in table) {
    const value = (table as Table)[name];
    if (value !== undefined) bytes += 1 + Buffer.byteLength(name) + valueBytes(value);
  }
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return 9;
  if (ArrayBuffer.isView(value)) return 5 + value.byteLength;
  if (Array.isArray(value)) return value.reduce<number>((sum, inner) => sum + valueBytes(inner), 5);
  return 1 + tableBytes(value);
}

function copyTable(table: Table, take: (value: unknown) => unknown): Table {
  const copy = Object.create(null) as Table;
  for (const name of Object.keys(table)) {
    // Bytes that are no UTF-8 became longer when they were read, and may not fit any more.
    if (name !== '__proto__' && Buffer.byteLength(name) <= 255) copy[name] = take(table[name]);
  }
  return copy;
}

// The client library takes everything from 2^50 for a whole number of 64 bits, and throws when it is none.
function fitsWire(value: number): boolean {
  return Number.isInteger(value) ? value >= -(2 ** 63) : Math.abs(value) < 2 ** 50;
}

function isDecimal(table: Table): boolean {
  const { places, digits } = (table['!'] === 'decimal' && (table.value as Table | null)) || {};
  return isWhole(places, 0xff) && isWhole(digits, 0xffff_ffff);
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

// How a message that waits comes back. Named here because both sides need it: the consuming one declares the way, the
// publishing one sends messages on it.

/** Where a message goes when its wait is over, and so in what kind of queue it waits. */
export type ReturnRoute =
  /** A retry, to the queue that its routing key names; that queue is bound to BACK_EXCHANGE. */
  | { readonly kind: 'retry' }
  /** The same for a queue that is not ours to bind. */
  | { readonly kind: 'by-name' }
  /** The same for a queue of one process: gone with it, as is what waits for it. */
  | { readonly kind: 'broadcast' }
  /** A delayed publish to an exchange; to a queue when that is the default exchange. */
  | { readonly kind: 'delay'; readonly exchange: string };

/** The retry return exchange: direct, each consumed queue is bound to it with its own name. The broker returns retries through it. */
export const RETURN_EXCHANGE = 'warren.back';

/** The queue of unroutable retries, whose own queue was deleted meanwhile, and its exchange. */
export const UNROUTABLE_RETRIES = 'warren.orphans';

/** The broker forwards a waiting message this much later than its delay, in ms, when no process does. */
export const GRACE = 30_000;

const RETURN = '.delay.to.';

/** The exchange behind the wait queues of one service's delayed publishes to `exchange`. */
export function returnExchange(service: string, exchange: string): string {
  return `${service}${RETURN}${exchange}`;
}

/** The exchange that a message was published to, which may have come out of a wait queue by itself. */
export function publishedTo(exchange: string): string {
  const at = exchange.indexOf(RETURN);
  return at < 0 ? exchange : exchange.slice(at + RETURN.length);
}

// A message that an operator or a shovel moves keeps its headers. Taken for those of a retry of this queue,
// they would cost it its attempts.

/**
 * Whether what a message says of its former attempts is to be believed: a retry says for which queue it is, and a dead
 * letter that somebody moved says why it is one. Who forges all of it harms that one message only: it runs once, and what our own retries write from then on counts.
 */
export function isOwnRetry(queue: string, headers: Headers): boolean {
  return headers[HEADER.queue] === queue && headers[HEADER.reason] === undefined;
}

/** Header names of this library. Part of the wire contract: they change with a major version only. */
export const HEADER = {
  attempt: 'x-warren-attempt',
  exchange: 'x-warren-exchange',
  routingKey: 'x-warren-routing-key',
  queue: 'x-warren-queue',
  handler: 'x-warren-handler',
  reason: 'x-warren-reason',
  failedAt: 'x-warren-failed-at',
  errorName: 'x-exception-type',
  errorMessage: 'x-exception-message',
  errorStack: 'x-exception-stacktrace',
  originalExchange: 'x-original-exchange',
  originalRoutingKey: 'x-original-routingKey',
  rpcError: 'x-rpc-error',
  deadline: 'x-warren-deadline',
  /** Milliseconds that the caller waits from now on. Unlike a time of day it means the same to every machine. */
  timeLeft: 'x-warren-time-left',
  /** Tells a call from others with its correlation id, where the caller chose that. */
  call: 'x-warren-call',
  stream: 'x-warren-stream',
  sequence: 'x-warren-sequence',
  run: 'x-warren-run',
  control: 'x-warren-control',
  alive: 'x-warren-alive',
  end: 'x-warren-end',
  unreadable: 'x-warren-unreadable-headers',
  leftOut: 'x-warren-left-out-headers',
  /** When the wait of a message is over, in milliseconds since 1970. */
  due: 'x-warren-due',
  /** Names the move from its wait that a message came with. */
  move: 'x-warren-move',
  /** Asks who moves messages on whether a queue is there. */
  probe: 'x-warren-probe',
  /** How often a message that may have crashed a process was moved to the end of its queue, to run by itself. */
  trial: 'x-warren-trial',
  /** Of a request, which has another one for its reply: see `Delivery.correlationId`. */
  correlation: 'x-correlation-id',
  /** The id of the message that was handled when this one was sent. */
  causation: 'x-causation-id',
  /** How often a message was replayed from its dead-letter queue. */
  replayed: 'x-warren-replayed',
  /** Trace and span of the last failed attempt, written by a plugin that traces. */
  traceId: 'x-warren-trace-id',
  spanId: 'x-warren-span-id',
} as const;

/** Of a message without any. */
export const NO_HEADERS: Headers = Object.freeze(Object.create(null) as Headers);

/**
 * A received header table without traps: no prototype, so that a header called `toString` is only a header, and none
 * called `__proto__`, with which a sender could otherwise give our object properties of his own. Tables inside are
 * taken over likewise. What is nested too deep is left out and named in HEADER.unreadable.
 */
export function safeHeaders(received: Headers | undefined): Headers {
  const names = received ? Object.keys(received) : [];
  if (!received || names.length === 0) return NO_HEADERS;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const name of names) {
    if (name === '__proto__') continue;
    const value = received[name];
    if (typeof value !== 'object') {
      copy[name] = value;
      continue;
    }
    try {
      copy[name] = takenOver(value);
    } catch (error) {
      copy[HEADER.unreadable] = (error as Error).message;
    }
  }
  return copy;
}

/** @throws DecodeError for headers of which something had to be left out: who reads them could be misled. */
export function refuseUnreadable(headers: Headers): void {
  const why = headers[HEADER.unreadable];
  if (why === undefined) return;
  throw new DecodeError(`its headers cannot be read: ${printable(why)}`, 'they were left out');
}

/** No message waits in a queue for longer after its time, in ms: what another program wrote, in seconds for example. */
const OVERDUE_MOST = 365 * 24 * 3_600_000;

/** When the wait of a message is over, by HEADER.due; undefined when that is missing, or cannot be. `now`: time of day. */
export function dueTime(headers: Headers | undefined, now: number): number | undefined {
  const due = headers?.[HEADER.due];
  return typeof due === 'number' && due > now - OVERDUE_MOST && due < Infinity ? due : undefined;
}

/** A header that should be a small whole number; whatever else stands there counts as 0. */
export function countHeader(headers: Headers, name: string): number {
  const value = headers[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    ? Math.min(value, 1_000_000)
    : 0;
}

/** A header that should be a name or a key; what is longer than those can be is none. */
export function textHeader(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value.length <= 255 ? value : undefined;
}

/** Headers a message must carry. */
export type HeaderMatch =
  | {
      /** The message must have all of these headers. */
      readonly all: Headers;
    }
  | {
      /** The message must have one of these headers. */
      readonly any: Headers;
    };

/** Whether a headers exchange would deliver a message with these headers to a binding with this match. */
export function matchesHeaders(match: HeaderMatch, headers: Headers): boolean {
  const wanted = Object.entries('all' in match ? match.all : match.any).filter(
    // What is undefined never got to the broker.
    ([name, value]) => !name.startsWith('x-') && value !== undefined,
  );
  // No value means that the header must only be there.
  const fits = ([name, value]: [string, unknown]): boolean =>
    Object.hasOwn(headers, name) && (value === null || equal(value, headers[name]));
  return 'all' in match ? wanted.every(fits) : wanted.some(fits);
}

/**
 * Headers of a message that is published again: without what would route copies or confuse the broker, in a form that
 * can be written, and with `facts`. Entries that do not fit into `limit` bytes are omitted, the largest first, and listed.
 */
export function forwardable(
  headers: Headers,
  facts: Record<string, unknown> = {},
  limit = TABLE_BYTES,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!NOT_FORWARDED.test(name) && Buffer.byteLength(name) <= 255) copy[name] = writable(value);
  }
  const left = limit - tableBytes(facts);
  if (tableBytes(copy) <= left) return { ...copy, ...facts };
  const list = Math.min(LIST_BYTES, limit / 8);
  const { kept, out } = fitting(copy, left - list);
  const names = textHeader(facts, HEADER.leftOut);
  if (names !== undefined) out.unshift(names);
  // At most four bytes for each character.
  return { ...kept, ...facts, [HEADER.leftOut]: out.join(', ').slice(0, list / 4) };
}

/** Bytes for the names of omitted headers. */
const LIST_BYTES = 2_000;

function fitting(headers: Record<string, unknown>, limit: number): { kept: object; out: string[] } {
  let bytes = tableBytes(headers);
  const sizes = Object.entries(headers).map(([name, value]) => ({
    name,
    bytes: tableBytes({ [name]: value }),
  }));
  const out = new Set<string>();
  for (const one of sizes.sort((a, b) => b.bytes - a.bytes)) {
    if (bytes <= limit) break;
    bytes -= one.bytes;
    out.add(one.name);
  }
  const kept = Object.entries(headers).filter(([name]) => !out.has(name));
  return { kept: Object.fromEntries(kept), out: [...out] };
}

/** Properties of a message that is published again: those that cannot be written as they were read are cut. */
export function forwardableProperties(properties: MessageProperties): MessageProperties {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'string') copy[name] = shortened(value);
    else if (name !== 'timestamp' || (value as number) < 2 ** 64) copy[name] = value;
  }
  return copy;
}

// Bytes that are no UTF-8 became longer when they were read.
function shortened(text: string): string {
  if (Buffer.byteLength(text) <= 255) return text;
  return Buffer.from(text)
    .subarray(0, 255)
    .toString()
    .replace(/\uFFFD+$/, '');
}

const NOT_FORWARDED =
  /^(cc|bcc|x-death|x-first-death-.*|x-last-death-.*|x-delivery-count|x-acquired-count|x-warren-due|x-warren-move)$/i;

// Numbers compare across wire types on the broker; amqplib gives them all as numbers here.
function equal(wanted: unknown, found: unknown): boolean {
  if (wanted === found) return true;
  if (typeof wanted !== 'object' || typeof found !== 'object' || wanted === null || found === null)
    return false;
  return JSON.stringify(wanted) === JSON.stringify(found);
}
