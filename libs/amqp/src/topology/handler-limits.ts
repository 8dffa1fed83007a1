// Checks the limits of a handler before connecting: how long it may hold a message against the broker's consumer
// timeout, and the delivery limit against Warren's own. A contradiction is an error that names the handler; a
// suspicious combination is a warning.

import { humanDuration } from '../options/duration.js';
import { messagesPerSecond, type Rate } from '../options/rate.js';
import { ConfigError } from '../errors/errors.js';
import { waitsOf, type RetryPolicy } from '../options/retry-policy.js';
import type { Settings } from '../options/settings.js';
import type { QueueSpec } from './specs.js';

/** The part of a handler that concerns limits. */
export interface LimitedHandler {
  readonly id: string;
  readonly registration: {
    readonly kind: 'consume' | 'subscribe' | 'rpc';
    readonly id: string;
    readonly options: { readonly prefetch?: number | undefined };
  };
  readonly queue: QueueSpec;
  readonly prefetch: number;
  readonly concurrency: number;
  readonly ack: 'auto' | 'manual' | 'none';
  readonly batch: { readonly size: number; readonly wait: number } | undefined;
  readonly retry: RetryPolicy;
  readonly timeout: number | undefined;
}

/** A quorum queue counts deliveries that were not settled; after this many the handler is not called any more. */
export const POISON_DELIVERIES = 5;

/** After this many deliveries a message is a suspect, and no other message of its queue runs beside it. */
export const SUSPECT_DELIVERIES = 3;

/** A handler for people: `@Consume Orders.place`. */
export function decorated({ kind, id }: Pick<LimitedHandler['registration'], 'kind' | 'id'>): string {
  return `@${{ consume: 'Consume', subscribe: 'Subscribe', rpc: 'RpcHandler' }[kind]} ${id}`;
}

/** @throws ConfigError when limits contradict each other; `name` is the handler's */
export function checkLimits(plan: LimitedHandler, { consumerTimeout }: Settings, name: string): void {
  const held = longest(plan);
  const until = heldUntil(plan, consumerTimeout);
  if (held > 0 && until > 0 && held >= until && plan.ack !== 'none') {
    throw new ConfigError(
      `${name} may hold a message for ${described(plan, held)}, but the broker requeues it after ${humanDuration(until)}`,
      `lower ${plan.timeout === undefined ? 'batch.wait' : 'timeout'}, or raise consumer_timeout on the broker and set the connection option consumerTimeout to match (0: it has none)`,
    );
  }
  const limit = plan.queue.arguments['x-delivery-limit'];
  if (typeof limit === 'number' && limit < POISON_DELIVERIES && !buries(plan)) {
    throw new ConfigError(
      `${name}: queue '${plan.queue.name}' has x-delivery-limit ${limit} and no x-dead-letter-exchange: the broker would silently drop a message before it can be dead-lettered after ${POISON_DELIVERIES} deliveries`,
      `remove x-delivery-limit, make it at least ${POISON_DELIVERIES}, or add x-dead-letter-exchange`,
    );
  }
}

/**
 * The most messages that a rate may keep waiting in a process before the broker takes them back: what starts in half of
 * that time. 0 when even one would wait too long; Infinity without a rate or a limit.
 */
export function heldByRate(
  { rate, ack }: { readonly rate?: Rate | undefined; readonly ack?: LimitedHandler['ack'] | undefined },
  consumerTimeout: number,
): number {
  if (rate === undefined || ack === 'none' || consumerTimeout === 0) return Infinity;
  return Math.floor((messagesPerSecond(rate, 'rate') * consumerTimeout) / 2_000);
}

/** @throws ConfigError when a rate keeps messages longer than the broker lets them be held; `name` is the handler's */
export function checkRate(
  handler: {
    readonly rate?: Rate | undefined;
    readonly ack?: LimitedHandler['ack'] | undefined;
    readonly prefetch: number;
  },
  consumerTimeout: number,
  name: string,
): void {
  const most = heldByRate(handler, consumerTimeout);
  if (handler.prefetch <= most) return;
  throw new ConfigError(
    `${name}: at rate ${handler.rate} the ${handler.prefetch} messages of its prefetch would be held for too long: the broker takes them back after ${humanDuration(consumerTimeout)}`,
    most > 0
      ? `lower prefetch to at most ${most}`
      : 'raise the rate, or consumer_timeout on the broker and the connection option consumerTimeout to match',
  );
}

/** Combinations that may be intended, but are suspicious. */
export function suspicions(plan: LimitedHandler, { consumerTimeout, rpc }: Settings): string[] {
  const found: string[] = [];
  const { timeout, prefetch, concurrency, batch, retry, registration } = plan;
  const rounds = Math.ceil(prefetch / (batch ? concurrency * batch.size : concurrency));
  const until = heldUntil(plan, consumerTimeout);
  if (timeout !== undefined && until > 0 && plan.ack !== 'none' && rounds * timeout > until) {
    found.push(
      `${plan.id}: ${rounds} runs of up to ${humanDuration(timeout)} one after the other (prefetch ${prefetch}, concurrency ${concurrency}) can take longer than the broker lets a message be held (${humanDuration(until)}); lower the prefetch`,
    );
  }
  const borrowed = registration.options.prefetch === undefined && !batch && plan.ack !== 'none';
  if (borrowed && concurrency > prefetch) {
    found.push(
      `${decorated(registration)}: concurrency ${concurrency} is above the connection's prefetch ${prefetch}, so no more than ${prefetch} can run at once; set its prefetch`,
    );
  }
  const waits = waitsOf(retry).reduce((sum, wait) => sum + wait, 0);
  if (registration.kind === 'rpc' && waits > rpc.timeout) {
    found.push(
      `${plan.id}: its retries wait ${humanDuration(waits)} in total, but callers by default wait only ${humanDuration(rpc.timeout)}`,
    );
  }
  return found;
}

/** Maximum time for which a delivery is held by its batch and its run, if known. */
function longest({ timeout, batch }: LimitedHandler): number {
  return (timeout ?? 0) + (batch?.wait ?? 0);
}

/** How long the broker lets a consumer hold a message of the queue: a queue may have its own consumer timeout. */
function heldUntil({ queue }: LimitedHandler, consumerTimeout: number): number {
  const own = queue.arguments['x-consumer-timeout'];
  return typeof own === 'number' ? own : consumerTimeout;
}

function described({ timeout, batch }: LimitedHandler, held: number): string {
  if (!batch) return humanDuration(held);
  const run = timeout === undefined ? '' : `timeout ${humanDuration(timeout)} and `;
  return `${humanDuration(held)} (${run}batch.wait ${humanDuration(batch.wait)})`;
}

function buries({ queue }: LimitedHandler): boolean {
  return (
    queue.deadLettering?.mode === 'wanted' || typeof queue.arguments['x-dead-letter-exchange'] === 'string'
  );
}
