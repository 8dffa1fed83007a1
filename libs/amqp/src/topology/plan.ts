// Merges all declarations into one plan of the topology. A conflict between two is an error that names both, before
// anything is sent.

import type { Log } from '../runtime/logger.js';
import { AccessRefusedError, TopologyMismatchError } from '../errors/topology-errors.js';
import {
  deadQueueName,
  type QueueSpec,
  type BindingSpec,
  type ExchangeSpec,
  type Declarations,
} from './specs.js';
import { ConfigError } from '../errors/errors.js';
import { RETURN_EXCHANGE, UNROUTABLE_RETRIES } from '../message/headers.js';

/** A queue as requested, and why it is declared differently. */
export interface FoundOtherwise {
  readonly queue: QueueSpec;
  readonly why: 'exists' | 'permission';
  readonly error: unknown;
}

/** The queue of the plan that a refusal is about, if declaring it with or without the arguments may help. */
export function foundOtherwise(queues: readonly QueueSpec[], error: unknown): FoundOtherwise | undefined {
  if (error instanceof TopologyMismatchError && error.facts.what === 'queue') {
    const queue = queues.find(({ name }) => name === error.facts.name);
    if (!queue?.deadLettering || !(error.facts.argument in queue.deadLettering.arguments)) return undefined;
    return { queue, why: 'exists', error };
  }
  if (error instanceof AccessRefusedError && error.resource === "the default exchange 'amq.default'") {
    const queue = queues.find(({ name }) => error.declaring === `queue '${name}'`);
    if (queue?.deadLettering?.mode === 'wanted') return { queue, why: 'permission', error };
  }
  return undefined;
}

/** The queue with the arguments when it had none, and without them when it had them. */
export function other(queue: QueueSpec): QueueSpec {
  const { deadLettering } = queue;
  if (!deadLettering) return queue;
  return {
    ...queue,
    deadLettering: { ...deadLettering, mode: deadLettering.mode === 'wanted' ? 'unwanted' : 'wanted' },
  };
}

/**
 * Queues that exist differently than Warren would declare them: without the arguments that make the broker
 * dead-letter dropped messages (an older version, another program or a policy created them), or with them although
 * not requested. Both are accepted, since AMQP cannot change a queue; the consequence is logged once. The result is
 * remembered, so that a reconnect costs no refused channel: the queue is only looked for, and declared as requested when it
 * is gone.
 */
export class ExistingQueues {
  private readonly names = new Map<string, FoundOtherwise['why']>();

  constructor(private readonly logger?: Log) {}

  /** A queue of the plan as it exists. */
  asFound(queue: QueueSpec): QueueSpec {
    const why = this.names.get(queue.name);
    if (why === 'exists') return { ...queue, declare: 'check' };
    return why === undefined ? queue : other(queue);
  }

  /** It does not exist any more. Whether it was known. */
  forget(name: string): boolean {
    return this.names.delete(name);
  }

  add({ queue, why }: FoundOtherwise): void {
    if (this.names.has(queue.name)) return;
    this.names.set(queue.name, why);
    if (queue.deadLettering?.mode !== 'wanted') return;
    this.logger?.warn(warning(queue, why), { event: 'queue-differs', queue: queue.name });
  }
}

function warning(queue: QueueSpec, why: FoundOtherwise['why']): string {
  const dead = deadQueueName(queue.name);
  const found =
    why === 'exists'
      ? `exists without the arguments that make the broker dead-letter dropped messages to '${dead}', and is used as it is`
      : `is declared without the arguments that make the broker dead-letter dropped messages to '${dead}': the user has no write permission on the default exchange (amq.default)`;
  return [
    `queue '${queue.name}' of ${queue.declaredBy} ${found}.`,
    `Messages that the broker drops are lost: expired ones, the oldest of a full queue, and on RabbitMQ 4 those of a quorum queue that were returned 20 times, for example by a process that crashes at every start.`,
    why === 'exists'
      ? `Set a policy (merged with the current policy of the queue, if any): ${policyCommand(queue)} Or, without a policy: stop the consumers, delete the queue when it is empty, and start again.`
      : `Grant the permission and restart.`,
    `When a policy does it, deadLetter: { broker: false } turns this warning off.`,
  ].join(' ');
}

/** The command for an administrator. */
export function policyCommand({ name, deadLettering }: QueueSpec): string {
  const definition = Object.fromEntries(
    Object.entries(deadLettering?.arguments ?? {}).map(([key, value]) => [key.replace(/^x-/, ''), value]),
  );
  const pattern = `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  const quoted = [`keep-${name}`, pattern, JSON.stringify(definition)].map(
    (text) => `'${text.replace(/'/g, `'\\''`)}'`,
  );
  return `rabbitmqctl set_policy -p VHOST --apply-to queues ${quoted.join(' ')}`;
}

/** The topology to declare, each part once. */
export interface TopologyPlan {
  readonly exchanges: readonly ExchangeSpec[];
  readonly queues: readonly QueueSpec[];
  readonly bindings: readonly BindingSpec[];
  /** Queues that exist differently than requested, remembered as long as the plan. */
  readonly accepted?: ExistingQueues;
}

/** Merges declarations. @throws ConfigError when two of them conflict */
export function planTopology(all: readonly Declarations[], accepted?: ExistingQueues): TopologyPlan {
  const exchanges = new Map<string, ExchangeSpec>();
  const queues = new Map<string, QueueSpec>();
  const bindings = new Map<string, BindingSpec>();
  for (const declarations of all) {
    for (const exchange of declarations.exchanges) mergeExchange(exchanges, exchange);
    for (const queue of declarations.queues) mergeQueue(queues, queue);
    for (const binding of declarations.bindings) bindings.set(bindingIdentity(binding), binding);
  }
  return {
    exchanges: [...exchanges.values()],
    queues: [...queues.values()],
    bindings: [...bindings.values()],
    accepted,
  };
}

/** Both as one, without merging what is in both. */
export function joinedPlans(one: TopologyPlan | undefined, other: TopologyPlan): TopologyPlan {
  if (!one) return other;
  return {
    exchanges: [...one.exchanges, ...other.exchanges],
    queues: [...one.queues, ...other.queues],
    bindings: [...one.bindings, ...other.bindings],
  };
}

/** The part of a plan that one queue needs, to declare it again after it was deleted. */
export function partFor(plan: TopologyPlan, queue: string): TopologyPlan {
  const bindings = plan.bindings.filter(
    ({ destination }) => destination.kind === 'queue' && destination.name === queue,
  );
  const sources = new Set(bindings.map((binding) => binding.source));
  // Retries whose queue is missing do not need their own queue.
  const orphans = sources.has(RETURN_EXCHANGE) ? UNROUTABLE_RETRIES : undefined;
  const needed = [queue, deadQueueName(queue), orphans];
  return {
    exchanges: plan.exchanges.filter(({ name }) => sources.has(name) || name === orphans),
    queues: plan.queues.filter(({ name }) => needed.includes(name)),
    bindings: [...bindings, ...plan.bindings.filter(({ source }) => source === orphans)],
    accepted: plan.accepted,
  };
}

function mergeExchange(known: Map<string, ExchangeSpec>, wanted: ExchangeSpec): void {
  const present = known.get(wanted.name);
  // An exchange given by name only is used as others describe it.
  if (!present || (present.type === undefined && wanted.type !== undefined)) {
    known.set(wanted.name, wanted);
    return;
  }
  if (wanted.type === undefined) return;
  const difference = firstDifference(exchangeFacts(present), exchangeFacts(wanted));
  if (difference) conflict('exchange', wanted.name, present.declaredBy, wanted.declaredBy, difference);
}

function mergeQueue(known: Map<string, QueueSpec>, wanted: QueueSpec): void {
  const present = known.get(wanted.name);
  if (!present) {
    known.set(wanted.name, wanted);
    return;
  }
  const difference = firstDifference(queueFacts(present), queueFacts(wanted));
  if (difference) conflict('queue', wanted.name, present.declaredBy, wanted.declaredBy, difference);
  const [one, other] = [present.deadLettering, wanted.deadLettering];
  if (other && (!one || STRONGER.indexOf(other.mode) > STRONGER.indexOf(one.mode))) {
    known.set(wanted.name, { ...present, deadLettering: other });
  }
}

/** Of two handlers of a queue, the one that refuses broker dead letters decides. */
const STRONGER = ['accepted', 'wanted', 'unwanted'];

function exchangeFacts(exchange: ExchangeSpec): Record<string, unknown> {
  const { type, durable, autoDelete, internal, declare } = exchange;
  return { type, durable, autoDelete, internal, declare, ...exchange.arguments };
}

function queueFacts(queue: QueueSpec): Record<string, unknown> {
  const { durable, declare, temporary } = queue;
  return { durable, declare, broadcast: temporary, ...queue.arguments };
}

interface Difference {
  readonly name: string;
  readonly one: unknown;
  readonly other: unknown;
}

function firstDifference(
  one: Record<string, unknown>,
  other: Record<string, unknown>,
): Difference | undefined {
  for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
    if (JSON.stringify(one[name]) !== JSON.stringify(other[name]))
      return { name, one: one[name], other: other[name] };
  }
  return undefined;
}

function conflict(what: string, name: string, first: string, second: string, difference: Difference): never {
  const { name: option, one, other } = difference;
  throw new ConfigError(
    `${first} and ${second} want ${what} '${name}' differently: ${option} is ${JSON.stringify(one)} for the first and ${JSON.stringify(other)} for the second`,
    'give both the same options, or use two names',
  );
}

function bindingIdentity(binding: BindingSpec): string {
  const { source, destination, key } = binding;
  return JSON.stringify([source, destination.kind, destination.name, key, binding.arguments]);
}
