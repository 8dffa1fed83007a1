// Handlers that are added and removed while the broker object is open.

import type { Connection } from '../connection/connection.js';
import type { Consumers } from '../consume/consumers.js';
import { ConfigError, ConnectionLostError } from '../errors/errors.js';
import type { Settings } from '../options/settings.js';
import { inTime, withTimeout, type Clock } from '../runtime/clock.js';
import { declarePermitted } from '../topology/declare.js';
import { logHandler } from '../topology/describe-handler.js';
import type { HandlerPlan, HandlerRegistration } from '../topology/handler-plan.js';
import { partFor } from '../topology/plan.js';
import type { TopologyBuilder } from '../topology/topology-builder.js';

/** The parts of the broker object. */
export interface SubscriptionsDeps {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly topologyBuilder: TopologyBuilder;
  /** Made when there are none yet. */
  readonly consumers: () => Promise<Consumers>;
  readonly connection: () => Connection;
  /** The handlers changed. */
  readonly changed: () => void;
}

/** One at a time: each changes the one plan of the topology. */
export class Subscriptions {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: SubscriptionsDeps) {}

  /** See Control.subscribe. */
  add(registration: HandlerRegistration): Promise<void> {
    return this.inTurn(() => this.subscribe(registration));
  }

  /** See Control.unsubscribe. */
  remove(id: string): Promise<void> {
    return this.inTurn(() => this.unsubscribe(id));
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.last.then(work, work);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async subscribe(registration: HandlerRegistration): Promise<void> {
    const { settings, clock, topologyBuilder, changed } = this.deps;
    const { id } = registration;
    if (!settings.consumers)
      throw new ConfigError(`${id} cannot be added: this process only publishes`, 'remove consumers: false');
    const consumers = await this.deps.consumers();
    if (consumers.of(id).length > 0)
      throw new ConfigError(
        `there is a handler '${id}' already`,
        'give it another id, or unsubscribe it first',
      );
    const plan = topologyBuilder.add(registration);
    const turn = { over: false };
    const late = (): Error =>
      new ConnectionLostError(
        `the broker did not confirm in time (startupTimeout) that this process consumes '${plan.queue.name}'`,
      );
    try {
      await inTime(clock, settings.startupTimeout, this.begin(plan, consumers, turn), late);
    } catch (error) {
      turn.over = true;
      await this.end(id, [plan], consumers);
      throw error;
    }
    logHandler(plan, settings);
    changed();
  }

  /** Goes no further when its turn is over. */
  private async begin(
    plan: HandlerPlan,
    consumers: Consumers,
    turn: { readonly over: boolean },
  ): Promise<void> {
    const { topologyBuilder, connection } = this.deps;
    // Before its bindings are there: what they route would go to the handlers that have the queue.
    consumers.checkFree(plan);
    const topology = topologyBuilder.build();
    await connection().opened();
    if (turn.over) return;
    await declarePermitted(connection(), partFor(topology, plan.queue.name));
    if (turn.over) return;
    await consumers.add(plan, topology, turn);
  }

  private async unsubscribe(id: string): Promise<void> {
    const { topologyBuilder, consumers, settings, changed } = this.deps;
    const plans = topologyBuilder.handlers.filter((one) => one.id === id);
    await this.end(id, plans, await consumers());
    settings.logger.log(`${id} was unsubscribed`, { event: 'handler-removed', handler: id });
    changed();
  }

  private async end(id: string, plans: readonly HandlerPlan[], consumers: Consumers): Promise<void> {
    const { clock, settings, topologyBuilder } = this.deps;
    await withTimeout(clock, settings.shutdown, (expired) => consumers.remove(id, expired));
    for (const plan of plans) topologyBuilder.remove(plan);
  }
}
