// One log line per handler at the start: its queue, bindings, how it is consumed, and what happens to failures. The
// lines together describe the topology of the service.

import { humanDuration } from '../options/duration.js';
import { waitsOf } from '../options/retry-policy.js';
import type { Settings } from '../options/settings.js';
import { suspicions } from './handler-limits.js';
import type { HandlerPlan, Route } from './handler-plan.js';
import { queueTypeOf } from './specs.js';

/** Logs the line, and warnings about the handler. */
export function logHandler(plan: HandlerPlan, settings: Settings): void {
  const about = { handler: plan.id, queue: plan.queue.name };
  settings.logger.log(describeHandler(plan), { event: 'handler-planned', ...about });
  for (const suspicion of suspicions(plan, settings)) {
    settings.logger.warn(suspicion, { event: 'handler-limits', ...about });
  }
}

/** `Orders.place: queue orders (quorum)  prefetch 32  5 attempts in 2m36s (1s 5s 30s 2m, jitter) -> orders.dead` */
export function describeHandler(plan: HandlerPlan): string {
  const { queue, routes, prefetch, concurrency, ack, batch, timeout } = plan;
  const type = queue.temporary ? 'one per instance' : (queueTypeOf(queue) ?? 'type left to the broker');
  return [
    `${plan.id}: queue ${queue.name} (${type})`,
    routes.length > 0 ? `<- ${routes.map(describeRoute).join(', ')}` : undefined,
    `prefetch ${prefetch}`,
    concurrency !== prefetch ? `concurrency ${concurrency}` : undefined,
    describeOrder(plan),
    ack !== 'auto' ? `ack ${ack}` : undefined,
    batch ? `batch ${batch.size} or ${humanDuration(batch.wait)}` : undefined,
    plan.rate === undefined ? undefined : `rate ${plan.rate}`,
    plan.breaker ? `breaker ${plan.breaker.failures} of ${plan.breaker.of}` : undefined,
    timeout !== undefined ? `timeout ${humanDuration(timeout)}` : undefined,
    describeRetry(plan),
    plan.paused ? 'PAUSED' : undefined,
  ]
    .filter((part) => part !== undefined)
    .join('  ');
}

function describeRoute({ exchange, key, match }: Route): string {
  if (!match) return `${exchange}:${key}`;
  const [mode, headers] = 'all' in match ? ['all', match.all] : ['any', match.any];
  return `${exchange}:${mode} of ${JSON.stringify(headers)}`;
}

function describeOrder({ registration }: HandlerPlan): string | undefined {
  const { orderBy } = registration.options;
  if (orderBy === undefined) return undefined;
  if (orderBy === 'routingKey') return 'in order by routing key';
  return typeof orderBy === 'function' ? 'in order by a function' : `in order by header ${orderBy.header}`;
}

function describeRetry({ retry, deadQueue, registration }: HandlerPlan): string {
  const end = deadQueue ? `-> ${deadQueue}` : registration.kind === 'rpc' ? '-> the caller' : '-> dropped';
  if (retry.attempts === 1) return `no retry ${end}`;
  const waits = waitsOf(retry);
  const total = humanDuration(waits.reduce((sum, wait) => sum + wait, 0));
  // The last delay repeats: listed once.
  const named = retry.delays.slice(0, retry.attempts - 1).map(humanDuration);
  const more = named.length < waits.length ? ' ...' : '';
  return `${retry.attempts} attempts in ${total} (${named.join(' ')}${more}${retry.jitter ? ', jitter' : ''}) ${end}`;
}
