// Declaring as a user who may not configure everything. What Warren adds on its own (dead-letter queues, what retries
// wait in and come back through) may have been declared by an administrator: what such a user is refused is looked for
// instead, and taken as it is.

import { AccessRefusedError, TopologyMissingError } from '../errors/topology-errors.js';
import { UNROUTABLE_RETRIES } from '../message/retry-return.js';
import { ExistingQueues, foundOtherwise, other, type FoundOtherwise } from './existing-queues.js';
import { bindingName, declare, type DeclaringChannel } from './declare.js';
import type { TopologyPlan } from './plan.js';
import type { QueueSpec } from './specs.js';
import { isWaitName } from './retry-topology.js';

/** Where channels come from; a refusal costs one. */
export interface DeclaringConnection {
  withChannel<T>(use: (channel: DeclaringChannel) => Promise<T>): Promise<T>;
}

/** Declares a plan. @throws AccessRefusedError for what the user may not declare and nobody else has */
export async function declarePermitted(connection: DeclaringConnection, plan: TopologyPlan): Promise<void> {
  const { accepted = new ExistingQueues() } = plan;
  const found = new Map<string, FoundOtherwise>();
  let closeReason: AccessRefusedError | undefined;
  for (let left: TopologyPlan = { ...plan, queues: plan.queues.map((queue) => accepted.asFound(queue)) }; ;) {
    try {
      await connection.withChannel((channel) => declare(channel, left));
      for (const one of found.values()) accepted.add(one);
      return;
    } catch (error) {
      const otherwise = foundOtherwise(left.queues, error);
      if (otherwise) {
        const { queue } = otherwise;
        const before = found.get(queue.name);
        // Neither with the arguments nor without: what counts is what it has against a queue without them.
        if (before) throw before.queue.deadLettering?.mode === 'wanted' ? error : before.error;
        found.set(queue.name, otherwise);
        left = from(left, queue, other(queue));
        continue;
      }
      // It is not there either: what helps is a permission, or an administrator.
      if (
        error instanceof TopologyMissingError &&
        closeReason?.resource === `${error.what} '${error.missing}'`
      )
        throw closeReason;
      if (!(error instanceof AccessRefusedError)) throw error;
      const without = lookedFor(left, error);
      if (!without) throw error;
      closeReason = error;
      left = without;
    }
  }
}

/** What is left of a plan at one of its queues, which is declared as `changed`. */
function from(plan: TopologyPlan, queue: QueueSpec, changed: QueueSpec): TopologyPlan {
  const { queues } = plan;
  const done = queues.slice(0, queues.indexOf(queue));
  // Temporary ones were left out, and their bindings must be.
  const kept = done.filter(({ temporary }) => temporary);
  return { ...plan, exchanges: [], queues: [...kept, changed, ...queues.slice(done.length + 1)] };
}

/** The plan with one thing of ours only looked for; undefined when the refusal is about something else. */
function lookedFor(
  plan: TopologyPlan,
  { resource, declaring }: AccessRefusedError,
): TopologyPlan | undefined {
  let found = false;
  const check = <T extends { name: string; declare: string }>(what: string, specs: readonly T[]): T[] =>
    specs.map((spec) => {
      if (!isOurs(spec.name) || spec.declare !== 'create' || resource !== `${what} '${spec.name}'`)
        return spec;
      found = true;
      return { ...spec, declare: 'check' };
    });
  const changed = {
    ...plan,
    exchanges: check('exchange', plan.exchanges),
    queues: check('queue', plan.queues),
    // Only an administrator may bind the queue of orphans where services must not read each other's messages.
    bindings: plan.bindings.filter((binding) => {
      const refused =
        binding.source === UNROUTABLE_RETRIES && declaring === `binding '${bindingName(binding)}'`;
      found ||= refused;
      return !refused;
    }),
  };
  return found ? changed : undefined;
}

function isOurs(name: string): boolean {
  return name.startsWith('warren.') || name.endsWith('.dead') || isWaitName(name);
}
