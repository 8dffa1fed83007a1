// The consumers of a broker: one for each queue that has handlers.

import type { Connection } from '../connection/connection.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { partFor, type TopologyPlan } from '../topology/plan.js';
import { Consumer } from './consumer.js';
import { dispatch, type ExchangesKnown, groupByQueue } from './dispatch.js';
import type { ConsumerStatus } from '../events/broker-status.js';
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
  readonly shared: Omit<HandlerContext, 'plan'>;
}

/** All of them. */
export class Consumers {
  private readonly all: readonly Consumer[];
  private readonly rpc: CallServer | undefined;
  private readonly watchdog: Watchdog;
  /** Gives streams half of the time, which those without an end would use up. Returns what calls that off. */
  private readonly stopStreams: () => () => void;

  /** @throws ConfigError when handlers of one queue do not fit together */
  constructor({ connection, handlers, topology, declared, typeOf, shared }: ConsumersOptions) {
    const { settings, clock } = shared;
    this.rpc = shared.rpc;
    this.stopStreams = () => clock.after(settings.shutdown / 2, () => this.rpc?.stopStreams());
    this.all = groupByQueue(handlers).map((plans) => {
      return new Consumer({
        connection,
        contexts: plans.map((plan) => ({ ...shared, plan })),
        dispatch: dispatch(plans, { typeOf, ...topology }),
        topology: partFor(topology, plans[0].queue.name),
        declared,
      });
    });
    this.watchdog = new Watchdog({ ...shared, connection, consumers: this.all, every: settings.watchdog });
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
    this.watchdog.stop();
    const ended = this.stopStreams();
    await Promise.all(this.all.map((consumer) => consumer.drain(expired)));
    ended();
    await this.rpc?.close(expired);
  }
}
