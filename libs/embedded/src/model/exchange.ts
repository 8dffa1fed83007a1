// Exchanges: a name, a kind, and a router that knows which bindings want a message. Direct and fanout routers are
// here; topic, headers and consistent hash have rooms of their own.
import type { Table } from '../wire/field-table.js';
import type { Binding } from './binding.js';
import { AmqpFailure, precondition } from './failure.js';
import { checkWeight, HashRing } from './hash-ring.js';
import { checkHeadersArguments, HeadersIndex } from './headers-index.js';
import type { Message } from './message.js';
import { type AppliedPolicy, NO_POLICY } from './policy.js';
import { TopicTrie } from './topic-trie.js';
import type { VersionTraits } from './version.js';

/** Finds the bindings that want a message. */
export interface Router {
  add(binding: Binding): void;
  remove(binding: Binding): void;
  route(message: Message, found: (binding: Binding) => void): void;
}

export interface ExchangeSettings {
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Table;
}

class DirectRouter implements Router {
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

class FanoutRouter implements Router {
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

const ROUTERS: Readonly<Record<string, (options: Table, traits: VersionTraits) => Router>> = {
  direct: () => new DirectRouter(),
  fanout: () => new FanoutRouter(),
  topic: () => new TopicTrie(),
  headers: (_, { typedHeaders }) => new HeadersIndex(typedHeaders),
  'x-consistent-hash': (options) => new HashRing(options),
};

/** Whether the broker has exchanges of this kind. */
export function knownType(type: string): boolean {
  return Object.hasOwn(ROUTERS, type);
}

export class Exchange {
  readonly kind = 'exchange';
  /** Bindings that start here, by id. */
  readonly bindings = new Map<string, Binding>();
  /** Bindings of other exchanges that end here. */
  readonly incoming = new Set<Binding>();
  policy: AppliedPolicy = NO_POLICY;
  private readonly router: Router;

  constructor(
    readonly name: string,
    readonly settings: ExchangeSettings,
    private readonly traits: VersionTraits,
  ) {
    const create = knownType(settings.type) ? ROUTERS[settings.type] : undefined;
    if (!create) throw new AmqpFailure(traits.unknownType, `unknown exchange type '${settings.type}'`);
    this.router = create(settings.arguments, traits);
  }

  /** Where messages go that no binding wants; the declaration counts before the policy. */
  get alternate(): string | undefined {
    const field = this.settings.arguments.get('alternate-exchange');
    if (field?.type === 'longstr') return field.value;
    const policy = this.policy.definition['alternate-exchange'];
    return typeof policy === 'string' ? policy : undefined;
  }

  /** Throws a 406 failure when this kind of exchange cannot use such a binding. */
  check(key: string, table: Table): void {
    if (this.settings.type === 'headers') checkHeadersArguments(table);
    if (this.settings.type === 'x-consistent-hash') checkWeight(key);
    if (this.settings.type === 'topic') this.checkPattern(key);
  }

  private checkPattern(key: string): void {
    const most = this.traits.maxHashes;
    const hashes = key.split('.').filter((word) => word === '#').length;
    if (hashes <= most) return;
    throw precondition(
      `Topic binding key '${key}' uses ${hashes} '#' wildcards, at most ${most} are allowed`,
    );
  }

  add(binding: Binding): void {
    if (this.bindings.has(binding.id)) return;
    this.bindings.set(binding.id, binding);
    binding.destination.incoming.add(binding);
    this.router.add(binding);
  }

  /** False when there was no such binding. */
  remove(id: string): boolean {
    const binding = this.bindings.get(id);
    if (!binding) return false;
    this.bindings.delete(id);
    binding.destination.incoming.delete(binding);
    this.router.remove(binding);
    return true;
  }

  route(message: Message, found: (binding: Binding) => void): void {
    this.router.route(message, found);
  }
}
