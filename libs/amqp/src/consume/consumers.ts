// The consumers of a broker: one for each queue that has handlers.

import type { Connection } from '../connection/connection.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { partFor, type TopologyPlan } from '../topology/plan.js';
import { CALLS_EXCHANGE } from '../message/call-control.js';
import { callsExchange } from '../topology/call-exchanges.js';
import { Callers } from '../rpc/server/caller-liveness.js';
import { Calls } from '../rpc/server/active-calls.js';
import { Consumer } from './consumer.js';
import { Control } from '../rpc/server/control-consumer.js';
import { dispatch, type ExchangesKnown } from './dispatch.js';
import { groupByQueue } from './handler-groups.js';
import type { ConsumerStatus } from './readiness.js';
import type { HandlerRoom } from './step.js';
import { Watchdog } from './watchdog.js';

/** What consumers are made from. */
export interface ConsumersOptions {
  readonly connection: Connection;
  /** Where an answer to an address leaves: to ask about some costs the connection, as to publish to them does. */
  readonly replies: (replyTo: string) => Connection;
  readonly handlers: readonly HandlerPlan[];
  readonly topology: TopologyPlan;
  /** Whether all of it was declared when the connection opened. */
  readonly declared: () => boolean;
  readonly typeOf: ExchangesKnown['typeOf'];
  readonly shared: Omit<HandlerRoom, 'plan' | 'calls' | 'callers'>;
}

/** All of them. */
export class Consumers {
  private readonly all: readonly Consumer[];
  private readonly callers: Callers;
  private readonly control: Control | undefined;
  private readonly watchdog: Watchdog;
  /** Gives streams half of the time, which those without an end would use up. Returns what calls that off. */
  private readonly stopStreams: () => () => void;

  /** @throws ConfigError when handlers of one queue do not fit together */
  constructor({ connection, replies, handlers, topology, declared, typeOf, shared }: ConsumersOptions) {
    const { settings, clock } = shared;
    const calls = new Calls(clock);
    this.stopStreams = () => clock.after(settings.shutdown / 2, () => calls.stopStreams());
    this.callers = new Callers({ connection: replies, clock });
    if (handlers.some(({ rpc }) => rpc)) {
      this.control = new Control({ connection, settings, clock, calls, handlers });
    }
    this.all = groupByQueue(handlers).map((plans) => {
      return new Consumer({
        connection,
        rooms: plans.map((plan) => ({ ...shared, calls, callers: this.callers, plan })),
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
    await Promise.all([this.control?.start(), ...this.all.map((consumer) => consumer.start())]);
  }

  status(): ConsumerStatus[] {
    return this.all.map((consumer) => consumer.status());
  }

  /** What is there only as long as they consume: to be declared again when somebody deleted it. */
  temporary(): TopologyPlan {
    const parts = [...this.all.map((consumer) => consumer.temporary()), this.control?.temporary() ?? []];
    const calls = callsExchange(CALLS_EXCHANGE);
    const exchanges = this.control?.isDeclaring && calls ? [calls] : [];
    return { exchanges, queues: [], bindings: parts.flat() };
  }

  /** Ends their work, bounded by `expired`. Always settles. */
  async drain(expired: Promise<void>): Promise<void> {
    this.watchdog.stop();
    const ended = this.stopStreams();
    await Promise.all(this.all.map((consumer) => consumer.drain(expired)));
    ended();
    await Promise.all([this.control?.close(), this.callers.close(expired)]);
  }
}
