// Handlers of one queue share one consumer, so what belongs to the consumer must be said alike by all of
// them, or by one alone.

import { ConfigError } from '../errors/errors.js';
import { sameOrder } from '../options/order-by.js';
import type { HandlerPlan } from '../topology/handler-plan.js';

/** Handlers by queue. @throws ConfigError naming the two that disagree. */
export function groupByQueue(plans: readonly HandlerPlan[]): readonly (readonly HandlerPlan[])[] {
  const groups = new Map<string, HandlerPlan[]>();
  for (const plan of plans) {
    const group = groups.get(plan.queue.name);
    if (group) group.push(plan);
    else groups.set(plan.queue.name, [plan]);
  }
  for (const group of groups.values()) checkGroup(group);
  return [...groups.values()];
}

function checkGroup(group: readonly HandlerPlan[]): void {
  const [first, ...others] = group;
  for (const other of others) {
    const refuse = (what: string): never => {
      throw new ConfigError(
        `${first.id} and ${other.id} share queue '${first.queue.name}' but ${what}`,
        'give both the same options, or give each its own queue',
      );
    };
    // Where bodies name their handler, events and requests may come by the same queue, as Nest's own transport does it.
    const named = [first, other].every(({ codec }) => codec?.accepts !== undefined);
    if (!named && (first.registration.kind === 'rpc') !== (other.registration.kind === 'rpc'))
      refuse('one answers callers and the other does not');
    if (first.batch || other.batch) refuse('a batch handler cannot share its queue');
    if (!sameOrder(first.registration.options.orderBy, other.registration.options.orderBy))
      refuse('orderBy is not the same');
    for (const option of ['prefetch', 'concurrency', 'ack', 'consumeArguments'] as const) {
      const [one, two] = [JSON.stringify(first[option]), JSON.stringify(other[option])];
      if (one !== two) refuse(`${option} is ${one} for the first and ${two} for the second`);
    }
  }
}
