// The queue in which the dead letters of a queue are kept. Apart, because it is declared with the plan, and
// again when a dead letter finds that somebody deleted it.

import { deadQueueName, queueTypeOf, type QueueSpec } from './schema.js';

/** RabbitMQ 4 drops what a quorum queue handed out twenty times. A look at dead letters must never cost one. */
const LOOKS = 1_000_000_000;

/** As safe as the queue itself: replicated for a quorum queue, and never gone with its consumer. */
export function deadQueueSpec(queue: QueueSpec): QueueSpec {
  const type = queueTypeOf(queue);
  const args =
    type === 'quorum'
      ? { 'x-queue-type': 'quorum', 'x-delivery-limit': LOOKS }
      : type === undefined
        ? {}
        : { 'x-queue-type': 'classic' };
  return {
    name: deadQueueName(queue.name),
    durable: true,
    arguments: queue.temporary ? { 'x-queue-type': 'classic' } : args,
    declare: 'create',
    askedBy: queue.askedBy,
    temporary: false,
  };
}
