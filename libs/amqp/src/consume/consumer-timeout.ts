// What the broker takes back because it was held too long (its consumer_timeout). RabbitMQ closes the channel for it and
// says so; since 4.3 a quorum queue only cancels the consumer, and raises another count when it delivers the message again.

import { humanDuration } from '../options/duration.js';
import { ConsumerTimeoutError } from '../errors/errors.js';
import { countHeader } from '../message/headers.js';
import { printable, type Log } from '../runtime/logger.js';
import type { Delivery } from '../message/delivery.js';
import type { Headers } from '../message/message.js';
import { aboutMessage } from '../message/delivery.js';

const SAID = /delivery acknowledgement on channel \d+ timed out(?:\. Timeout value used: (\d+) ms)?/;

/** What a delivery was held for may be measured a little shorter here than there. */
const SPARE = 1_000;

/** Why a channel was lost, with the word that people look for. */
export function lossReason(reason: string): string {
  return SAID.test(reason) ? `consumer timeout: ${reason}` : reason;
}

/** Whether the broker took messages back that may only be slow. */
export function mayBeSlow(reason: string): boolean {
  return reason.includes('consumer timeout');
}

/** Those of the unsettled deliveries that cost their channel, when it was lost for that. */
export function heldTooLong(reason: string, held: readonly Delivery[], now: number): Delivery[] {
  const said = SAID.exec(reason);
  if (!said || held.length === 0) return [];
  const first = Math.min(...held.map(({ run }) => run.arrivedAt));
  const least = said[1] === undefined ? now - first : Number(said[1]) - SPARE;
  const late = held.filter(({ run }) => now - run.arrivedAt >= least);
  return late.length > 0 ? late : held.filter(({ run }) => run.arrivedAt === first);
}

/** Why a broker that cancels a consumer may do so. */
export function cancelReason(held: readonly Delivery[], now: number, limit: number): string {
  const longest = Math.floor(now - Math.min(now, ...held.map(({ run }) => run.arrivedAt)));
  if (limit > 0 && longest >= limit - SPARE / 2)
    return `consumer timeout: the broker cancelled the consumer, a message was held for ${humanDuration(longest)}`;
  const others = 'its queue was deleted or its node went down';
  if (longest < SPARE) return `the broker cancelled the consumer: ${others}`;
  return `the broker cancelled the consumer: ${others}, or the consumer timeout expired, because a message was held for ${humanDuration(longest)}`;
}

/** How often the broker took a message back for that since `before`, as far as its counts tell. */
export function timesTakenBack(before: Headers, after: Headers): number {
  const count = (headers: Headers, name: string): number => countHeader(headers, name);
  const [acquired, delivered] = ['x-acquired-count', 'x-delivery-count'].map(
    (name) => count(after, name) - count(before, name),
  );
  return Math.max(0, acquired - delivered);
}

/** Says which handler it was, and tells it to stop. */
export function stopLate(delivery: Delivery, queue: string, now: number, logger: Log): void {
  const { run, handler, message } = delivery;
  const held = humanDuration(Math.floor(now - run.arrivedAt));
  const id = message.properties.messageId;
  const which = id === undefined ? 'a message without id' : `message ${printable(id)}`;
  const fields = { event: 'consumer-timeout', ...aboutMessage(delivery), ms: now - run.arrivedAt } as const;
  if (run.beganAt === 0) {
    logger.warn(
      `the broker took ${which} of '${queue}' back after its consumer timeout: it was held here for ${held} before its handler could start; lower the prefetch`,
      fields,
    );
    return;
  }
  logger.warn(
    `the broker took ${which} of '${queue}' back after its consumer timeout: ${handler} has been running for ${held}, and its signal aborts now; give the handler a shorter timeout, or raise consumer_timeout on the broker and set the option consumerTimeout to match`,
    fields,
  );
  delivery.abort(new ConsumerTimeoutError(handler, queue));
}
