// How retries come back to a queue by themselves, when nobody moves them: through a direct exchange to which each
// consumed queue is bound with its own name. What it cannot route, because the queue was deleted while the message
// waited, goes to a queue where a person finds it: dropped it would be lost, and kept it would block all others.

import { BACK_EXCHANGE, type WayBack } from '../message/retry-return.js';
import { queueTypeOf, type BindingSpec, type QueueSpec, type Wishes } from './specs.js';
import { returnTopology } from './wait-queues.js';

/** How retries come back to a queue. */
export function wayBackTo(queue: QueueSpec): WayBack {
  // A queue of one process never comes back under its name; one that is not ours to touch is not bound; streams keep all.
  if (queue.temporary) return { kind: 'broadcast' };
  return { kind: queue.declare === 'skip' || queueTypeOf(queue) === 'stream' ? 'by-name' : 'retry' };
}

/** The exchange, the queue behind it for what finds its way no more, and the binding of a queue. */
export function wayBackWishes({ name, askedBy }: Pick<QueueSpec, 'name' | 'askedBy'>): Wishes {
  const topology = returnTopology(askedBy);
  const binding: BindingSpec = {
    ...{ source: BACK_EXCHANGE, destination: { kind: 'queue', name }, key: name, arguments: {}, askedBy },
  };
  return { ...topology, bindings: [...topology.bindings, binding] };
}
