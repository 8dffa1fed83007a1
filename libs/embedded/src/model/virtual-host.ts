// A virtual host: its queues and exchanges. Routes messages from exchanges to queues, and dead letters to their exchange.
import { randomBytes } from 'node:crypto';
import { encodeTable, type Table } from '../wire/field-table.js';
import type { Clock } from './clock.js';
import { MessageCounters } from './counters.js';
import { deadLetter, isCycle } from './dead-letter.js';
import { DelayedMessages } from './delayed-messages.js';
import { assertSame, assertSameArguments } from './equivalence.js';
import { binding, type Exchange } from './exchange.js';
import { ExchangeGraph } from './exchange-graph.js';
import { called, locked, notFound, precondition, refused } from './failure.js';
import type { MemoryMeter } from './memory-meter.js';
import type { Journal, Place } from './journal.js';
import type { Message } from './message.js';
import { Policies } from './policies.js';
import type { AppliedPolicy } from './policy.js';
import { type DeathReason, outlasts, Queue, type Surroundings } from './queue.js';
import { queueArguments, type QueueFlags, type QueueSettings, queueSettings } from './queue-settings.js';
import { Stream } from './stream.js';
import { ageInSeconds } from './stream-arguments.js';
import type { VersionTraits } from './version.js';

const TYPE = 'x-queue-type';

/** Where a message went. */
export interface Routed {
  /** How many queues (or reply consumers) it was for. */
  readonly queues: number;
  /** False when a queue refused it because it is full. */
  readonly accepted: boolean;
}

export class VirtualHost {
  readonly exchanges: ExchangeGraph;
  readonly policies: Policies;
  /** Of the channels that are closed. */
  readonly counters = new MessageCounters();
  private readonly queues = new Map<string, Queue>();
  /** The exclusive queues of each connection that has some. */
  private readonly owned = new Map<object, Set<Queue>>();
  private readonly around: Surroundings;
  private readonly delayed: DelayedMessages;

  constructor(
    readonly name: string,
    clock: Clock,
    private readonly meter: MemoryMeter,
    private readonly traits: VersionTraits,
    private readonly journal?: Journal,
  ) {
    journal?.note({ op: 'vhost', vhost: name });
    this.policies = new Policies(traits, () => this.govern());
    this.delayed = new DelayedMessages({
      clock,
      hold: (message) => meter.hold(message),
      release: (message) => meter.release(message),
      keep: (exchange, message, at) => this.keep(exchange, message, at),
      forget: (entry) => journal?.drop(entry),
      due: (exchange, message) => this.overdue(exchange, message),
    });
    this.exchanges = new ExchangeGraph(
      name,
      (queue) => this.queues.get(queue),
      traits,
      this.delayed,
      meter,
      (change) => journal?.note(change),
      (exchange) => this.policies.applied(exchange),
    );
    this.around = {
      vhost: name,
      clock,
      traits,
      hold: (message) => meter.hold(message),
      release: (message) => meter.release(message),
      keep: (queue, message, at) => this.keep(queue, message, at),
      forget: (entry) => journal?.drop(entry),
      deadLetter: (queue, message, reason) => this.bury(queue, message, reason),
      remove: (queue) => this.drop(queue),
    };
  }

  allQueues(): Iterable<Queue> {
    return this.queues.values();
  }

  has(name: string): boolean {
    return this.queues.has(name);
  }

  /** The queue, whoever may use it. */
  named(name: string): Queue | undefined {
    return this.queues.get(name);
  }

  /** The queue, if this connection may use it. Throws 404, or 405 for somebody else's exclusive queue. */
  queue(name: string, connection: object): Queue {
    const queue = this.queues.get(name);
    if (!queue) throw notFound('queue', name, this.name);
    if (queue.owner && queue.owner !== connection) throw locked(name, this.name);
    return queue;
  }

  /** Declares a queue, or checks that the one that is there is like it. An empty name gets one from the broker. */
  declare(wanted: string, flags: QueueFlags, table: Table, connection: object): Queue {
    const name = wanted === '' ? serverName() : wanted;
    const existing = this.queues.get(name);
    if (existing) return this.redeclared(existing, flags, table, connection);
    if (wanted.startsWith('amq.')) throw refused(`queue name '${name}' contains reserved prefix 'amq.*'`);
    return this.create(name, flags, table, connection);
  }

  /** Makes a queue that is not there, with any name: in definitions there are names that a broker made. */
  create(name: string, flags: QueueFlags, table: Table, connection: object): Queue {
    const settings = queueSettings(name, this.name, flags, table, this.traits);
    const queue = this.make(name, settings, flags.exclusive ? connection : undefined);
    if (queue.owner) this.own(queue.owner, queue);
    if (outlasts(queue)) {
      const args = encodeTable(table).toString('base64');
      this.journal?.note({ op: 'queue', vhost: this.name, name, autoDelete: flags.autoDelete, args });
    }
    return queue;
  }

  private make(name: string, settings: QueueSettings, owner: object | undefined): Queue {
    const queue =
      settings.type === 'stream'
        ? new Stream(name, settings, this.around)
        : new Queue(name, settings, owner, this.around);
    this.meter.declare('queue', queue, name, encodeTable(settings.arguments).length);
    this.queues.set(name, queue);
    queue.govern(this.policyFor(queue));
    return queue;
  }

  /** A durable queue that was there when the broker ended. */
  restoreQueue(name: string, autoDelete: boolean, table: Table): void {
    const flags = { durable: true, exclusive: false, autoDelete };
    this.make(name, queueSettings(name, this.name, flags, table, this.traits), undefined);
  }

  restoreBinding(source: string, kind: Place['kind'], destination: string, key: string, table: Table): void {
    const target = kind === 'queue' ? this.queues.get(destination) : this.exchanges.find(destination);
    const from = this.exchanges.get(source);
    if (target) this.exchanges.link(binding(from, target, key, table));
  }

  /** A message that was in this place when the broker ended; `at` and `time` as the journal has them. */
  restore({ kind, name }: Place, message: Message, at: number | null, entry: number, time?: number): void {
    const { clock } = this.around;
    const toClock = (wall: number): number => clock.now() + wall - clock.wall();
    const queue = this.queues.get(name);
    if (kind === 'exchange') {
      const exchange = this.exchanges.find(name);
      if (exchange) this.delayed.add(exchange, message, toClock(at ?? 0), entry);
    } else {
      const own = at === null || queue instanceof Stream ? at : toClock(at);
      queue?.publish(message, { at: own, entry, time });
    }
  }

  /** Call it after a restore, when the journal has begun: removes what has expired meanwhile. */
  restored(): void {
    for (const queue of [...this.queues.values()]) queue.pump();
  }

  /** Persistent messages are kept, and all of quorum queues and streams. */
  private keep(place: Queue | Exchange, message: Message, at: number): number {
    const { journal } = this;
    if (!journal || !(place.kind === 'queue' ? outlasts(place) : place.settings.durable)) return 0;
    const type = place.kind === 'queue' ? place.settings.type : 'classic';
    if (type === 'classic' && !message.persistent) return 0;
    const { clock } = this.around;
    const wall = at === Infinity ? null : Math.round(clock.wall() + at - clock.now());
    const where: Place = { kind: place.kind, vhost: this.name, name: place.name };
    if (type === 'stream') return journal.keep(where, message, at, clock.wallSeconds());
    return journal.keep(where, message, wall);
  }

  private policyFor({ name, settings }: Queue): AppliedPolicy {
    return this.policies.applied({ name, type: settings.type });
  }

  private govern(): void {
    this.exchanges.govern();
    for (const queue of [...this.queues.values()]) queue.govern(this.policyFor(queue));
  }

  private own(owner: object, queue: Queue): void {
    const queues = this.owned.get(owner);
    if (queues) queues.add(queue);
    else this.owned.set(owner, new Set([queue]));
  }

  private disown(owner: object, queue: Queue): void {
    const queues = this.owned.get(owner);
    queues?.delete(queue);
    if (queues?.size === 0) this.owned.delete(owner);
  }

  private redeclared(queue: Queue, flags: QueueFlags, table: Table, connection: object): Queue {
    const { settings, name } = queue;
    const thing = called('queue', name, this.name);
    const owner = flags.exclusive ? connection : undefined;
    if (queue.owner !== owner) throw locked(name, this.name);
    assertSame('durable', thing, flags.durable, settings.durable);
    assertSame('auto_delete', thing, flags.autoDelete, settings.autoDelete);
    const known = queueArguments(this.traits);
    const names = this.traits.comparesTypes ? known.filter((name) => name !== TYPE) : known;
    if (this.traits.comparesTypes) assertSame(TYPE, thing, typeOf(table), typeOf(settings.arguments));
    const [received, current] = [table, settings.arguments].map((each) => comparable(each, this.traits));
    assertSameArguments(thing, names, received, current);
    queue.named();
    return queue;
  }

  /** Deletes a queue and says how many messages were in it; one that is not there had none. */
  delete(name: string, ifUnused: boolean, ifEmpty: boolean, connection: object): number {
    if (!this.queues.has(name)) return 0;
    const queue = this.queue(name, connection);
    const thing = called('queue', name, this.name);
    if (queue instanceof Stream) {
      this.drop(queue);
      return 0;
    }
    if (ifUnused && queue.consumers.count > 0) throw precondition(`${thing} in use`);
    if (ifEmpty && queue.length > 0) throw precondition(`${thing} not empty`);
    const count = queue.length;
    this.drop(queue);
    return count;
  }

  /** A connection is gone: so are the queues that were its own. */
  dropOwned(connection: object): void {
    for (const queue of [...(this.owned.get(connection) ?? [])]) this.drop(queue);
  }

  publish(message: Message): Routed {
    return this.deliver(message, this.route(message));
  }

  route(message: Message): Iterable<Queue> {
    return this.exchanges.route(message.exchange, message);
  }

  /** Those that were not deleted meanwhile. */
  present(queues: readonly Queue[]): readonly Queue[] {
    return queues.filter((queue) => this.queues.get(queue.name) === queue);
  }

  deliver(message: Message, queues: Iterable<Queue>): Routed {
    let accepted = true;
    let count = 0;
    for (const queue of queues) {
      count += 1;
      queue.counters.publish += 1;
      accepted = queue.publish(message) && accepted;
    }
    const { counters } = this.exchanges.find(message.exchange) ?? this.exchanges;
    counters.publish_in += 1;
    counters.publish_out += count;
    return { queues: count, accepted };
  }

  /** Lets go of everything: timers, messages, consumers. */
  close(): void {
    this.journal?.note({ op: 'vhost-gone', vhost: this.name });
    this.delayed.stop();
    for (const queue of [...this.queues.values()]) this.drop(queue);
    this.exchanges.close();
  }

  /** A delay is over; the exchange may be gone, or be another one of the same name. */
  private overdue(exchange: Exchange, message: Message): void {
    if (this.exchanges.find(exchange.name) !== exchange) return;
    this.deliver(message, this.exchanges.route(exchange.name, message, exchange));
  }

  private drop(queue: Queue): void {
    if (this.queues.get(queue.name) !== queue) return;
    this.queues.delete(queue.name);
    this.meter.remove(queue);
    if (outlasts(queue)) this.journal?.note({ op: 'queue-gone', vhost: this.name, name: queue.name });
    if (queue.owner) this.disown(queue.owner, queue);
    this.exchanges.forget(queue);
    queue.close();
  }

  private bury(queue: Queue, message: Message, reason: DeathReason): void {
    const exchange = queue.settings.deadLetterExchange;
    if (exchange === undefined) return;
    const wallSeconds = this.around.clock.wallSeconds();
    const letter = deadLetter(queue, message, reason, exchange, wallSeconds, this.traits);
    for (const target of this.exchanges.route(exchange, letter)) {
      if (reason !== 'rejected' && isCycle(letter, target)) continue;
      target.publish(letter);
    }
  }
}

/** Newer versions compare the ages of streams in milliseconds, so that 60m is 1h. */
function comparable(table: Table, { filtersStreams }: VersionTraits): Table {
  const age = table.get('x-max-age');
  const seconds = filtersStreams && typeof age?.value === 'string' ? ageInSeconds(age.value) : undefined;
  return seconds === undefined
    ? table
    : new Map([...table, ['x-max-age', { type: 'long', value: seconds * 1000 }]]);
}

function typeOf(table: Table): string {
  const field = table.get(TYPE);
  return field?.type === 'longstr' ? field.value : 'classic';
}

/** Names as RabbitMQ makes them: hard to guess, easy to recognise. */
export function serverName(prefix = 'amq.gen-'): string {
  return prefix + randomBytes(16).toString('base64url');
}
