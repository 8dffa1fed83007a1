// Joins consuming and publishing: opens the connections, declares the topology, starts the consumers, and
// closes everything in the right order.

import { begin, consumersOf } from './lifecycle.js';
import { logStartFailure } from './errors/error-facts.js';
import { controlOf, type BrokerControl } from './control/broker-control.js';
import type { Control } from './control/control.js';
import { TopologyBuilder } from './topology/topology-builder.js';
import { ConnectionPool } from './connection/connection-pool.js';
import { brokerDetails } from './details.js';
import type { BrokerDetails } from './events/broker-details.js';
import { brokerStatus, totalBacklog } from './status.js';
import type { BrokerStatus } from './events/broker-status.js';
import type { Consumers } from './consume/consumers.js';
import { reportWaiting } from './consume/shutdown-report.js';
import { type Clock, Deadlines, SharedTime, systemClock } from './runtime/clock.js';
import { counters, type BrokerEvent, type BrokerEventKind, type BrokerEventOf } from './events/events.js';
import { ConfigError, ConnectionLostError } from './errors/errors.js';
import { isContract } from './message/contract.js';
import { type BrokerHooks, settings, type Settings } from './options/settings.js';
import { printsAs } from './runtime/logger.js';
import type { BrokerOptions } from './options/options.js';
import type {
  EventContract,
  PayloadOf,
  PublishArguments,
  QueueContract,
  RpcContract,
  SchemaOutput,
} from './message/contract.js';
import type {
  Gathered,
  GatherOptions,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
  StreamOptions,
} from './options/publish-options.js';
import { contractCall, publishContract, sendContract } from './publish/contract-publish.js';
import { LateRetries } from './events/late-retries.js';
import { Events } from './events/emitter.js';
import { TopologyReconciler } from './topology/reconciler.js';
import { joinedPlans, type TopologyPlan } from './topology/plan.js';
import type { Fleet } from './fleet/fleet.js';
import { FleetMember } from './fleet/member.js';
import { Plugins } from './plugins/plugins.js';
import { LEAST_FLUSH, type Publishing, publishingOf } from './publishing.js';
import { publishMany } from './publish/publish-many.js';
import type { MessageList, MessageOutcome } from './options/message-list.js';
import type { HandlerRegistration } from './topology/handler-plan.js';
import type { TopologyOptions } from './topology/declarations.js';

/**
 * The entry point: one application's connection to RabbitMQ, or to a compatible AMQP 0-9-1 broker. Call `declare` and
 * `register` first, then `open`; `close` at the end.
 */
export class Broker {
  /** The options with all defaults. */
  readonly settings: Settings;
  private readonly clock: Clock;
  private readonly deadlines: Deadlines;
  private readonly events: Events;
  private readonly counters = counters();
  private readonly connections: ConnectionPool;
  private readonly publishing: Publishing;
  private readonly plugins: Plugins;
  private readonly member: FleetMember;
  private readonly topologyBuilder: TopologyBuilder;
  private readonly topology: TopologyReconciler;
  /** Questions to all running instances, and answers to theirs. */
  readonly fleet: Fleet;
  /** Pauses, resumes and limits handlers while they run, adds and removes them. */
  readonly control: Control;
  private readonly ownControl: BrokerControl;
  private begun = false;
  private readonly late: LateRetries;
  /** Time for running handlers, and then for pending publishes. */
  private readonly ending: SharedTime;
  private consumers: Consumers | undefined;
  private opening: Promise<void> | undefined;
  private draining: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  /** Does not connect: `open` or the first publish does. @throws ConfigError for invalid options */
  constructor(
    options: BrokerOptions = {},
    private readonly internals: BrokerHooks = {},
  ) {
    this.settings = settings(options);
    this.topologyBuilder = new TopologyBuilder(this.settings, internals.exact);
    this.clock = internals.clock ?? systemClock;
    this.deadlines = new Deadlines(this.clock, internals.exact ? 1 : undefined);
    this.ending = new SharedTime(this.clock, this.settings.shutdown, LEAST_FLUSH);
    this.events = new Events(this.settings.logger, this.settings.service, internals.name);
    const { settings: all, clock, events, counters: counts } = this;
    this.topology = new TopologyReconciler({
      clock,
      counters: counts,
      events,
      logger: all.logger,
      timeout: all.connectTimeout,
      every: all.watchdog,
      plan: () => this.wanted(),
      temporary: () => joinedPlans(this.consumers?.temporary(), this.member.temporary()),
      connection: () => this.connections.consume ?? this.connections.publish,
    });
    this.late = new LateRetries({ clock, counters: counts, events, logger: all.logger });
    this.connections = new ConnectionPool({
      settings: all,
      clock,
      events,
      counters: counts,
      // A refused declaration fails the start; later it is logged, and everything else continues.
      prepare: (connection, lost) =>
        this.topology.ready(connection, all.startup === 'require' && !!this.opening && !this.begun, lost),
      onUnblocked: () => this.publishing.flush(),
      onChannel: (channel) => this.plugins.onChannel(channel),
    });
    this.plugins = new Plugins({
      given: all.plugins,
      resolve: internals.plugin,
      clock,
      deadlines: this.deadlines,
      logger: all.logger,
      limits: () => ({
        maxBytes: all.maxMessageBytes,
        maxPropertyBytes: this.publishing.publisher.maxPropertyBytes,
      }),
    });
    this.publishing = this.makePublishing();
    this.fleet = this.member = this.makeMember();
    this.control = this.ownControl = this.makeControl();
  }

  /** Adds exchanges, queues and bindings to declare. Call it before `open`. @throws ConfigError */
  declare(topology: TopologyOptions, declaredBy = 'declare()'): void {
    this.beforeOpen('declare');
    this.topologyBuilder.declare(topology, declaredBy);
  }

  /** Adds a handler. Call it before `open`. @throws ConfigError that names the handler */
  register(registration: HandlerRegistration): void {
    this.beforeOpen('register');
    this.topologyBuilder.register(registration);
  }

  /**
   * Plans the topology, connects, declares it and consumes. With `startup: 'require'` it resolves when every consumer has
   * its consume-ok, and rejects after `startupTimeout`; with `'background'` it resolves at once.
   *
   * @throws ConfigError, TopologyMismatchError, ConnectionRefusedError, ...
   */
  open(): Promise<void> {
    if (this.closing) return Promise.reject(new ConnectionLostError('the broker object was closed'));
    this.opening ??= this.run().catch(async (error: unknown) => {
      if (!this.closing) logStartFailure(this.settings.logger, error);
      await this.close();
      throw error;
    });
    return this.opening;
  }

  /** Publishes to an exchange, by routing key or event contract; resolves when the broker has confirmed the message. */
  publish<Target extends string | EventContract>(
    target: Target,
    payload: PayloadOf<Target>,
    ...[given]: PublishArguments<Target, PublishOptions>
  ): Promise<PublishReceipt> {
    if (typeof target !== 'string' && isContract(target)) {
      return publishContract(this.publishing.publisher, target, payload, given);
    }
    return this.publishing.publisher.publish(target, payload, given);
  }

  /** Sends to a queue, by its name or contract. @throws UnroutableError when the queue does not exist */
  send<Target extends string | QueueContract>(
    target: Target,
    payload: PayloadOf<Target>,
    options?: PublishOptions,
  ): Promise<PublishReceipt> {
    if (typeof target !== 'string' && isContract(target)) {
      return sendContract(this.publishing.publisher, target, payload, options);
    }
    return this.publishing.publisher.send(target, payload, options);
  }

  /** Publishes all messages of a list in their order; resolves with what became of each, in the same order. */
  publishMany<Targets extends readonly (string | EventContract)[]>(
    list: MessageList<Targets>,
    options?: PublishOptions,
  ): Promise<MessageOutcome[]> {
    return publishMany(this.publishing.publisher, 'publish', list, options);
  }

  /** The same to queues: what `send` is to `publish`. */
  sendMany<Targets extends readonly (string | QueueContract)[]>(
    list: MessageList<Targets>,
    options?: PublishOptions,
  ): Promise<MessageOutcome[]> {
    return publishMany(this.publishing.publisher, 'send', list, options);
  }

  /** Calls an RPC handler, by its pattern or contract. */
  request<T = unknown>(pattern: string, payload: unknown, options?: RequestOptions): Promise<T>;
  request<Contract extends RpcContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: RequestOptions,
  ): Promise<SchemaOutput<Contract['response']>>;
  request(target: string | RpcContract, payload: unknown, given: RequestOptions = {}): Promise<unknown> {
    const { requester } = this.publishing;
    if (typeof target === 'string') return requester.request(target, payload, given);
    return contractCall(target, payload, given).then(({ name, options }) =>
      requester.request(name, payload, options),
    );
  }

  /**
   * Calls an RPC handler that replies with a stream of items: a generator or an Observable. The call begins when the first
   * item is read; leaving the loop cancels it on both sides.
   */
  stream<T = unknown>(pattern: string, payload: unknown, options?: StreamOptions): AsyncIterableIterator<T>;
  stream<Contract extends RpcContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: StreamOptions,
  ): AsyncIterableIterator<SchemaOutput<Contract['response']>>;
  stream(
    target: string | RpcContract,
    payload: unknown,
    given: StreamOptions = {},
  ): AsyncIterableIterator<unknown> {
    return this.publishing.requester.stream(() => contractCall(target, payload, given), payload);
  }

  /** Calls every instance that has the RPC handler with `broadcast`, and collects the replies. */
  gather<T = unknown>(pattern: string, payload: unknown, options?: GatherOptions): Promise<Gathered<T>[]>;
  gather<Contract extends RpcContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: GatherOptions,
  ): Promise<Gathered<SchemaOutput<Contract['response']>>[]>;
  async gather(
    target: string | RpcContract,
    payload: unknown,
    given: GatherOptions = {},
  ): Promise<Gathered[]> {
    const { name, options } = await contractCall(target, payload, given);
    return this.publishing.requester.gather(name, payload, options);
  }

  /** Stops consuming, returns messages that have not started, and waits up to `shutdown` for running handlers. Never rejects. */
  drain(): Promise<void> {
    this.draining ??= this.ending.spend(async (expired) => {
      this.events.emit({ kind: 'closing' });
      await this.consumers?.drain(expired);
    });
    return this.draining;
  }

  /** Drains, flushes publishes in the rest of the time `shutdown`, and closes the connections. Always settles. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Calls `hear` for every event, or only for some kinds; returns a function that removes the listener. */
  on<K extends BrokerEventKind>(hear: (event: BrokerEventOf<K>) => void, kinds?: readonly K[]): () => void {
    return this.events.on(hear as (event: BrokerEvent) => void, kinds);
  }

  /** The current state of connections, consumers and publishing. */
  status(): BrokerStatus {
    const { connections, consumers, publishing, deadlines, counters, plugins } = this;
    const now = { closing: this.draining !== undefined, at: this.clock.wall() };
    return brokerStatus({ connections, consumers, publishing, deadlines, counters, plugins, ...now });
  }

  /** Number of messages ready in the queues of its handlers, or waiting for a retry or a delay. Queries the broker. */
  backlog(): Promise<number> {
    return totalBacklog(this.status(), this.connections.publish);
  }

  /** Handlers, topology, calls and waiting messages in detail. For tools: it takes longer than `status`. */
  details(): BrokerDetails {
    const { topologyBuilder, publishing, settings, clock } = this;
    return brokerDetails({ topologyBuilder, publishing, settings, clock });
  }

  private makePublishing(): Publishing {
    const { settings, clock, connections, deadlines, counters, plugins, events, internals, late, topology } =
      this;
    const shared = { settings, clock, connections, deadlines, counters, plugins, events, internals, late };
    return publishingOf({ ...shared, topology, declared: this.topologyBuilder });
  }

  private makeControl(): BrokerControl {
    const { settings, clock, events, topologyBuilder, connections, publishing } = this;
    const shared = { settings, clock, events, topologyBuilder, publishing };
    return controlOf({
      ...shared,
      connection: () => connections.consume ?? connections.publish,
      writing: () => connections.publish,
      consumers: () => this.consumers,
      opened: () => (this.draining ? undefined : this.opening),
      make: () => this.consume(),
      fleet: this.member,
    });
  }

  private makeMember(): FleetMember {
    return new FleetMember({
      settings: this.settings,
      clock: this.clock,
      name: this.internals.name ?? 'default',
      replies: this.publishing.replies,
      server: () => this.connections.server,
      asker: this.publishing.fleet,
      status: () => this.status(),
      planned: this.topologyBuilder,
    });
  }

  private async run(): Promise<void> {
    const { settings, clock, connections, topologyBuilder, ownControl: control, member: fleet } = this;
    const plan = topologyBuilder.build();
    await this.plugins.start({
      service: settings.service,
      connection: this.internals.name ?? 'default',
      clock,
      logger: settings.logger,
      on: (listener, kinds) => this.on(listener, kinds),
      status: () => this.status(),
      fleet,
      topology: {
        exchanges: plan.exchanges.map(({ name }) => name),
        queues: plan.queues.map(({ name }) => name),
      },
    });
    if (this.closing || this.draining)
      throw new ConnectionLostError('the broker object was closed before it was open');
    const consumers = settings.consumers && topologyBuilder.handlers.length > 0 ? this.consume() : undefined;
    this.publishing.senders.main.start();
    if (consumers) this.publishing.moveRetries(topologyBuilder.handlers);
    const begun = begin({ settings, clock, connections, plan, consumers, fleet, control }).then(
      () => void (this.begun = true),
    );
    this.topology.start();
    if (settings.startup === 'require') return begun;
    begun.catch((error: unknown) => {
      if (this.closing) return;
      logStartFailure(settings.logger, error);
      this.events.emit({ kind: 'start-failed', error });
    });
  }

  private consume(): Consumers {
    const { name = 'default', remoteError } = this.internals;
    const { settings, clock, deadlines, events, counters, late, plugins } = this;
    const { publishing, connections, topologyBuilder, topology } = this;
    const own = { settings, clock, deadlines, events, counters, late, plugins, name, remoteError };
    return (this.consumers ??= consumersOf({ ...own, publishing, connections, topologyBuilder, topology }));
  }

  private async end(): Promise<void> {
    this.topology.stop();
    await this.drain();
    await Promise.all([this.member.close(), this.ownControl.close()]);
    const said = reportWaiting(this.clock, this.settings.logger, () => this.publishing.waitsFor());
    await this.ending.spend((expired) => this.publishing.close(expired));
    said();
    await this.connections.close();
    await this.ending.spend((expired) => this.plugins.stop(expired));
    this.events.emit({ kind: 'closed' });
  }

  /** The topology to declare. A publish before `open` gets what is registered by then. */
  private wanted(): TopologyPlan | undefined {
    if (!this.opening) {
      try {
        this.internals.register?.();
      } catch {
        // `open` reports the error.
      }
    }
    return this.topologyBuilder.wanted;
  }

  private beforeOpen(what: string): void {
    if (this.opening) throw new ConfigError(`${what} was called after open()`, 'call it before open()');
  }

  static {
    // Its parts hold the URL, credentials and keys.
    printsAs(Broker, ({ settings, connections: links }) => ({
      service: settings.service,
      connections: links.status(),
    }));
  }
}
