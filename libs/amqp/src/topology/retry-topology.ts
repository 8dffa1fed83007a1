// Wait queues: messages wait in them for their next attempt, or for a delayed publish. Each has one fixed time to
// live, so that a long delay never blocks a short one. They belong to the service that fills them and are never
// deleted by the broker.
// The publishing side forwards due messages (delay/retry-mover.ts). The time to live is a little longer than the
// delay: it is for messages that no process forwards.

import { RETURN_EXCHANGE, type ReturnRoute, UNROUTABLE_RETRIES, returnExchange } from '../message/headers.js';
import {
  queueTypeOf,
  type BindingSpec,
  type QueueSpec,
  type Declarations,
  deadQueueName,
  type BrokerDeadLettering,
  type ExchangeSpec,
} from './specs.js';
import type { Headers } from '../message/message.js';
import { checkName } from '../message/outgoing.js';
import type { TopologyPlan } from './plan.js';

// How retries return to a queue when no process forwards them: through a direct exchange to which each consumed queue
// is bound by its name. Messages whose queue was deleted meanwhile cannot be routed and go to a queue for the
// operator: dropped, they would be lost; kept, they would block all others.

/** How retries return to a queue. */
export function returnRouteTo(queue: QueueSpec): ReturnRoute {
  // A queue of one process never exists again under its name; a queue that Warren must not change is not bound;
  // streams keep all messages.
  if (queue.temporary) return { kind: 'broadcast' };
  return { kind: queue.declare === 'skip' || queueTypeOf(queue) === 'stream' ? 'by-name' : 'retry' };
}

/** The exchange, the queue of unroutable retries behind it, and the binding of a queue. */
export function returnRouteDeclarations({
  name,
  declaredBy,
}: Pick<QueueSpec, 'name' | 'declaredBy'>): Declarations {
  const topology = returnTopology(declaredBy);
  const binding: BindingSpec = {
    source: RETURN_EXCHANGE,
    destination: { kind: 'queue', name },
    key: name,
    arguments: {},
    declaredBy,
  };
  return { ...topology, bindings: [...topology.bindings, binding] };
}

// The dead-letter queue of a queue, and the arguments that make the broker dead-letter there what it would drop.
// Declared with the plan, and again when a dead letter finds it missing.

/**
 * The `x-delivery-limit` for no limit. RabbitMQ 4 drops a message that was delivered 20 times, and reading must never
 * lose one.
 */
export const UNLIMITED = 1_000_000_000;

/** As safe as the queue itself: replicated for a quorum queue, and never deleted with its consumer. */
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
    declaredBy: queue.declaredBy,
    temporary: false,
  };
}

/**
 * The queue with the arguments that make the broker dead-letter; unchanged when the broker drops nothing, or the user
 * decides.
 */
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
      // At-least-once needs reject-publish, which has no effect without a length limit; where the oldest messages are
      // dropped, it is at most once.
      if (!dropsNone && (limited || overflow !== undefined)) return to;
      return { ...to, 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };
    case 'classic':
    case undefined:
      // Other programs declare queues whose type is left to the broker, without any arguments.
      return args['x-message-ttl'] !== undefined || (limited && !dropsNone) ? to : undefined;
    default:
      return undefined;
  }
}

/** How long the declaration of a wait queue counts as fresh, in ms. */
export const WAIT_QUEUE_FRESH = 60_000;

const ASKED_BY = 'a message that waits';

/**
 * A delay rounded up to two significant digits, at least 10 ms: 1234 becomes 1300. This limits the number of wait
 * queues (90 for each power of ten) at a cost of at most ten per cent.
 */
export function waitStep(ms: number): number {
  if (ms <= 10) return 10;
  const unit = 10 ** (Math.floor(Math.log10(ms)) - 1);
  return Math.ceil(ms / unit) * unit;
}

/**
 * Name of the queue in which messages of a service wait `step` ms, and of the exchange before it.
 *
 * @throws EncodeError when the name is too long
 */
export function waitName(service: string, step: number, back: ReturnRoute): string {
  const name = unchecked(service, step, back);
  checkName('name of the queue in which a message would wait', name);
  return name;
}

function unchecked(service: string, step: number, back: ReturnRoute): string {
  if (back.kind === 'retry') return `${service}.retry.${step}`;
  if (back.kind !== 'delay') return `${service}.retry.${step}.${back.kind}`;
  return back.exchange === '' ? `${service}.delay.${step}` : `${service}.delay.${step}.${back.exchange}`;
}

/** Whether a name is one of those above, or of the queues behind them. */
export function isWaitName(name: string): boolean {
  return /\.(?:retry|delay)\.(?:\d+|to)(?:\.|$)|\.nowhere$/.test(name);
}

/**
 * What must exist for a delay: a fanout exchange, which keeps the routing key, its queue, and the dead-letter target
 * of that queue.
 *
 * @throws EncodeError when a name is too long
 */
export function waitTopology(service: string, step: number, back: ReturnRoute, grace: number): TopologyPlan {
  const name = waitName(service, step, back);
  const behind = behindWait(service, name, back);
  return {
    exchanges: [...behind.exchanges, fanout(name, true)],
    queues: [...behind.queues, durable(name, waitArguments(service, step, back, grace))],
    bindings: [...behind.bindings, toQueue(name, name)],
  };
}

function waitArguments(
  service: string,
  step: number,
  back: ReturnRoute,
  grace: number,
): QueueSpec['arguments'] {
  // No process forwards these: their queue is deleted with its process.
  if (back.kind === 'broadcast') {
    return { 'x-queue-type': 'classic', 'x-message-ttl': step, 'x-dead-letter-exchange': '' };
  }
  return {
    'x-queue-type': 'quorum',
    'x-message-ttl': step + grace,
    'x-dead-letter-exchange': deadLetterExchange(service, back),
    'x-dead-letter-strategy': 'at-least-once',
    // Without it RabbitMQ silently uses at-most-once.
    'x-overflow': 'reject-publish',
    // Returning a message counts as a delivery, and RabbitMQ 4 drops it at the 20th.
    'x-delivery-limit': UNLIMITED,
  };
}

function deadLetterExchange(service: string, back: ReturnRoute): string {
  if (back.kind === 'delay' && back.exchange !== '') return returnExchange(service, back.exchange);
  return back.kind === 'by-name' ? '' : RETURN_EXCHANGE;
}

function behindWait(service: string, name: string, back: ReturnRoute): TopologyPlan {
  if (back.kind === 'retry') return withProbes(service, name);
  if (back.kind !== 'delay') return { exchanges: [], queues: [], bindings: [] };
  return back.exchange === '' ? returnTopology(ASKED_BY) : behindDelay(service, back.exchange);
}

/**
 * The message that checks whether a wait queue exists (delay/retry-mover.ts) must not end among the unroutable
 * retries when nobody takes it.
 */
function withProbes(service: string, name: string): TopologyPlan {
  const { exchanges, queues, bindings } = returnTopology(ASKED_BY);
  const sink = nowhere(service);
  const probes = { ...toQueue(RETURN_EXCHANGE, sink.name), key: name };
  return { exchanges, queues: [...queues, sink], bindings: [...bindings, probes] };
}

/**
 * A delayed publish without subscribers is not an error, but the broker would keep it and, with 32 of them, stop
 * dead-lettering. So it also goes to a queue that drops everything at once.
 */
function behindDelay(service: string, exchange: string): TopologyPlan {
  const name = returnExchange(service, exchange);
  checkName('name of the exchange through which a message would come back', name);
  const sink = nowhere(service);
  const on: BindingSpec = {
    source: name,
    destination: { kind: 'exchange', name: exchange },
    key: '',
    arguments: {},
    declaredBy: ASKED_BY,
  };
  return { exchanges: [fanout(name, false)], queues: [sink], bindings: [toQueue(name, sink.name), on] };
}

/** Confirms and drops every message. */
function nowhere(service: string): QueueSpec {
  return durable(`${service}.nowhere`, { 'x-queue-type': 'quorum', 'x-message-ttl': 0 });
}

/** The exchange through which the broker returns retries, and the queue for retries whose own queue is missing. */
export function returnTopology(declaredBy: string): TopologyPlan {
  const unroutable: ExchangeSpec = { ...fanout(UNROUTABLE_RETRIES, false), declaredBy };
  const back: ExchangeSpec = {
    ...unroutable,
    name: RETURN_EXCHANGE,
    type: 'direct',
    arguments: { 'alternate-exchange': UNROUTABLE_RETRIES },
  };
  return {
    exchanges: [unroutable, back],
    queues: [{ ...durable(UNROUTABLE_RETRIES, { 'x-queue-type': 'quorum' }), declaredBy }],
    bindings: [{ ...toQueue(UNROUTABLE_RETRIES, UNROUTABLE_RETRIES), declaredBy }],
  };
}

function fanout(name: string, autoDelete: boolean): ExchangeSpec {
  return {
    name,
    type: 'fanout',
    durable: true,
    autoDelete,
    internal: false,
    arguments: {},
    declare: 'create',
    declaredBy: ASKED_BY,
  };
}

function durable(name: string, args: QueueSpec['arguments']): QueueSpec {
  return {
    name,
    durable: true,
    arguments: args,
    declare: 'create',
    declaredBy: ASKED_BY,
    temporary: false,
  };
}

function toQueue(source: string, name: string): BindingSpec {
  return { source, destination: { kind: 'queue', name }, key: '', arguments: {}, declaredBy: ASKED_BY };
}
