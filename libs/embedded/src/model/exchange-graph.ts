// All exchanges of a virtual host and the bindings between them: declares, removes, and finds the queues of a
// message by walking the graph once per exchange, whatever circles the bindings make.
import { EMPTY_TABLE, encodeTable, type Table } from '../wire/field-table.js';
import { ExchangeCounters } from './counters.js';
import type { DelayedMessages } from './delayed-messages.js';
import { assertSame, assertSameArguments } from './equivalence.js';
import {
  type Binding,
  binding,
  checkType,
  type Destination,
  Exchange,
  type ExchangeSettings,
} from './exchange.js';
import { called, notFound, precondition, refused } from './failure.js';
import type { DeclaredMemory } from './memory-meter.js';
import type { Change } from './journal.js';
import type { Message } from './message.js';
import { type AppliedPolicy, NO_POLICY, type PolicySubject } from './policy.js';
import { outlasts, type Queue } from './queue.js';
import type { VersionTraits } from './version.js';

const PREDECLARED: readonly (readonly [string, string])[] = [
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.topic', 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
  ['amq.rabbitmq.trace', 'topic'],
];

export class ExchangeGraph {
  /** Of the default exchange. */
  readonly counters = new ExchangeCounters();
  private readonly exchanges = new Map<string, Exchange>();
  /** Bindings by where they end. */
  private readonly incoming = new Map<Destination, Set<Binding>>();

  constructor(
    private readonly vhost: string,
    private readonly queueNamed: (name: string) => Queue | undefined,
    private readonly traits: VersionTraits,
    private readonly delayed: Pick<DelayedMessages, 'take'>,
    private readonly memory: DeclaredMemory,
    private readonly note: (change: Change) => void = () => undefined,
    private readonly policyFor: (subject: PolicySubject) => AppliedPolicy = () => NO_POLICY,
  ) {
    for (const [name, type] of PREDECLARED) {
      const internal = name === 'amq.rabbitmq.trace';
      const settings = { type, durable: true, autoDelete: false, internal, arguments: EMPTY_TABLE };
      this.exchanges.set(name, new Exchange(name, settings, traits, memory));
    }
  }

  all(): Iterable<Exchange> {
    return this.exchanges.values();
  }

  /** Throws 404 when there is none, 403 for the default exchange, which cannot be touched. */
  get(name: string): Exchange {
    if (name === '') throw refused('operation not permitted on the default exchange');
    const exchange = this.exchanges.get(name);
    if (!exchange) throw notFound('exchange', name, this.vhost);
    return exchange;
  }

  find(name: string): Exchange | undefined {
    return this.exchanges.get(name);
  }

  declare(name: string, settings: ExchangeSettings): void {
    checkType(settings.type, this.traits);
    if (name === '') throw refused('operation not permitted on the default exchange');
    const existing = this.exchanges.get(name);
    if (existing) {
      this.assertEquivalent(existing, settings);
      return;
    }
    if (name.startsWith('amq.')) {
      throw refused(`exchange name '${name}' contains reserved prefix 'amq.*'`);
    }
    this.create(name, settings);
  }

  /** Makes an exchange that is not there, with any name: definitions of RabbitMQ 4 have its `amq.rabbitmq.log`. */
  create(name: string, settings: ExchangeSettings): void {
    checkType(settings.type, this.traits);
    const alternate = settings.arguments.get('alternate-exchange');
    if (alternate && alternate.type !== 'longstr') {
      const where = called('exchange', name, this.vhost);
      throw precondition(`invalid type '${alternate.type}' for arg 'alternate-exchange' in ${where}`);
    }
    this.restore(name, settings);
    const { type, durable, autoDelete, internal, arguments: args } = settings;
    if (!durable) return;
    this.note({ op: 'exchange', vhost: this.vhost, name, type, autoDelete, internal, args: base64(args) });
  }

  /** Makes an exchange without any checks. */
  restore(name: string, settings: ExchangeSettings): void {
    const exchange = new Exchange(name, settings, this.traits, this.memory);
    this.memory.declare('exchange', exchange, name, encodeTable(settings.arguments).length);
    exchange.policy = this.policyFor({ name, type: 'exchange' });
    this.exchanges.set(name, exchange);
  }

  /** Policies have changed. */
  govern(): void {
    for (const exchange of this.exchanges.values()) {
      exchange.policy = this.policyFor({ name: exchange.name, type: 'exchange' });
    }
  }

  private assertEquivalent({ name, settings: current }: Exchange, received: ExchangeSettings): void {
    const thing = called('exchange', name, this.vhost);
    assertSame('type', thing, received.type, current.type);
    assertSame('durable', thing, received.durable, current.durable);
    assertSame('auto_delete', thing, received.autoDelete, current.autoDelete);
    assertSame('internal', thing, received.internal, current.internal);
    assertSameArguments(thing, ['alternate-exchange'], received.arguments, current.arguments);
  }

  /** Removes an exchange, if it exists; a predeclared one is refused with 403. */
  delete(name: string, ifUnused: boolean): void {
    if (name === '') throw refused('operation not permitted on the default exchange');
    if (name.startsWith('amq.')) {
      throw refused(`deletion of system ${called('exchange', name, this.vhost)} not allowed`);
    }
    const exchange = this.exchanges.get(name);
    if (!exchange) return;
    if (ifUnused && exchange.bindings.size > 0) {
      throw precondition(`${called('exchange', name, this.vhost)} in use`);
    }
    this.remove(exchange);
  }

  bind(source: Exchange, destination: Destination, key: string, table: Table): void {
    source.check(destination, key, table);
    const made = binding(source, destination, key, table);
    if (this.link(made)) this.noteBinding('binding', made);
  }

  /** Removes a binding, if it exists. */
  unbind(from: string, destination: Destination | undefined, key: string, table: Table): void {
    if (from === '') throw refused('operation not permitted on the default exchange');
    const source = this.exchanges.get(from);
    if (!source || !destination) return;
    const unwanted = binding(source, destination, key, table);
    if (!this.unlink(source, unwanted.id)) return;
    this.noteBinding('binding-gone', unwanted);
    this.removeIfUnused(source);
  }

  /** Binds without any checks. False when that was there already. */
  link(made: Binding): boolean {
    const { source, destination } = made;
    if (!source.add(made)) return false;
    const others = this.incoming.get(destination);
    if (others) others.add(made);
    else this.incoming.set(destination, new Set([made]));
    return true;
  }

  /** False when there was no such binding. */
  private unlink(source: Exchange, id: string): boolean {
    const gone = source.remove(id);
    if (!gone) return false;
    const others = this.incoming.get(gone.destination);
    others?.delete(gone);
    if (others?.size === 0) this.incoming.delete(gone.destination);
    return true;
  }

  private noteBinding(
    op: 'binding' | 'binding-gone',
    { source, destination, key, arguments: args }: Binding,
  ): void {
    if (!source.settings.durable || !isDurable(destination)) return;
    const { kind, name } = destination;
    this.note({
      op,
      vhost: this.vhost,
      source: source.name,
      kind,
      destination: name,
      key,
      args: base64(args),
    });
  }

  /** A queue or exchange is gone: so are the bindings that lead to it. */
  forget(destination: Destination): void {
    for (const { source, id } of [...(this.incoming.get(destination) ?? [])]) {
      this.unlink(source, id);
      this.removeIfUnused(source);
    }
  }

  /** The queues a message goes to, each once. */
  route(name: string, message: Message, overdue?: Exchange): Iterable<Queue> {
    if (name === '' && message.routingKeys.length === 1) {
      const queue = this.queueNamed(message.routingKey);
      return queue ? [queue] : [];
    }
    const queues = new Set<Queue>();
    const seen = new Set<string>([name]);
    const work = [name];
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      for (const exchange of this.step(next, message, queues, overdue)) {
        if (seen.has(exchange)) continue;
        seen.add(exchange);
        work.push(exchange);
      }
    }
    return queues;
  }

  /** One exchange: adds its queues, answers with the exchanges to go on with. */
  private step(name: string, message: Message, queues: Set<Queue>, overdue?: Exchange): readonly string[] {
    if (name === '') {
      for (const key of message.routingKeys) {
        const queue = this.queueNamed(key);
        if (queue) queues.add(queue);
      }
      return [];
    }
    const exchange = this.exchanges.get(name);
    if (!exchange) return [];
    const further: string[] = [];
    let wanted = false;
    const held = exchange.delays && exchange !== overdue && this.delayed.take(exchange, message);
    if (!held)
      exchange.route(message, ({ destination }) => {
        wanted = true;
        if (destination.kind === 'queue') queues.add(destination);
        else further.push(destination.name);
      });
    const { alternate } = exchange;
    if (!wanted && alternate !== undefined) further.push(alternate);
    return further;
  }

  /** Lets go of everything. */
  close(): void {
    for (const exchange of [...this.exchanges.values()]) this.remove(exchange);
  }

  private remove(exchange: Exchange): void {
    this.exchanges.delete(exchange.name);
    this.memory.remove(exchange);
    if (exchange.settings.durable) this.note({ op: 'exchange-gone', vhost: this.vhost, name: exchange.name });
    for (const id of [...exchange.bindings.keys()]) this.unlink(exchange, id);
    this.forget(exchange);
  }

  private removeIfUnused(exchange: Exchange): void {
    const { settings, bindings, name } = exchange;
    if (settings.autoDelete && bindings.size === 0 && this.exchanges.get(name) === exchange)
      this.remove(exchange);
  }
}

function isDurable(destination: Destination): boolean {
  return destination.kind === 'queue' ? outlasts(destination) : destination.settings.durable;
}

function base64(table: Table): string {
  return encodeTable(table).toString('base64');
}
