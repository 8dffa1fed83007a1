// Exchanges: a name, a kind, and a router that knows which bindings want a message. Direct and fanout routers are
// here; topic, headers and consistent hash have files of their own. And bindings, as values: from an exchange to a queue or
// another exchange, with a key and arguments.
import type { Table } from '../wire/field-table.js';
import { canonicalTable } from './canonical.js';
import { byRoutingKey, checkLocalBinding, ChoosingRouter, RecentHistory } from './choosing-routers.js';
import { ExchangeCounters } from './counters.js';
import { AmqpFailure, precondition } from './failure.js';
import { checkWeight, HashRing } from './hash-ring.js';
import { checkHeadersArguments, HeadersIndex } from './headers-index.js';
import type { DeclaredMemory } from './memory-meter.js';
import type { Message } from './message.js';
import { type AppliedPolicy, NO_POLICY } from './policy.js';
import type { Queue } from './queue.js';
import type { Routable, Router } from './router.js';
import { TopicTrie } from './topic-trie.js';
import type { VersionTraits } from './version.js';

export interface ExchangeSettings {
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Table;
}

export type Destination = Queue | Exchange;

export interface Binding extends Routable {
  readonly source: Exchange;
  readonly destination: Destination;
}

/** Two bindings are the same when all of this is the same, whatever order the arguments came in. */
export function binding(source: Exchange, destination: Destination, key: string, table: Table): Binding {
  const id = JSON.stringify([destination.kind, destination.name, key, canonicalTable(table)]);
  return { id, source, destination, key, arguments: table };
}

class DirectRouter implements Router<Binding> {
  private readonly byKey = new Map<string, Map<string, Binding>>();

  add(binding: Binding): void {
    const bindings = this.byKey.get(binding.key);
    if (bindings) bindings.set(binding.id, binding);
    else this.byKey.set(binding.key, new Map([[binding.id, binding]]));
  }

  remove(binding: Binding): void {
    const bindings = this.byKey.get(binding.key);
    bindings?.delete(binding.id);
    if (bindings?.size === 0) this.byKey.delete(binding.key);
  }

  route(message: Message, found: (binding: Binding) => void): void {
    for (const key of message.routingKeys) this.byKey.get(key)?.forEach(found);
  }
}

class FanoutRouter implements Router<Binding> {
  private readonly bindings = new Map<string, Binding>();

  add(binding: Binding): void {
    this.bindings.set(binding.id, binding);
  }

  remove(binding: Binding): void {
    this.bindings.delete(binding.id);
  }

  route(_message: Message, found: (binding: Binding) => void): void {
    this.bindings.forEach(found);
  }
}

const DELAYED = 'x-delayed-message';
/** Types that came with RabbitMQ 4. */
const NEWER = ['x-local-random', 'x-modulus-hash'];

const ROUTERS: Readonly<Record<string, (options: Table, traits: VersionTraits) => Router<Binding>>> = {
  direct: () => new DirectRouter(),
  fanout: () => new FanoutRouter(),
  topic: () => new TopicTrie(),
  headers: (_, { typedHeaders }) => new HeadersIndex(typedHeaders),
  'x-consistent-hash': (options) => new HashRing(options),
  'x-random': () => new ChoosingRouter(),
  'x-local-random': () => new ChoosingRouter(),
  'x-modulus-hash': () => new ChoosingRouter(byRoutingKey),
  'x-recent-history': (options) => new RecentHistory(options),
  [DELAYED]: (options, traits) => ROUTERS[delayedType(options, traits)](options, traits),
};

/** The kinds of exchanges that the broker has. */
export const EXCHANGE_TYPES: readonly string[] = Object.keys(ROUTERS);

/** What an exchange of type `x-delayed-message` is when the delay is over. Throws 406 when it is nothing. */
function delayedType(options: Table, traits: VersionTraits): string {
  const field = options.get('x-delayed-type');
  if (field?.type !== 'longstr' || field.value === DELAYED) {
    throw precondition("Invalid argument, 'x-delayed-type' must be an existing exchange type");
  }
  checkType(field.value, traits);
  return field.value;
}

/** Throws when the broker has no exchanges of this kind. */
export function checkType(type: string, traits: VersionTraits): void {
  if (Object.hasOwn(ROUTERS, type) && (traits.localRandom || !NEWER.includes(type))) return;
  throw new AmqpFailure(traits.unknownType, `unknown exchange type '${type}'`);
}

export class Exchange {
  readonly kind = 'exchange';
  /** Bindings that start here, by id. */
  readonly bindings = new Map<string, Binding>();
  policy: AppliedPolicy = NO_POLICY;
  /** Whether it holds messages back that want it. */
  readonly delays: boolean;
  /** The type that decides where messages go. */
  private readonly routing: string;
  readonly counters = new ExchangeCounters();
  private readonly router: Router<Binding>;

  constructor(
    readonly name: string,
    readonly settings: ExchangeSettings,
    private readonly traits: VersionTraits,
    private readonly memory: DeclaredMemory,
  ) {
    checkType(settings.type, traits);
    this.router = ROUTERS[settings.type](settings.arguments, traits);
    this.delays = settings.type === DELAYED;
    this.routing = this.delays ? delayedType(settings.arguments, traits) : settings.type;
  }

  /** Where messages go that no binding wants; the declaration counts before the policy. */
  get alternate(): string | undefined {
    const field = this.settings.arguments.get('alternate-exchange');
    if (field?.type === 'longstr') return field.value;
    const policy = this.policy.definition['alternate-exchange'];
    return typeof policy === 'string' ? policy : undefined;
  }

  /** Throws a 406 failure when this kind of exchange cannot use such a binding. */
  check(destination: Destination, key: string, table: Table): void {
    if (this.routing === 'headers') checkHeadersArguments(table);
    if (this.routing === 'x-consistent-hash') checkWeight(key);
    if (this.routing === 'x-local-random') checkLocalBinding(key, destination);
    if (this.routing === 'topic') this.checkPattern(key);
  }

  private checkPattern(key: string): void {
    const most = this.traits.maxHashes;
    const hashes = key.split('.').filter((word) => word === '#').length;
    if (hashes <= most) return;
    throw precondition(
      `Topic binding key '${key}' uses ${hashes} '#' wildcards, at most ${most} are allowed`,
    );
  }

  /** False when it was there already. */
  add(binding: Binding): boolean {
    if (this.bindings.has(binding.id)) return false;
    this.memory.declare('binding', binding, binding.key, binding.id.length);
    this.bindings.set(binding.id, binding);
    this.router.add(binding);
    return true;
  }

  /** Undefined when there was no such binding. */
  remove(id: string): Binding | undefined {
    const binding = this.bindings.get(id);
    if (!binding) return undefined;
    this.bindings.delete(id);
    this.memory.remove(binding);
    this.router.remove(binding);
    return binding;
  }

  route(message: Message, found: (binding: Binding) => void): void {
    this.router.route(message, found);
  }
}
