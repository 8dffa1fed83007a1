// What is sent on when a delivery failed: to wait for its next attempt, or to the dead-letter queue with
// the facts of the failure. Headers that would route copies or confuse the broker's own counting stay behind.

import { thrownFacts } from '../model/thrown.js';
import { forwardable, forwardableProperties, HEADER } from '../model/headers.js';
import type { Delivery } from '../model/delivery.js';
import type { MessageProperties, OutgoingMessage } from '../model/message.js';
import type { Verdict } from '../model/verdict.js';

type RetryVerdict = Extract<Verdict, { kind: 'retry' }>;
type DeadLetterVerdict = Extract<Verdict, { kind: 'dead-letter' }>;

/** Headers must fit a frame together with everything else; a deep stack does not. */
const STACK_LIMIT = 8_000;
const TEXT_LIMIT = 1_000;

/** The message again for its own queue, one attempt older. */
export function retryMessage(delivery: Delivery, verdict: RetryVerdict): OutgoingMessage {
  return again(delivery, delivery.queue, {
    [HEADER.attempt]: verdict.attempt - 1,
    [HEADER.exchange]: delivery.exchange,
    [HEADER.routingKey]: delivery.routingKey,
  });
}

/** The message with the facts of its failure. */
export function deadMessage(
  delivery: Delivery,
  verdict: DeadLetterVerdict,
  deadQueue: string,
  now: number,
): OutgoingMessage {
  const { name, message, stack } = thrownFacts(verdict.error);
  return again(delivery, deadQueue, {
    [HEADER.attempt]: delivery.attempt - 1,
    [HEADER.reason]: verdict.reason,
    [HEADER.queue]: delivery.queue,
    [HEADER.handler]: delivery.handler,
    [HEADER.failedAt]: new Date(now).toISOString(),
    [HEADER.errorName]: cut(name, TEXT_LIMIT),
    [HEADER.errorMessage]: cut(message, TEXT_LIMIT),
    [HEADER.errorStack]: cut(stack, STACK_LIMIT),
    [HEADER.originalExchange]: delivery.exchange,
    [HEADER.originalRoutingKey]: delivery.routingKey,
  });
}

function again(delivery: Delivery, queue: string, facts: Record<string, unknown>): OutgoingMessage {
  const { expiration, userId, headers, ...kept } = delivery.message.properties;
  // Neither is kept: an expiration would end the wait early, and the broker checks the user.
  void expiration;
  void userId;
  void headers;
  const properties: MessageProperties = {
    ...forwardableProperties(kept),
    headers: forwardable(delivery.headers, facts),
  };
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
