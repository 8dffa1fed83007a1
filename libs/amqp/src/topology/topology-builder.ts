import { ExistingQueues, planTopology, type TopologyPlan } from './plan.js';
import type { Settings } from '../options/settings.js';
import { planHandler, type HandlerPlan, type HandlerRegistration } from './handler-plan.js';
import type { ExchangeSpec, Declarations, QueueSpec } from './specs.js';
import { exchangeSpec, topologyDeclarations, type TopologyOptions } from './declarations.js';

/**
 * Everything that this process declares: handlers, exchanges, queues, bindings. Collected before the broker opens,
 * then built as one plan.
 */
export class TopologyBuilder {
  readonly handlers: HandlerPlan[] = [];
  /** Set once it is built. */
  plan: TopologyPlan | undefined;
  /** Queues that this process declares or consumes and that are streams. */
  readonly streams = new Set<string>();
  private readonly extra: Declarations[] = [];

  constructor(
    private readonly settings: Settings,
    /** The delays of retries without jitter. */
    private readonly exact = false,
  ) {}

  /** @throws ConfigError */
  declare(topology: TopologyOptions, declaredBy: string): void {
    const declarations = topologyDeclarations(topology, this.settings.queueType, declaredBy);
    this.extra.push(declarations);
    this.addStreams(declarations.queues);
  }

  /** @throws ConfigError naming the handler */
  register(registration: HandlerRegistration): void {
    const plan = planHandler(registration, this.settings);
    this.handlers.push(this.exact ? { ...plan, retry: { ...plan.retry, jitter: false } } : plan);
    this.addStreams(plan.declarations.queues);
  }

  /** Builds the plan. @throws ConfigError when two declarations conflict */
  build(): TopologyPlan {
    const accepted = this.plan?.accepted ?? new ExistingQueues(this.settings.logger);
    this.plan = planTopology(this.declarations(), accepted);
    this.streams.clear();
    this.addStreams(this.plan.queues);
    return this.plan;
  }

  /** Adds a handler to a plan that is built. @throws ConfigError, and then all is as before */
  add(registration: HandlerRegistration): HandlerPlan {
    this.register(registration);
    const added = this.handlers[this.handlers.length - 1];
    try {
      this.build();
      return added;
    } catch (error) {
      this.remove(added);
      throw error;
    }
  }

  /** Removes a handler from a plan that is built. */
  remove(handler: HandlerPlan): void {
    this.handlers.splice(this.handlers.indexOf(handler), 1);
    this.build();
  }

  /** The declarations known so far: before the plan is built, those that are registered by then. */
  get wanted(): TopologyPlan | undefined {
    if (this.plan) return this.plan;
    try {
      return planTopology(this.declarations());
    } catch {
      // `build` reports the error.
      return undefined;
    }
  }

  /** The declaration of an exchange, if any. */
  exchange(name: string): ExchangeSpec | undefined {
    const all = this.plan?.exchanges ?? this.declarations().flatMap((one) => one.exchanges);
    const known = all.find((exchange) => exchange.name === name && exchange.type !== undefined);
    if (known || name !== this.settings.exchange) return known;
    return exchangeSpec({ name, type: 'topic' }, 'publish');
  }

  private declarations(): Declarations[] {
    return [...this.extra, ...this.handlers.map((handler) => handler.declarations)];
  }

  private addStreams(queues: readonly QueueSpec[]): void {
    for (const queue of queues)
      if (queue.arguments['x-queue-type'] === 'stream') this.streams.add(queue.name);
  }
}
