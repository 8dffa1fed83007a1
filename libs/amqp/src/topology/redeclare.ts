// Declaring again what was there before. Meanwhile somebody may have made one of the things otherwise; that is said, and
// costs nothing but what needs it: all else is declared, and its consumers consume.

import { ConnectionLostError, RabbitError } from '../errors/errors.js';
import type { MissingTopology } from '../events/events.js';
import { replyCode } from './declare-error.js';
import { declarePermitted, type DeclaringConnection } from './passive-declare.js';
import type { TopologyPlan } from './plan.js';

/** Resolves with what was refused. Rejects when the connection went away. */
export async function redeclare(connection: DeclaringConnection, plan: TopologyPlan): Promise<RabbitError[]> {
  if ((await attempt(connection, plan)) === undefined) return [];
  const refused: RabbitError[] = [];
  for (const piece of pieces(plan)) {
    const error = await attempt(connection, piece);
    if (error) refused.push(error);
  }
  return refused;
}

/** What of a plan is not there. Rejects when the connection went away. */
export async function missingOf(
  connection: DeclaringConnection,
  { exchanges, queues }: TopologyPlan,
): Promise<MissingTopology[]> {
  const wanted = [
    ...exchanges
      .filter(({ name, declare }) => declare !== 'skip' && name !== '' && !name.startsWith('amq.'))
      .map(({ name }): MissingTopology => ({ what: 'exchange', name })),
    ...queues
      .filter(({ declare, temporary }) => declare !== 'skip' && !temporary)
      .map(({ name }): MissingTopology => ({ what: 'queue', name })),
  ];
  const missing: MissingTopology[] = [];
  for (let next = 0; next < wanted.length;) {
    try {
      await connection.withChannel(async (channel) => {
        for (; next < wanted.length; next++) {
          const { what, name } = wanted[next];
          await (what === 'exchange' ? channel.checkExchange(name) : channel.checkQueue(name));
        }
      });
    } catch (error) {
      // The answer closed the channel. Other codes say that it is there, and not for us.
      const code = replyCode(error);
      if (code === undefined) throw error;
      if (code === 404) missing.push(wanted[next]);
      next++;
    }
  }
  return missing;
}

async function attempt(
  connection: DeclaringConnection,
  plan: TopologyPlan,
): Promise<RabbitError | undefined> {
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
