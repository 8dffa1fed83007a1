// Sends a plan to the broker: exchanges, queues, bindings, in that order. Declaring what already exists changes
// nothing, so the whole plan is sent again after every reconnect.

import { AccessRefusedError, TopologyMissingError } from '../errors/topology-errors.js';
import { UNROUTABLE_RETRIES } from '../message/headers.js';
import { ExistingQueues, foundOtherwise, other, type FoundOtherwise, type TopologyPlan } from './plan.js';
import type { QueueSpec, BindingSpec, ExchangeSpec } from './specs.js';
import { isWaitName } from './retry-topology.js';
import { declareError, type Asked } from './declare-error.js';

// Declares for a user without full configure permission. What Warren adds itself (dead-letter queues, the exchanges
// and queues of retries) may have been declared by an administrator: when such a declaration is refused, a passive
// declaration checks that it exists, and it is used unchanged.

/** Where channels come from; each refusal costs one. */
export interface DeclaringConnection {
  withChannel<T>(use: (channel: DeclaringChannel) => Promise<T>): Promise<T>;
}

/** Declares a plan. @throws AccessRefusedError for what the user may not declare and what does not exist */
export async function declarePermitted(connection: DeclaringConnection, plan: TopologyPlan): Promise<void> {
  const { accepted = new ExistingQueues() } = plan;
  const found = new Map<string, FoundOtherwise>();
  let closeReason: AccessRefusedError | undefined;
  for (let left: TopologyPlan = { ...plan, queues: plan.queues.map((queue) => accepted.asFound(queue)) }; ;) {
    try {
      await connection.withChannel((channel) => declare(channel, left));
      for (const one of found.values()) accepted.add(one);
      return;
    } catch (error) {
      // It was deleted meanwhile, so it is declared as it should be.
      if (error instanceof TopologyMissingError && error.what === 'queue' && accepted.forget(error.missing)) {
        const named = ({ name }: QueueSpec): boolean => name === error.missing;
        const [gone, wanted] = [left.queues.find(named), plan.queues.find(named)];
        if (gone && wanted) {
          left = from(left, gone, wanted);
          continue;
        }
      }
      const otherwise = foundOtherwise(left.queues, error);
      if (otherwise) {
        const { queue } = otherwise;
        const before = found.get(queue.name);
        // Refused with and without the arguments: report how it differs from a queue without them.
        if (before) throw before.queue.deadLettering?.mode === 'wanted' ? error : before.error;
        found.set(queue.name, otherwise);
        left = from(left, queue, other(queue));
        continue;
      }
      // It does not exist either: the user needs a permission, or an administrator must declare it.
      if (
        error instanceof TopologyMissingError &&
        closeReason?.resource === `${error.what} '${error.missing}'`
      )
        throw closeReason;
      if (!(error instanceof AccessRefusedError)) throw error;
      const without = lookedFor(left, error);
      if (!without) throw error;
      closeReason = error;
      left = without;
    }
  }
}

/** The rest of a plan from one of its queues on, which is declared as `changed`. */
function from(plan: TopologyPlan, queue: QueueSpec, changed: QueueSpec): TopologyPlan {
  const { queues } = plan;
  const done = queues.slice(0, queues.indexOf(queue));
  // Temporary queues were left out, so their bindings must be too.
  const kept = done.filter(({ temporary }) => temporary);
  return { ...plan, exchanges: [], queues: [...kept, changed, ...queues.slice(done.length + 1)] };
}

/**
 * The plan with one of Warren's own additions declared passively; undefined when the refusal is about something else.
 */
function lookedFor(
  plan: TopologyPlan,
  { resource, declaring }: AccessRefusedError,
): TopologyPlan | undefined {
  let found = false;
  const check = <T extends { name: string; declare: string }>(what: string, specs: readonly T[]): T[] =>
    specs.map((spec) => {
      if (!isOurs(spec.name) || spec.declare !== 'create' || resource !== `${what} '${spec.name}'`)
        return spec;
      found = true;
      return { ...spec, declare: 'check' };
    });
  const changed = {
    ...plan,
    exchanges: check('exchange', plan.exchanges),
    queues: check('queue', plan.queues),
    // Only an administrator may bind the queue of unroutable retries where services must not read each other's
    // messages.
    bindings: plan.bindings.filter((binding) => {
      const refused =
        binding.source === UNROUTABLE_RETRIES && declaring === `binding '${bindingName(binding)}'`;
      found ||= refused;
      return !refused;
    }),
  };
  return found ? changed : undefined;
}

function isOurs(name: string): boolean {
  return name.startsWith('warren.') || name.endsWith('.dead') || isWaitName(name);
}

/** The part of a channel that declares. */
export interface DeclaringChannel {
  assertExchange(name: string, type: string, options: object): Promise<unknown>;
  checkExchange(name: string): Promise<unknown>;
  assertQueue(name: string, options: object): Promise<unknown>;
  checkQueue(name: string): Promise<unknown>;
  bindQueue(queue: string, source: string, key: string, args: object): Promise<unknown>;
  bindExchange(destination: string, source: string, key: string, args: object): Promise<unknown>;
}

/** Declares a plan; temporary queues are left to their consumers. Throws the first refusal, with its explanation. */
export async function declare(channel: DeclaringChannel, plan: TopologyPlan): Promise<void> {
  const temporary = new Set(plan.queues.filter((queue) => queue.temporary).map((queue) => queue.name));
  for (const exchange of plan.exchanges) await declareExchange(channel, exchange);
  for (const queue of plan.queues) if (!queue.temporary) await declareQueue(channel, queue);
  for (const binding of plan.bindings) {
    if (!temporary.has(binding.destination.name)) await bind(channel, binding, binding.destination.name);
  }
}

/**
 * Declares a temporary queue under `name`, with the bindings of its plan. The broker deletes it with its connection
 * or consumer.
 */
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

/** Declares or checks one exchange. The default exchange and `amq.*` always exist. */
export async function declareExchange(channel: DeclaringChannel, exchange: ExchangeSpec): Promise<void> {
  const { name, type, durable, autoDelete, internal } = exchange;
  if (exchange.declare === 'skip' || name === '') return;
  const sent =
    type === undefined || exchange.declare === 'check'
      ? channel.checkExchange(name)
      : channel.assertExchange(name, type, { durable, autoDelete, internal, arguments: exchange.arguments });
  await explained(sent, {
    what: 'exchange',
    name,
    declaredBy: exchange.declaredBy,
    arguments: exchange.arguments,
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

/** A binding as shown in errors. */
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
