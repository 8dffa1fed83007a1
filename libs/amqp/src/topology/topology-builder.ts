import { ExistingQueues, planTopology, type TopologyPlan } from './plan.js';
import type { Settings } from '../options/settings.js';
import { planHandler, type HandlerPlan, type HandlerRegistration } from './handler-plan.js';
import type { ExchangeSpec, Declarations, QueueSpec } from './specs.js';
import { exchangeSpec, topologyDeclarations, type TopologyOptions } from './declarations.js';

/**
 * What everybody wants of the broker: handlers, exchanges, queues, bindings. Collected before it is opened,
 * then drawn as one plan.
 */
export class TopologyBuilder {
  readonly handlers: HandlerPlan[] = [];
  /** Once it is drawn. */
  plan: TopologyPlan | undefined;
  private readonly extra: Declarations[] = [];
  private streams: ReadonlySet<string> | undefined;

  constructor(
    private readonly settings: Settings,
    /** Waits of retries have no jitter. */
    private readonly exact = false,
  ) {}

  /** @throws ConfigError */
  declare(topology: TopologyOptions, declaredBy: string): void {
    this.extra.push(topologyDeclarations(topology, this.settings.queueType, declaredBy));
  }

  /** @throws ConfigError naming the handler */
  register(registration: HandlerRegistration): void {
    const plan = planHandler(registration, this.settings);
    this.handlers.push(this.exact ? { ...plan, retry: { ...plan.retry, jitter: false } } : plan);
  }

  /** All of it as one. @throws ConfigError when two wishes contradict each other */
  build(): TopologyPlan {
    this.plan = planTopology(this.declarations(), new ExistingQueues(this.settings.logger));
    this.streams = undefined;
    return this.plan;
  }

  /** What is wanted as far as it is known: before it is drawn, of whom has spoken by then. */
  get wanted(): TopologyPlan | undefined {
    if (this.plan) return this.plan;
    try {
      return planTopology(this.declarations());
    } catch {
      // Drawing it says what is wrong.
      return undefined;
    }
  }

  /** What an exchange looks like, if anybody said. */
  exchange(name: string): ExchangeSpec | undefined {
    const all = this.plan?.exchanges ?? this.declarations().flatMap((one) => one.exchanges);
    const known = all.find((exchange) => exchange.name === name && exchange.type !== undefined);
    if (known || name !== this.settings.exchange) return known;
    return exchangeSpec({ name, type: 'topic' }, 'publish');
  }

  /** Whether a queue that this process declares or consumes is a stream. */
  isStream(queue: string): boolean {
    // Asked for every message, and most processes have none.
    if (this.plan) return (this.streams ??= streamsOf(this.plan.queues)).has(queue);
    return streamsOf(this.declarations().flatMap(({ queues }) => queues)).has(queue);
  }

  private declarations(): Declarations[] {
    return [...this.extra, ...this.handlers.map((handler) => handler.declarations)];
  }
}

function streamsOf(queues: readonly QueueSpec[]): ReadonlySet<string> {
  return new Set(
    queues.filter((queue) => queue.arguments['x-queue-type'] === 'stream').map(({ name }) => name),
  );
}
