// The consumers of a broker: one for each queue that has handlers.

import type { Connection } from '../connection/connection.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { partFor, type TopologyPlan } from '../topology/plan.js';
import { ConfigError, ConnectionLostError } from '../errors/errors.js';
import { Consumer } from './consumer.js';
import { dispatch, type ExchangesKnown, groupByQueue } from './dispatch.js';
import type { ConsumerStatus } from '../events/broker-status.js';
import type { Delivery } from '../message/delivery.js';
import { reportWaiting, runningHandlers } from './shutdown-report.js';
import type { CallServer, HandlerContext } from './step.js';
import { Watchdog } from './watchdog.js';

/** What consumers are made from. */
export interface ConsumersOptions {
  readonly connection: Connection;
  readonly handlers: readonly HandlerPlan[];
  readonly topology: TopologyPlan;
  /** Whether all of it was declared when the connection opened. */
  readonly declared: () => boolean;
  readonly typeOf: ExchangesKnown['typeOf'];
  readonly shared: Omit<HandlerContext, 'plan' | 'steps' | 'rpc'>;
  /** The steps around handlers; with `rpc`, those of handlers that serve calls. */
  readonly steps: (rpc: CallServer | undefined) => HandlerContext['steps'];
  /** Makes what serves calls, when the first handler needs it. */
  readonly callServer: () => CallServer;
}

/** All of them. */
export class Consumers {
  private readonly all: Consumer[];
  private rpc: CallServer | undefined;
  private readonly watchdog: Watchdog;
  private ended = false;

  /** @throws ConfigError when handlers of one queue do not fit together */
  constructor(private readonly options: ConsumersOptions) {
    const { connection, handlers, topology, shared } = options;
    if (handlers.some(({ rpc }) => rpc)) this.rpc = options.callServer();
    this.all = groupByQueue(handlers).map((plans) => this.make(plans, topology));
    const every = shared.settings.watchdog;
    this.watchdog = new Watchdog({ ...shared, connection, consumers: this.all, every });
  }

  /** The consumers of a handler, by its name in logs: one for each of its queues. */
  of(id: string): readonly Consumer[] {
    return this.all.filter(({ ids }) => ids.includes(id));
  }

  /** All names of handlers. */
  get ids(): readonly string[] {
    return [...new Set(this.all.flatMap(({ ids }) => ids))];
  }

  /** @throws ConfigError when the queue of a handler that is to be added has a consumer already */
  checkFree(plan: HandlerPlan): void {
    const [before] = this.all.filter((one) => one.plan.queue.name === plan.queue.name);
    if (before) {
      throw new ConfigError(
        `${plan.id} cannot be added at run time: queue '${plan.queue.name}' is consumed by ${before.ids.join(', ')}`,
        'give it its own queue, or unsubscribe the other one first',
      );
    }
  }

  /**
   * Consumes for one more handler, whose queue is declared and free. Resolves when it consumes, or when its turn is over
   * before it begins; rejects when it is refused.
   */
  async add(plan: HandlerPlan, topology: TopologyPlan, turn: { readonly over: boolean }): Promise<void> {
    if (plan.rpc && !this.rpc) {
      this.rpc = this.options.callServer();
      await this.rpc.start();
    } else if (plan.rpc) {
      await this.rpc?.added();
    }
    if (this.ended)
      throw new ConnectionLostError(
        `the broker object was closed before the consumer of '${plan.queue.name}' was ready`,
      );
    if (turn.over) return;
    const consumer = this.make([plan], topology);
    this.all.push(consumer);
    await consumer.start();
  }

  /** Ends the consumers of a handler, bounded by `expired`. Always settles. */
  async remove(id: string, expired: Promise<void>): Promise<void> {
    const gone = this.of(id);
    await Promise.all(gone.map((consumer) => consumer.drain(expired)));
    for (const consumer of gone) this.all.splice(this.all.indexOf(consumer), 1);
  }

  /** Resolves when each has its consume-ok, and callers can say that they left. */
  async start(): Promise<void> {
    this.watchdog.start();
    await Promise.all([this.rpc?.start(), ...this.all.map((consumer) => consumer.start())]);
  }

  status(): ConsumerStatus[] {
    return this.all.map((consumer) => consumer.status());
  }

  /** Queues that exist only while they are consumed: declared again when they were deleted. */
  temporary(): TopologyPlan {
    const bindings = this.all.flatMap((consumer) => consumer.temporary());
    const calls = this.rpc?.temporary();
    return {
      exchanges: calls?.exchanges ?? [],
      queues: [],
      bindings: [...bindings, ...(calls?.bindings ?? [])],
    };
  }

  /** Ends their work, bounded by `expired`. Always settles. */
  async drain(expired: Promise<void>): Promise<void> {
    this.ended = true;
    this.watchdog.stop();
    const { clock, settings, logger } = this.options.shared;
    // Streams get half of the time, which those without an end would use up.
    const ended = clock.after(settings.shutdown / 2, () => this.rpc?.stopStreams());
    const unsettled = (): Delivery[] => this.all.flatMap((consumer) => consumer.unsettled());
    const done = reportWaiting(clock, logger, () => runningHandlers(unsettled(), clock.monotonic()));
    await Promise.all(this.all.map((consumer) => consumer.drain(expired)));
    ended();
    done();
    await this.rpc?.close(expired);
  }

  private make(plans: readonly HandlerPlan[], topology: TopologyPlan): Consumer {
    const { connection, declared, typeOf, shared, steps } = this.options;
    const { rpc } = this;
    const around = steps(rpc);
    return new Consumer({
      connection,
      contexts: plans.map((plan) => ({ ...shared, plan, rpc, steps: around })),
      dispatch: dispatch(plans, { typeOf, ...topology }),
      topology: partFor(topology, plans[0].queue.name),
      declared,
    });
  }
}
