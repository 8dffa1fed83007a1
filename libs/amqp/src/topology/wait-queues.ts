// Queues in which messages wait: for their next attempt, or for a delayed publish. One fixed TTL each,
// so that a long wait never blocks a short one; shared by all queues of the virtual host, so that their
// number stays small; gone by themselves when unused.

import { BACK_EXCHANGE, type WayBack } from '../model/way-back.js';
import type { BindingSpec, ExchangeSpec, QueueSpec } from './schema.js';
import type { TopologyPlan } from './plan.js';

/** How long a declaration of a wait queue counts as fresh, in ms. */
export const WAIT_QUEUE_FRESH = 60_000;

/** A wait queue lives this much longer than its TTL after it was last declared. */
const SPARE_LIFE = 5 * 60_000;

/**
 * A wait rounded up to two significant digits, at least 10 ms: 1234 becomes 1300. Bounds how many
 * wait queues can ever exist (90 for each power of ten) at the price of at most ten per cent.
 */
export function waitStep(ms: number): number {
  if (ms <= 10) return 10;
  const unit = 10 ** (Math.floor(Math.log10(ms)) - 1);
  return Math.ceil(ms / unit) * unit;
}

/** The exchange to publish to so that a message turns up behind the wait with its routing key kept after `step` ms. */
export function waitExchange(step: number, { exchange, replicated }: WayBack): string {
  if (exchange === BACK_EXCHANGE) return `warren.retry.${step}.${replicated ? 'quorum' : 'classic'}`;
  return exchange === '' ? `warren.wait.${step}` : `warren.wait.${step}.${exchange}`;
}

/**
 * What must exist for that: a fanout exchange (it keeps the routing key) and its queue, which dead-letters to the way
 * back when the TTL is over. A queue that expires counts publishes as no use, hence the spare life.
 */
export function waitTopology(step: number, back: WayBack): TopologyPlan {
  const name = waitExchange(step, back);
  const askedBy = 'a delayed message';
  const exchange: ExchangeSpec = {
    ...{ name, type: 'fanout', durable: true, autoDelete: true, internal: false },
    ...{ arguments: {}, declare: 'create', askedBy },
  };
  const queue: QueueSpec = {
    ...{ name, durable: true, declare: 'create', askedBy, temporary: false },
    arguments: {
      ...(back.replicated ? AT_LEAST_ONCE : { 'x-queue-type': 'classic' }),
      'x-message-ttl': step,
      'x-dead-letter-exchange': back.exchange,
      'x-expires': step + SPARE_LIFE,
    },
  };
  const binding: BindingSpec = {
    ...{ source: name, destination: { kind: 'queue', name }, key: '', arguments: {}, askedBy },
  };
  return { exchanges: [exchange], queues: [queue], bindings: [binding] };
}

// Without reject-publish RabbitMQ silently takes at-most-once.
const AT_LEAST_ONCE = {
  'x-queue-type': 'quorum',
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
};
