// The one place where consuming and publishing meet: opens two connections, makes the plan true on the
// broker, starts the consumers, and ends everything in the right order.

import { CodecRegistry } from './codecs/registry.js';
import { Connections } from './broker/connections.js';
import type { BrokerStatus } from './broker/status.js';
import { Consumers } from './inbound/consumers.js';
import { inTime, patience, systemClock, type Clock } from './model/clock.js';
import { counters } from './model/counters.js';
import { MAX_DURATION } from './model/duration.js';
import { Deadlines } from './model/deadlines.js';
import { ConfigError, ConnectionLostError } from './model/errors.js';
import type { BrokerInternals } from './model/internals.js';
import { describeError, printable } from './model/logger.js';
import type { BrokerOptions } from './model/options.js';
import type { PublishOptions, PublishReceipt, RequestOptions } from './model/publish-options.js';
import { settings, type Settings } from './model/settings.js';
import type { BrokerEvent, BrokerEventKind, BrokerEventOf } from './observe/events.js';
import { Events } from './observe/listeners.js';
import { Outbound } from './outbound/outbound.js';
import { declare } from './topology/declare.js';
import { introduce } from './topology/describe.js';
import { planHandler, type HandlerPlan, type HandlerRegistration } from './topology/handler-plan.js';
import { planTopology, type TopologyPlan } from './topology/plan.js';
import type { ExchangeSpec, Wishes } from './topology/schema.js';
import { exchangeSpec, topologyWishes, type TopologyOptions } from './topology/wishes.js';

/** RabbitMQ, or anything that speaks AMQP 0-9-1 like it. */
export class Broker {
  /** The options with all defaults. */
  readonly settings: Settings;
  private readonly clock: Clock;
  private readonly deadlines: Deadlines;
  private readonly events: Events;
  private readonly counters = counters();
  private readonly links: Connections;
  private readonly outbound: Outbound;
  private readonly wishes: Wishes[] = [];
  private readonly handlers: HandlerPlan[] = [];
  private consumers: Consumers | undefined;
  private plan: TopologyPlan | undefined;
  private opening: Promise<void> | undefined;
  private draining: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** Connects when it is opened, or at the first publish. @throws ConfigError */
  constructor(
    options: BrokerOptions = {},
    private readonly internals: BrokerInternals = {},
  ) {
    this.settings = settings(options);
    this.clock = internals.clock ?? systemClock;
    this.deadlines = new Deadlines(this.clock);
    this.events = new Events(this.settings.logger, this.settings.service, internals.name);
    this.events.on(() => this.counters.repliesIgnored++, ['reply-ignored']);
    const { settings: all, clock, events, counters } = this;
    this.links = new Connections({
      ...{ settings: all, clock, events, counters },
      plan: () => this.plan,
      onUnblocked: () => this.outbound.flush(),
    });
    this.outbound = new Outbound({
      ...{ connection: this.links.publish, replies: this.links.reply },
      ...{ settings: all, clock, deadlines: this.deadlines, counters },
      codecs: new CodecRegistry(this.settings.codecs, this.settings.maxMessageBytes),
      events: this.events,
      describe: (exchange) => this.exchangeNamed(exchange),
      shortenWait: internals.shortenWait ?? ((ms) => ms),
    });
  }

  /** Adds exchanges, queues and bindings to what is declared. Before `open`. @throws ConfigError */
  declare(topology: TopologyOptions, askedBy = 'declare()'): void {
    this.beforeOpen('declare');
    this.wishes.push(topologyWishes(topology, this.settings.queueType, askedBy));
  }

  /** Adds a handler. Before `open`. @throws ConfigError naming the handler */
  register(registration: HandlerRegistration): void {
    this.beforeOpen('register');
    this.handlers.push(planHandler(registration, this.settings));
  }

  /**
   * Plans, connects, declares, consumes. With `startup: 'require'` it resolves when every consumer has its consume-ok
   * and rejects when that cannot be had in time; with `'background'` it resolves at once.
   *
   * @throws ConfigError, TopologyMismatchError, ConnectionRefusedError, ...
   */
  open(): Promise<void> {
    if (this.closing) return Promise.reject(new ConnectionLostError('the broker object was closed'));
    this.opening ??= this.run().catch(async (error: unknown) => {
      await this.close();
      throw error;
    });
    return this.opening;
  }

  /** To an exchange; resolves when the broker has it. */
  publish(routingKey: string, payload: unknown, options: PublishOptions = {}): Promise<PublishReceipt> {
    return this.outbound.publisher.publish(routingKey, payload, options);
  }

  /** To a queue. @throws UnroutableError when it does not exist */
  send(queue: string, payload: unknown, options: PublishOptions = {}): Promise<PublishReceipt> {
    return this.outbound.publisher.send(queue, payload, options);
  }

  /** Calls an RPC handler. */
  async request<T = unknown>(pattern: string, payload: unknown, options: RequestOptions = {}): Promise<T> {
    return (await this.outbound.requester.request(pattern, payload, options)) as T;
  }

  /** Stops consuming, hands back what has not started, and waits for running handlers up to `shutdown`. Never rejects. */
  drain(): Promise<void> {
    this.draining ??= patience(this.clock, this.settings.shutdown, async (expired) => {
      this.events.emit({ kind: 'closing' });
      await this.consumers?.drain(expired);
    });
    return this.draining;
  }

  /** Drains, flushes what is being published, closes the connections. Idempotent; always settles. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Hears what happens, or only some kinds of it; returns what ends that. */
  on<K extends BrokerEventKind>(hear: (event: BrokerEventOf<K>) => void, kinds?: readonly K[]): () => void {
    return this.events.on(hear as (event: BrokerEvent) => void, kinds);
  }

  /** How things stand now. */
  status(): BrokerStatus {
    const { sender, requester } = this.outbound;
    const { size, bytes, limit } = sender.waitingRoom;
    return {
      connections: this.links.status(),
      consumers: this.consumers?.status() ?? [],
      publishing: sender.pending,
      waitingRoom: { messages: size, bytes, limit },
      pendingCalls: requester.pending,
      timers: this.deadlines.size,
      closing: this.draining !== undefined,
      counters: { ...this.counters },
    };
  }

  /** Messages that are ready in the queues of its handlers, or wait there for a retry or a delay. Asks the broker. */
  async backlog(): Promise<number> {
    const queues = [...this.status().consumers.map(({ queue }) => queue), ...this.outbound.waitQueues()];
    if (queues.length === 0) return 0;
    const counts = await this.links.publish.withChannel(async (channel) => {
      const answers = await Promise.all(queues.map((queue) => channel.checkQueue(queue)));
      return answers.map(({ messageCount }) => messageCount);
    });
    return counts.reduce((sum, count) => sum + count, 0);
  }

  private async run(): Promise<void> {
    this.plan = planTopology([...this.wishes, ...this.handlers.map((handler) => handler.wishes)]);
    if (this.settings.consumers && this.handlers.length > 0) this.makeConsumers(this.plan);
    this.outbound.sender.start();
    const begun = this.begin();
    if (this.settings.startup === 'require') return begun;
    begun.catch((error: unknown) => {
      if (this.closing) return;
      this.settings.logger.error(printable(describeError(error)));
      this.events.emit({ kind: 'start-failed', error });
    });
  }

  private async begin(): Promise<void> {
    const patient = this.settings.startup === 'background';
    const end = this.clock.now() + this.settings.startupTimeout;
    const left = (): number | undefined => (patient ? undefined : Math.max(1, end - this.clock.now()));
    // A publisher that was used before open() has connected already, without the plan.
    const early = this.links.publish.state === 'open' && !this.consumers;
    await this.links.opened(left());
    if (early) await this.links.publish.withChannel((channel) => declare(channel, this.plan as TopologyPlan));
    if (!this.consumers) return;
    await inTime(this.clock, left() ?? MAX_DURATION, this.consumers.start(), () => this.notReady());
  }

  private makeConsumers(plan: TopologyPlan): void {
    const { settings, clock, deadlines, events, internals, outbound, counters } = this;
    const answers = this.handlers.some(({ registration }) => registration.kind === 'rpc');
    this.consumers = new Consumers({
      connection: this.links.forConsuming(answers),
      handlers: this.handlers,
      topology: plan,
      typeOf: (exchange) => this.exchangeNamed(exchange)?.type,
      shared: {
        ...{ settings, clock, deadlines, events, counters, logger: settings.logger },
        ...{ outlet: outbound.publisher, answers: outbound.answers },
        remoteError: internals.remoteError,
      },
    });
    for (const handler of this.handlers) introduce(handler, settings);
  }

  private notReady(): Error {
    const missing = this.status().consumers.flatMap(({ ready, queue }) => (ready ? [] : [queue]));
    return new ConnectionLostError(`no consume-ok in time for ${missing.join(', ')}`);
  }

  private exchangeNamed(name: string): ExchangeSpec | undefined {
    const wishes = [...this.wishes, ...this.handlers.map((handler) => handler.wishes)];
    const all = this.plan?.exchanges ?? wishes.flatMap((one) => one.exchanges);
    const known = all.find((exchange) => exchange.name === name && exchange.type !== undefined);
    if (known || name !== this.settings.exchange) return known;
    return exchangeSpec({ name, type: 'topic' }, 'publish');
  }

  private async end(): Promise<void> {
    await this.drain();
    await patience(this.clock, this.settings.shutdown, (expired) => this.outbound.close(expired));
    await this.links.close();
    this.events.emit({ kind: 'closed' });
  }

  private beforeOpen(what: string): void {
    if (this.opening) throw new ConfigError(`${what} was called after open()`, 'say everything before');
  }
}
