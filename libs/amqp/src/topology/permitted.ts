// Declaring as a user who may not configure everything. What Warren adds on its own (dead-letter queues, what retries
// wait in and come back through) may have been declared by an administrator: what such a user is refused is looked for
// instead, and taken as it is.

import { AccessRefusedError, TopologyMissingError } from '../model/topology-errors.js';
import { declare, type DeclaringChannel } from './declare.js';
import type { TopologyPlan } from './plan.js';

/** Where channels come from; a refusal costs one. */
export interface DeclaringConnection {
  withChannel<T>(use: (channel: DeclaringChannel) => Promise<T>): Promise<T>;
}

/** Declares a plan. @throws AccessRefusedError for what the user may not declare and nobody else has */
export async function declarePermitted(connection: DeclaringConnection, plan: TopologyPlan): Promise<void> {
  let refusal: AccessRefusedError | undefined;
  for (let left = plan; ;) {
    try {
      return await connection.withChannel((channel) => declare(channel, left));
    } catch (error) {
      // It is not there either: what helps is a permission, or an administrator.
      if (error instanceof TopologyMissingError && refusal?.resource === `${error.what} '${error.missing}'`)
        throw refusal;
      if (!(error instanceof AccessRefusedError)) throw error;
      const without = lookedFor(left, error.resource);
      if (!without) throw error;
      refusal = error;
      left = without;
    }
  }
}

/** The plan with one thing of ours only looked for; undefined when the refusal is about something else. */
function lookedFor(plan: TopologyPlan, resource: string): TopologyPlan | undefined {
  let found = false;
  const check = <T extends { name: string; declare: string }>(what: string, specs: readonly T[]): T[] =>
    specs.map((spec) => {
      if (!isOurs(spec.name) || spec.declare !== 'create' || resource !== `${what} '${spec.name}'`)
        return spec;
      found = true;
      return { ...spec, declare: 'check' };
    });
  const changed = {
    exchanges: check('exchange', plan.exchanges),
    queues: check('queue', plan.queues),
    bindings: plan.bindings,
  };
  return found ? changed : undefined;
}

function isOurs(name: string): boolean {
  return name.startsWith('warren.') || name.endsWith('.dead');
}
