// The view Topology: exchanges, queues and bindings as this process declares them, and as the broker has them.

import { type BrokerDetails, systemClock } from '@warren/nestjs';
import type { Unknown } from '../api/answers.js';
import type {
  BindingEdge,
  Drift,
  ExchangeNode,
  Purpose,
  QueueNode,
  TopologyAnswer,
} from '../api/topology.js';
import { fields } from './body.js';
import type { AllInstances } from './instances.js';
import type { Listed, Management, ManagedBinding, ManagedExchange, ManagedQueue } from './management.js';
import { waitQueueOf } from './services.js';

const MOST_NODES = 2_000;
const MOST_BINDINGS = 5_000;

/** What the broker has; each list is undefined when that is not known. */
export interface Actual {
  readonly queues: Listed<ManagedQueue>;
  readonly exchanges: Listed<ManagedExchange>;
  readonly bindings: Listed<ManagedBinding>;
}

/** Asks for all of it. */
export async function actualTopology(management: Management): Promise<Actual> {
  const [queues, exchanges, bindings] = await Promise.all([
    management.queues(),
    management.exchanges(),
    management.bindings(),
  ]);
  return { queues, exchanges, bindings };
}

type Declared = BrokerDetails['topology'];

/** See TopologyAnswer. */
export function topologyView(
  { topology: declared }: BrokerDetails,
  actual: Actual,
  { instances, unknown }: AllInstances,
  lack: (why: string) => Unknown,
): TopologyAnswer {
  const missing = [actual.queues, actual.exchanges, actual.bindings].find(({ list }) => list === undefined);
  const handlers = handlersByQueue(instances);
  const edges = bindingEdges(declared, missing ? undefined : actual.bindings.list);
  const bound = new Set(edges.flatMap(({ source, destination }) => [source, destination]));
  const queues = queueNodes(declared, missing ? undefined : actual.queues.list, handlers);
  const exchanges = exchangeNodes(declared, missing ? undefined : actual.exchanges.list, bound);
  const kept = [
    exchanges.slice(0, MOST_NODES),
    queues.slice(0, MOST_NODES),
    edges.slice(0, MOST_BINDINGS),
  ] as const;
  const all = exchanges.length + queues.length + edges.length;
  const others = unknown.filter(({ why }) => why === 'fleet' || why === 'broker');
  return {
    at: systemClock.wall(),
    unknown: missing ? [...others, lack('why' in missing ? missing.why : '')] : others,
    compared: missing === undefined,
    exchanges: kept[0],
    queues: kept[1],
    bindings: kept[2],
    leftOut: all - kept[0].length - kept[1].length - kept[2].length,
  };
}

function handlersByQueue(instances: AllInstances['instances']): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { from, info } of instances)
    for (const { id, queue, deadQueue } of info?.handlers ?? []) {
      const name = `${from.service} ${id}`;
      if (!found.get(queue)?.includes(name)) found.set(queue, [...(found.get(queue) ?? []), name]);
      if (deadQueue !== undefined && !found.has(deadQueue)) found.set(deadQueue, []);
    }
  return found;
}

function queueNodes(
  { queues }: Declared,
  actual: readonly ManagedQueue[] | undefined,
  handlers: ReadonlyMap<string, readonly string[]>,
): QueueNode[] {
  const found = new Map(actual?.map((queue) => [queue.name, queue]));
  const declared = queues.map((queue): QueueNode => {
    const there = found.get(queue.name) ?? (queue.temporary ? startingWith(queue.name, actual) : undefined);
    if (there) found.delete(there.name);
    return {
      name: queue.name,
      purpose: purposeOf(queue.name),
      declaredBy: [queue.declaredBy],
      exists: actual ? there !== undefined : null,
      drift: there && queue.declare === 'create' && !queue.temporary ? queueDrift(queue, there) : [],
      orphan: false,
      durable: queue.durable,
      arguments: fields(queue.arguments),
      type: there?.type ?? typeOf(queue.arguments),
      handlers: handlers.get(queue.name) ?? [],
      messages: there?.messages ?? null,
      consumers: there?.consumers ?? null,
    };
  });
  const others = [...found.values()].map((queue): QueueNode => {
    const known = handlers.get(queue.name);
    const purpose = purposeOf(queue.name);
    return {
      name: queue.name,
      purpose: purpose === 'work' && known === undefined ? 'other' : purpose,
      declaredBy: [],
      exists: true,
      drift: [],
      orphan: known === undefined && queue.consumers === 0 && !/^(wait|internal)$/.test(purpose),
      durable: queue.durable,
      arguments: fields(queue.arguments),
      type: queue.type,
      handlers: known ?? [],
      messages: queue.messages,
      consumers: queue.consumers,
    };
  });
  return [...declared, ...others.sort(byName)];
}

function startingWith(name: string, queues: readonly ManagedQueue[] = []): ManagedQueue | undefined {
  return queues.find((queue) => queue.exclusive && queue.name.startsWith(`${name}.`));
}

function queueDrift(queue: Declared['queues'][number], there: ManagedQueue): Drift[] {
  const drift = difference('durable', queue.durable, there.durable);
  // Arguments that may be there or not are no drift.
  const may = new Set(Object.keys(queue.optionalArguments));
  return [...drift, ...argumentDrift(queue.arguments, there.arguments, may)];
}

function exchangeNodes(
  { exchanges }: Declared,
  actual: readonly ManagedExchange[] | undefined,
  bound: ReadonlySet<string>,
): ExchangeNode[] {
  const found = new Map(actual?.map((exchange) => [exchange.name, exchange]));
  const declared = exchanges.map((exchange): ExchangeNode => {
    const there = found.get(exchange.name);
    found.delete(exchange.name);
    const isCompared = there && exchange.declare === 'create' && exchange.type !== undefined;
    return {
      name: exchange.name,
      purpose: purposeOf(exchange.name),
      declaredBy: [exchange.declaredBy],
      exists: actual ? there !== undefined : null,
      drift: isCompared
        ? [
            ...difference('type', exchange.type, there.type),
            ...difference('durable', exchange.durable, there.durable),
            ...difference('autoDelete', exchange.autoDelete, there.auto_delete),
            ...argumentDrift(exchange.arguments, there.arguments, new Set()),
          ]
        : [],
      orphan: false,
      durable: exchange.type === undefined ? (there?.durable ?? null) : exchange.durable,
      arguments: fields(exchange.arguments),
      type: exchange.type ?? there?.type ?? null,
    };
  });
  const others = [...found.values()].flatMap((exchange): ExchangeNode[] => {
    // Those that every virtual host has.
    if (exchange.name === '' || exchange.name.startsWith('amq.')) return [];
    const purpose = purposeOf(exchange.name);
    return [
      {
        name: exchange.name,
        purpose: purpose === 'work' ? 'other' : purpose,
        declaredBy: [],
        exists: true,
        drift: [],
        orphan: purpose === 'work' && !bound.has(exchange.name),
        durable: exchange.durable,
        arguments: fields(exchange.arguments),
        type: exchange.type,
      },
    ];
  });
  return [...declared, ...others.sort(byName)];
}

function bindingEdges(
  { bindings, queues, exchanges }: Declared,
  actual?: readonly ManagedBinding[],
): BindingEdge[] {
  const own = new Set([...queues, ...exchanges].map(({ name }) => name));
  const temporary = queues.filter((queue) => queue.temporary).map(({ name }) => `${name}.`);
  const found = new Map(
    actual
      ?.filter(({ source }) => source !== '')
      .map((binding) => [
        keyOf(binding.source, binding.destination, binding.routing_key, binding.arguments),
        binding,
      ]),
  );
  const declared = bindings.map(({ source, destination, key, arguments: given }): BindingEdge => {
    const identity = keyOf(source, destination.name, key, given);
    const exists = found.delete(identity);
    return {
      source,
      destination: destination.name,
      destinationKind: destination.kind,
      key,
      arguments: fields(given),
      declared: true,
      // That of a temporary queue leads to a name that only its process knows.
      exists: actual && !temporary.includes(`${destination.name}.`) ? exists : null,
      orphan: false,
    };
  });
  const others = [...found.values()].map((binding): BindingEdge => {
    const isTemporary = temporary.some((name) => binding.destination.startsWith(name));
    return {
      source: binding.source,
      destination: binding.destination,
      destinationKind: binding.destination_type === 'exchange' ? 'exchange' : 'queue',
      key: binding.routing_key,
      arguments: fields(binding.arguments),
      declared: false,
      exists: true,
      orphan: own.has(binding.destination) && !isTemporary && purposeOf(binding.source) === 'work',
    };
  });
  return [...declared, ...others];
}

function keyOf(source: string, destination: string, key: string, given: object): string {
  return JSON.stringify([source, destination, key, Object.entries(given).sort()]);
}

function argumentDrift(
  declared: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  may: ReadonlySet<string>,
): Drift[] {
  const names = new Set([...Object.keys(declared), ...Object.keys(actual)]);
  return [...names].flatMap((name) => {
    if (may.has(name)) return [];
    // RabbitMQ 4 adds the type that a virtual host has by default.
    if (name === 'x-queue-type' && declared[name] === undefined && actual[name] === 'classic') return [];
    return difference(name, declared[name], actual[name]);
  });
}

function difference(field: string, declared: unknown, actual: unknown): Drift[] {
  const [one, other] = [JSON.stringify(declared) ?? 'none', JSON.stringify(actual) ?? 'none'];
  return one === other ? [] : [{ field, declared: one.slice(0, 200), actual: other.slice(0, 200) }];
}

function typeOf(given: Readonly<Record<string, unknown>>): string {
  const type = given['x-queue-type'];
  return typeof type === 'string' ? type : 'classic';
}

function purposeOf(name: string): Purpose {
  if (name.endsWith('.dead')) return 'dead';
  if (/^warren\./.test(name) || /\.(fleet|replies|nowhere)(\.|$)/.test(name)) return 'internal';
  if (waitQueueOf(name) !== undefined || /\.(retry|delay)\.to\./.test(name)) return 'wait';
  return 'work';
}

const byName = (one: { readonly name: string }, other: { readonly name: string }): number =>
  one.name < other.name ? -1 : 1;
