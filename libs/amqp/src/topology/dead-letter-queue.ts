// The queue in which the dead letters of a queue are kept, and the arguments with which the broker sends there what it
// would drop by itself. The queue is declared with the plan, and again when a dead letter finds that it was deleted.

import type { Headers } from '../message/message.js';
import { deadQueueName, queueTypeOf, type BrokerDeadLettering, type QueueSpec } from './specs.js';

/** An `x-delivery-limit` for none. RabbitMQ 4 drops what was handed out twenty times, and a look must never cost one. */
export const UNLIMITED = 1_000_000_000;

/** As safe as the queue itself: replicated for a quorum queue, and never gone with its consumer. */
export function deadQueueSpec(queue: QueueSpec): QueueSpec {
  const type = queueTypeOf(queue);
  const args =
    type === 'quorum'
      ? { 'x-queue-type': 'quorum', 'x-delivery-limit': UNLIMITED }
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

/** The queue with what makes the broker dead-letter; as it is when the broker drops nothing of it, or the user decides. */
export function withBrokerDeadLettering(queue: QueueSpec, mode: BrokerDeadLettering['mode']): QueueSpec {
  const args = queue.arguments;
  const own = Object.keys(args).some((name) => name.startsWith('x-dead-letter-'));
  if (own || queue.temporary || queue.declare !== 'create') return queue;
  const found = keepingArguments(queue);
  return found ? { ...queue, deadLettering: { arguments: found, mode } } : queue;
}

function keepingArguments(queue: QueueSpec): Headers | undefined {
  const args = queue.arguments;
  const to = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': deadQueueName(queue.name) };
  const overflow = args['x-overflow'];
  const limited = args['x-max-length'] !== undefined || args['x-max-length-bytes'] !== undefined;
  const dropsNone = overflow === 'reject-publish';
  switch (queueTypeOf(queue)) {
    case 'quorum':
      // At least once needs reject-publish, which means nothing to a queue without a limit; where the oldest go, they go at most once.
      if (!dropsNone && (limited || overflow !== undefined)) return to;
      return { ...to, 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };
    case 'classic':
    case undefined:
      // A type left to the broker is for queues that other programs declare as well, without any arguments.
      return args['x-message-ttl'] !== undefined || (limited && !dropsNone) ? to : undefined;
    default:
      return undefined;
  }
}
