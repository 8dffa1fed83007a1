import type { BrokerLogger } from '../runtime/logger.js';
import { AccessRefusedError, TopologyMismatchError } from '../errors/topology-errors.js';
import { deadQueueName, type QueueSpec } from './specs.js';

/** A queue as it was asked for, and why it is declared the other way. */
export interface FoundOtherwise {
  readonly queue: QueueSpec;
  readonly why: 'exists' | 'permission';
  readonly error: unknown;
}

/** The queue of the plan that a refusal is about, when declaring it with or without the arguments instead may do. */
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

/** The queue with the arguments when it was without, and without when it was with them. */
export function other(queue: QueueSpec): QueueSpec {
  const { deadLettering } = queue;
  if (!deadLettering) return queue;
  return {
    ...queue,
    deadLettering: { ...deadLettering, mode: deadLettering.mode === 'wanted' ? 'unwanted' : 'wanted' },
  };
}

/**
 * Queues that exist otherwise than they would be made: without the arguments that make the broker
 * dead-letter what it drops (an older version, another program or a policy made them), or with them where
 * nobody asked. Both are accepted, since AMQP cannot change a queue; what that means is said once.
 * Remembered, so that a reconnect costs no refused channel.
 */
export class ExistingQueues {
  private readonly names = new Set<string>();

  constructor(private readonly logger?: BrokerLogger) {}

  /** A queue of the plan as it was found. */
  asFound(queue: QueueSpec): QueueSpec {
    return this.names.has(queue.name) ? other(queue) : queue;
  }

  add({ queue, why }: FoundOtherwise): void {
    if (this.names.has(queue.name)) return;
    this.names.add(queue.name);
    if (queue.deadLettering?.mode === 'wanted') this.logger?.warn(warning(queue, why));
  }
}

function warning(queue: QueueSpec, why: FoundOtherwise['why']): string {
  const dead = deadQueueName(queue.name);
  const found =
    why === 'exists'
      ? `exists without the arguments that make the broker send to '${dead}' what it drops, and is used as it is`
      : `is declared without the arguments that make the broker send to '${dead}' what it drops: the user may not write to the default exchange (amq.default)`;
  return [
    `queue '${queue.name}' of ${queue.declaredBy} ${found}.`,
    `What it drops is lost: on RabbitMQ 4 a message of a quorum queue that came back 20 times, as from a process that ends whenever it starts; what expires; the oldest of a full queue.`,
    why === 'exists'
      ? `Set a policy (merge it with the one that the queue has, if any): ${policyCommand(queue)} Without a policy: stop its consumers, delete it when it is empty, start again.`
      : `Grant that, and start again.`,
    `Once a policy does it, deadLetter: { broker: false } ends this warning.`,
  ].join(' ');
}

/** What an administrator types. */
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
