// The way back of retries: a direct exchange to which each consumed queue is bound with its own name. What
// it cannot route, because the queue was deleted while the message waited, goes to a queue where a person
// finds it: dropped it would be lost, and kept it would block the wait queue for all others.

import { BACK_EXCHANGE, BY_NAME, ORPHANS, type WayBack } from '../model/way-back.js';
import { queueTypeOf, type BindingSpec, type ExchangeSpec, type QueueSpec, type Wishes } from './schema.js';

/** How retries come back to a queue. */
export function wayBackTo(queue: QueueSpec): WayBack {
  const type = queueTypeOf(queue);
  // A queue of one process never comes back under its name; one that is not ours to touch is not bound; streams keep all.
  if (queue.temporary || queue.declare === 'skip' || type === 'stream') return BY_NAME;
  return { exchange: BACK_EXCHANGE, replicated: type === 'quorum' };
}

/** The exchange, the queue behind it for what finds its way no more, and the binding of a queue. */
export function wayBackWishes({ name, askedBy }: Pick<QueueSpec, 'name' | 'askedBy'>): Wishes {
  const topology = wayBackTopology(askedBy);
  const binding: BindingSpec = {
    ...{ source: BACK_EXCHANGE, destination: { kind: 'queue', name }, key: name, arguments: {}, askedBy },
  };
  return { ...topology, bindings: [...topology.bindings, binding] };
}

function wayBackTopology(askedBy: string): Wishes {
  const exchange = { durable: true, autoDelete: false, internal: false, declare: 'create', askedBy } as const;
  const orphans: ExchangeSpec = { ...exchange, name: ORPHANS, type: 'fanout', arguments: {} };
  const back: ExchangeSpec = {
    ...exchange,
    ...{ name: BACK_EXCHANGE, type: 'direct', arguments: { 'alternate-exchange': ORPHANS } },
  };
  const queue: QueueSpec = {
    ...{ name: ORPHANS, durable: true, arguments: { 'x-queue-type': 'quorum' } },
    ...{ declare: 'create', askedBy, temporary: false },
  };
  const binding: BindingSpec = {
    ...{ source: ORPHANS, destination: { kind: 'queue', name: ORPHANS }, key: '', arguments: {}, askedBy },
  };
  return { exchanges: [orphans, back], queues: [queue], bindings: [binding] };
}
