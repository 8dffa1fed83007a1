// Declaring again what was there before. Meanwhile somebody may have made one of the things otherwise; that is said, and
// costs nothing but what needs it: all else is declared, and its consumers consume.

import type { Connection } from '../link/connection.js';
import { ConnectionLostError, RabbitError } from '../model/errors.js';
import { declarePermitted } from '../topology/permitted.js';
import type { TopologyPlan } from '../topology/plan.js';

/** Resolves with what was refused. Rejects when the connection went away. */
export async function redeclare(connection: Connection, plan: TopologyPlan): Promise<RabbitError[]> {
  if ((await attempt(connection, plan)) === undefined) return [];
  const refused: RabbitError[] = [];
  for (const piece of pieces(plan)) {
    const error = await attempt(connection, piece);
    if (error) refused.push(error);
  }
  return refused;
}

async function attempt(connection: Connection, plan: TopologyPlan): Promise<RabbitError | undefined> {
  try {
    await declarePermitted(connection, plan);
    return undefined;
  } catch (error) {
    if (!(error instanceof RabbitError) || error instanceof ConnectionLostError) throw error;
    return error;
  }
}

/** Each thing alone, in the order of the plan: a refusal closes the channel, so each has one of its own. */
function* pieces({ exchanges, queues, bindings, accepted }: TopologyPlan): Generator<TopologyPlan> {
  const none: TopologyPlan = { exchanges: [], queues: [], bindings: [], accepted };
  for (const exchange of exchanges) yield { ...none, exchanges: [exchange] };
  for (const queue of queues) yield { ...none, queues: [queue] };
  const temporary = new Set(queues.filter((queue) => queue.temporary).map(({ name }) => name));
  for (const binding of bindings) {
    if (!temporary.has(binding.destination.name)) yield { ...none, bindings: [binding] };
  }
}
