// What is sent on when a delivery failed: to wait for its next attempt, or to the dead-letter queue with
// the facts of the failure. Headers that would route copies or confuse the broker's own counting stay behind.

import { thrownFacts } from '../errors/error-facts.js';
import { tableBytes, TABLE_BYTES, forwardable, forwardableProperties, HEADER } from '../message/headers.js';
import { onWall, type Clock } from '../runtime/clock.js';
import type { Delivery, Verdict } from '../message/delivery.js';
import type { Headers, MessageProperties, OutgoingMessage } from '../message/message.js';

type RetryVerdict = Extract<Verdict, { kind: 'retry' }>;
type DeadLetterVerdict = Extract<Verdict, { kind: 'dead-letter' }>;

/** Caps of what we add. Own headers of the message come first: what does not fit beside them is our stack. */
const STACK_LIMIT = 8_000;
const TEXT_LIMIT = 1_000;

/** Bytes reserved for headers that the broker adds to a delayed message. */
const DEATH_BYTES = 1_024;

/** The message for its own queue again, with the next attempt; undefined when its headers would be too large. */
export function retryMessage(
  delivery: Delivery,
  verdict: RetryVerdict,
  maxPropertyBytes: number,
  clock: Clock,
): OutgoingMessage | undefined {
  const facts = {
    [HEADER.attempt]: verdict.attempt - 1,
    // Proves, where it comes back, that the count is of this queue.
    [HEADER.queue]: delivery.queue,
    [HEADER.exchange]: delivery.exchange,
    [HEADER.routingKey]: delivery.routingKey,
    // Its expiration, which may be all that its caller said, would end the wait and does not go along.
    ...timeLeft(delivery, verdict, clock),
  };
  const properties = kept(delivery);
  const headers = forwardable(unfailed(delivery), facts, tableRoom(properties, maxPropertyBytes));
  // A handler must not see another message at its second attempt than at its first.
  if (headers[HEADER.leftOut] !== delivery.headers[HEADER.leftOut]) return undefined;
  return again(delivery, delivery.queue, { ...properties, headers });
}

/**
 * Its headers without what only a dead letter says. A message may carry that when it is put back by hand, and its own
 * attempts would not count then: see `isOwnRetry`.
 */
function unfailed({ headers }: Delivery): Headers {
  if (headers[HEADER.reason] === undefined) return headers;
  const { [HEADER.reason]: reason, ...rest } = headers;
  void reason;
  return rest;
}

/** How long the caller will still wait after the delay of the next attempt. */
function timeLeft(
  { run: { callerDeadline } }: Delivery,
  { after }: RetryVerdict,
  clock: Clock,
): Record<string, number> {
  if (callerDeadline === undefined) return {};
  const left = Math.max(0, Math.ceil(callerDeadline - clock.monotonic() - after));
  return { [HEADER.deadline]: onWall(clock, callerDeadline), [HEADER.timeLeft]: left };
}

/** The message for the end of its queue, marked as a suspect; undefined when its headers would be too large. */
export function trialMessage(
  delivery: Delivery,
  { trial, away }: { readonly trial: number; readonly away: boolean },
  maxPropertyBytes: number,
): OutgoingMessage | undefined {
  const facts = {
    [HEADER.attempt]: delivery.attempt - 1,
    [HEADER.queue]: delivery.queue,
    [HEADER.exchange]: delivery.exchange,
    [HEADER.routingKey]: delivery.routingKey,
    [HEADER.trial]: trial,
  };
  const { expiration } = delivery.message.properties;
  // Where it waits it would end the wait.
  const properties = { ...kept(delivery), ...(away || expiration === undefined ? {} : { expiration }) };
  const headers = forwardable(unfailed(delivery), facts, tableRoom(properties, maxPropertyBytes));
  if (headers[HEADER.leftOut] !== delivery.headers[HEADER.leftOut]) return undefined;
  return again(delivery, delivery.queue, { ...properties, headers });
}

/** The message with the facts of its failure. What does not fit a frame is left out, our stack first, and named. */
export function deadMessage(
  delivery: Delivery,
  verdict: DeadLetterVerdict,
  deadQueue: string,
  { now, maxPropertyBytes }: { readonly now: number; readonly maxPropertyBytes: number },
): OutgoingMessage {
  const { name, message, stack } = thrownFacts(verdict.error);
  const properties = kept(delivery);
  const context = tableRoom(properties, maxPropertyBytes);
  const text = Math.min(TEXT_LIMIT, Math.floor(context / 10));
  const facts = {
    [HEADER.attempt]: delivery.attempt - 1,
    [HEADER.reason]: verdict.reason,
    [HEADER.queue]: delivery.queue,
    [HEADER.handler]: delivery.handler,
    [HEADER.failedAt]: new Date(now).toISOString(),
    [HEADER.errorName]: cut(name, text),
    [HEADER.errorMessage]: cut(message, text),
    [HEADER.originalExchange]: delivery.exchange,
    [HEADER.originalRoutingKey]: delivery.routingKey,
  };
  const left = context - tableBytes(forwardable(delivery.headers)) - tableBytes(facts) - STACK_OVERHEAD;
  return again(delivery, deadQueue, {
    ...properties,
    headers: forwardable(delivery.headers, { ...facts, ...stackHeader(stack, left) }, context),
  });
}

/** Names of the stack's header and of the one that says that it was cut, and the mark of the cut. */
const STACK_OVERHEAD = 100;

function stackHeader(stack: string, left: number): Record<string, string> {
  const whole = cut(stack, STACK_LIMIT);
  if (Buffer.byteLength(whole) <= left) return { [HEADER.errorStack]: whole };
  return { [HEADER.errorStack]: cut(stack, Math.max(0, left)), [HEADER.leftOut]: HEADER.errorStack };
}

/** Bytes that headers may take beside the other properties. */
function tableRoom(properties: MessageProperties, maxPropertyBytes: number): number {
  return Math.min(TABLE_BYTES, maxPropertyBytes - tableBytes(properties)) - DEATH_BYTES;
}

/** Neither expiration nor user are kept: the one would end the wait early, and the broker checks the other. */
function kept({ message }: Delivery): MessageProperties {
  const { expiration, userId, headers, ...rest } = message.properties;
  void expiration;
  void userId;
  void headers;
  return forwardableProperties(rest);
}

function again(delivery: Delivery, queue: string, properties: MessageProperties): OutgoingMessage {
  return { exchange: '', routingKey: queue, content: delivery.message.content, properties, mandatory: true };
}

function cut(text: string, bytes: number): string {
  const raw = Buffer.from(text);
  return raw.length <= bytes
    ? text
    : `${raw
        .subarray(0, bytes)
        .toString('utf8')
        .replace(/\uFFFD$/, '')}…`;
}
