// Headers: matching them as a headers exchange does, taking them over from the wire without surprises,
// and the names of our own.

import type { HeaderMatch } from './options.js';
import type { Headers } from './message.js';

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
} as const;

/**
 * A received header table without traps: no prototype, so that a header called `toString` is only a header, and none
 * called `__proto__`, with which a sender could otherwise give our object properties of his own.
 */
export function safeHeaders(received: Headers | undefined): Headers {
  const copy = Object.create(null) as Record<string, unknown>;
  if (received) {
    for (const name of Object.keys(received)) {
      if (name !== '__proto__') copy[name] = received[name];
    }
  }
  return copy;
}

/** A header that should be a small whole number; whatever else stands there counts as 0. */
export function countHeader(headers: Headers, name: string): number {
  const value = headers[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    ? Math.min(value, 1_000_000)
    : 0;
}

/** A header that should be text. */
export function textHeader(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

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

/** Headers of a message that is published again: without what would route copies or confuse the broker. */
export function forwardable(headers: Headers): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!NOT_FORWARDED.test(name)) copy[name] = value;
  }
  return copy;
}

const NOT_FORWARDED =
  /^(cc|bcc|x-death|x-first-death-.*|x-last-death-.*|x-delivery-count|x-acquired-count)$/i;

// Numbers compare across wire types on the broker; amqplib gives them all as numbers here.
function equal(wanted: unknown, found: unknown): boolean {
  if (wanted === found) return true;
  if (typeof wanted !== 'object' || typeof found !== 'object' || wanted === null || found === null)
    return false;
  return JSON.stringify(wanted) === JSON.stringify(found);
}
