// One line per handler for the log at start: which queue, what is bound to it, how it is consumed, and
// what its failures lead to. Somebody who reads only these lines knows how the service is wired.

import { humanDuration } from '../model/duration.js';
import type { HandlerPlan, Route } from './handler-plan.js';
import { queueTypeOf } from './schema.js';

/** `OrderHandlers.place  queue orders (quorum)  prefetch 32  retry 5x (1s 5s 30s 2m) -> orders.dead` */
export function describeHandler(plan: HandlerPlan): string {
  const { queue, routes, prefetch, concurrency, ack, batch, timeout } = plan;
  const type = queue.temporary ? 'one per instance' : (queueTypeOf(queue) ?? 'type left to the broker');
  return [
    `${plan.id}: queue ${queue.name} (${type})`,
    routes.length > 0 ? `<- ${routes.map(describeRoute).join(', ')}` : undefined,
    `prefetch ${prefetch}`,
    concurrency !== prefetch ? `concurrency ${concurrency}` : undefined,
    ack !== 'auto' ? `ack ${ack}` : undefined,
    batch ? `batch ${batch.size} or ${humanDuration(batch.wait)}` : undefined,
    timeout !== undefined ? `timeout ${humanDuration(timeout)}` : undefined,
    describeRetry(plan),
  ]
    .filter((part) => part !== undefined)
    .join('  ');
}

function describeRoute({ exchange, key, match }: Route): string {
  if (!match) return `${exchange}:${key}`;
  const [mode, headers] = 'all' in match ? ['all', match.all] : ['any', match.any];
  return `${exchange}:${mode} of ${JSON.stringify(headers)}`;
}

function describeRetry({ retry, deadQueue, registration }: HandlerPlan): string {
  const end = deadQueue ? `-> ${deadQueue}` : registration.kind === 'rpc' ? '-> the caller' : '-> dropped';
  if (retry.attempts === 1) return `no retry ${end}`;
  const waits = retry.delays.slice(0, retry.attempts - 1).map(humanDuration);
  return `retry ${retry.attempts} attempts (${waits.join(' ')}${retry.jitter ? ', jitter' : ''}) ${end}`;
}
