// Sends a plan to the broker: exchanges, queues, bindings, in that order. Declaring what is there
// already changes nothing, so the whole plan is sent again after every reconnect.

import { declareError, type Asked } from './declare-error.js';
import type { TopologyPlan } from './plan.js';
import type { BindingSpec, ExchangeSpec, QueueSpec } from './specs.js';

/** The part of a channel that declares. */
export interface DeclaringChannel {
  assertExchange(name: string, type: string, options: object): Promise<unknown>;
  checkExchange(name: string): Promise<unknown>;
  assertQueue(name: string, options: object): Promise<unknown>;
  checkQueue(name: string): Promise<unknown>;
  bindQueue(queue: string, source: string, key: string, args: object): Promise<unknown>;
  bindExchange(destination: string, source: string, key: string, args: object): Promise<unknown>;
}

/** Declares a plan; temporary queues are left to their consumers. Throws the first refusal, explained. */
export async function declare(channel: DeclaringChannel, plan: TopologyPlan): Promise<void> {
  const temporary = new Set(plan.queues.filter((queue) => queue.temporary).map((queue) => queue.name));
  for (const exchange of plan.exchanges) await declareExchange(channel, exchange);
  for (const queue of plan.queues) if (!queue.temporary) await declareQueue(channel, queue);
  for (const binding of plan.bindings) {
    if (!temporary.has(binding.destination.name)) await bind(channel, binding, binding.destination.name);
  }
}

/** Declares a temporary queue under `name`, with the bindings of its plan. It goes with its connection, or consumer. */
export async function declareTemporary(
  channel: DeclaringChannel,
  queue: QueueSpec,
  name: string,
  bindings: readonly BindingSpec[],
  autoDelete: boolean,
): Promise<void> {
  const options = { durable: false, exclusive: true, autoDelete, arguments: queue.arguments };
  await explained(channel.assertQueue(name, options), { what: 'queue', name, declaredBy: queue.declaredBy });
  for (const binding of bindings) await bind(channel, binding, name);
}

/** Declares or looks for one exchange. The default exchange and `amq.*` are there always. */
export async function declareExchange(channel: DeclaringChannel, exchange: ExchangeSpec): Promise<void> {
  const { name, type, durable, autoDelete, internal } = exchange;
  if (exchange.declare === 'skip' || name === '') return;
  const sent =
    type === undefined || exchange.declare === 'check'
      ? channel.checkExchange(name)
      : channel.assertExchange(name, type, { durable, autoDelete, internal, arguments: exchange.arguments });
  await explained(sent, {
    ...{ what: 'exchange', name, declaredBy: exchange.declaredBy, arguments: exchange.arguments },
  });
}

async function declareQueue(channel: DeclaringChannel, queue: QueueSpec): Promise<void> {
  if (queue.declare === 'skip') return;
  const { name, durable } = queue;
  const sent =
    queue.declare === 'check'
      ? channel.checkQueue(name)
      : channel.assertQueue(name, { durable, arguments: asked(queue) });
  await explained(sent, { what: 'queue', name, declaredBy: queue.declaredBy, arguments: queue.arguments });
}

function asked({ arguments: args, deadLettering }: QueueSpec): object {
  return deadLettering?.mode === 'wanted' ? { ...args, ...deadLettering.arguments } : args;
}

async function bind(channel: DeclaringChannel, binding: BindingSpec, destination: string): Promise<void> {
  const { source, key } = binding;
  const sent =
    binding.destination.kind === 'queue'
      ? channel.bindQueue(destination, source, key, binding.arguments)
      : channel.bindExchange(destination, source, key, binding.arguments);
  await explained(sent, {
    what: 'binding',
    name: bindingName(binding, destination),
    declaredBy: binding.declaredBy,
  });
}

/** A binding as errors name it. */
export function bindingName({ source, destination }: BindingSpec, name = destination.name): string {
  return `${source} -> ${name}`;
}

async function explained(sent: Promise<unknown>, asked: Asked): Promise<void> {
  try {
    await sent;
  } catch (error) {
    throw declareError(error, asked);
  }
}
