// What an application, or a person, changes while the process runs: handlers by name, and subscriptions that come and go.

import type { Consumer } from '../consume/consumer.js';
import type { Consumers } from '../consume/consumers.js';
import type { RetryMover } from '../delay/retry-mover.js';
import { ConfigError } from '../errors/errors.js';
import type { WaitingDetails } from '../events/broker-details.js';
import { milliseconds } from '../options/duration.js';
import { nearest } from '../options/option-checks.js';
import { withTimeout } from '../runtime/clock.js';
import { describeError, printable } from '../runtime/logger.js';
import type { HandlerPlan, HandlerRegistration } from '../topology/handler-plan.js';
import { Subscriptions, type SubscriptionsDeps } from './subscriptions.js';
import type {
  Control,
  ControlOptions,
  EverywhereChange,
  EverywhereResult,
  HandlerState,
  RunNowResult,
} from './control.js';
import { Everywhere, type EverywhereDeps } from './everywhere.js';
import type { Outcome } from './follower.js';
import { inEffect, type HandlerChange } from './command.js';
import {
  HandlerController,
  type HandlerControllerDeps,
  type Limits,
  tellChange,
} from './handler-controller.js';

/** The parts of the broker object. */
export interface ControlParts
  extends
    Omit<HandlerControllerDeps, 'consumers' | 'everywhere' | 'tell'>,
    Omit<SubscriptionsDeps, 'consumers' | 'changed'>,
    Pick<EverywhereDeps, 'fleet' | 'writing'> {
  /** Undefined while there are none. */
  readonly consumers: () => Consumers | undefined;
  /** Settles when the broker object is open; undefined before `open`, and when it closes. */
  readonly opened: () => Promise<void> | undefined;
  /** What it has of waiting messages. */
  readonly publishing: {
    readonly mover: Pick<RetryMover, 'runNow'>;
    moveRetries(handlers: readonly HandlerPlan[]): void;
  };
  /** Makes them, for the first handler. */
  readonly make: () => Consumers;
}

/** Askers give up long before. */
const PATIENT = { timeout: '10m' } as const;

/** The control of a broker object. */
export function controlOf(parts: ControlParts): BrokerControl {
  const opened = (): Promise<void> => {
    const opening = parts.opened();
    if (opening) return opening;
    throw new ConfigError('the broker object is not open', 'before open(), use register()');
  };
  const begun = async (): Promise<Consumers> => {
    await opened();
    // It may close meanwhile.
    void opened();
    const made = parts.consumers();
    if (made) return made;
    const consumers = parts.make();
    await consumers.start();
    return consumers;
  };
  const changed = (): void => parts.publishing.moveRetries(parts.topologyBuilder.handlers);
  const subscriptions = new Subscriptions({ ...parts, consumers: begun, changed });
  return new BrokerControl({ ...parts, subscriptions });
}

interface ControlDeps extends ControlParts {
  readonly subscriptions: Subscriptions;
}

/** See Control. */
export class BrokerControl implements Control {
  private readonly handlerDeps: HandlerControllerDeps;
  private readonly all: Everywhere;

  constructor(private readonly deps: ControlDeps) {
    const has = (id: string): boolean => (deps.consumers()?.of(id).length ?? 0) > 0;
    this.all = new Everywhere({
      ...deps,
      has,
      apply: async (id, change) => this.noted(id, await this.apply(id, change, this.handlerDeps)),
      replay: (changes) => this.replay(changes),
      paused: () => this.pausedEverywhere(),
    });
    this.handlerDeps = {
      ...deps,
      consumers: (id) => this.consumersOf(id),
      everywhere: this.all,
      tell: (...change) => tellChange(deps, ...change),
    };
  }

  handler(id: string): HandlerController {
    this.consumersOf(id);
    return new HandlerController(id, this.handlerDeps);
  }

  status(): readonly HandlerState[] {
    return (this.deps.consumers()?.ids ?? []).map((id) => this.handler(id).status());
  }

  async subscribe(registration: HandlerRegistration): Promise<void> {
    await this.deps.subscriptions.add(registration);
    await this.all.added(registration.id);
  }

  async unsubscribe(id: string): Promise<void> {
    const handlers = this.consumersOf(id).flatMap(({ ids }) => ids);
    const others = [...new Set(handlers)].filter((each) => each !== id);
    if (others.length > 0) {
      throw new ConfigError(
        `${id} cannot be unsubscribed: its queue is consumed for ${others.join(', ')} as well`,
        'pause it, which pauses the others too, or give it its own queue',
      );
    }
    await this.deps.subscriptions.remove(id);
  }

  async runNow(
    { key }: Pick<WaitingDetails, 'key'>,
    { timeout }: Pick<ControlOptions, 'timeout'> = {},
  ): Promise<RunNowResult> {
    const { settings, clock, publishing } = this.deps;
    const ms = timeout === undefined ? settings.shutdown : milliseconds(timeout, 'timeout');
    const left = publishing.mover.runNow(key);
    if (!left) return 'not-held';
    let result: RunNowResult = 'pending';
    const forwarded = left.then((arrived) => void (result = arrived ? 'forwarded' : 'pending'));
    await withTimeout(clock, ms, (expired) => Promise.race([forwarded, expired]));
    return result;
  }

  everywhere(
    service: string,
    handler: string,
    change: EverywhereChange,
    { timeout }: Pick<ControlOptions, 'timeout'> = {},
  ): Promise<EverywhereResult> {
    return this.all.change(service, handler, change, timeout);
  }

  /** Learns what is wanted in all instances of the service. For the broker object. */
  start(): Promise<void> {
    return this.all.start();
  }

  /** Always settles. For the broker object. */
  close(): Promise<void> {
    return this.all.close();
  }

  /** What it changes is written down at once, before it returns. */
  private async apply(
    id: string,
    { paused, ...limits }: EverywhereChange,
    deps: HandlerControllerDeps,
  ): Promise<Outcome> {
    if ((this.deps.consumers()?.of(id).length ?? 0) === 0) return undefined;
    const handler = new HandlerController(id, deps);
    const done: Promise<HandlerState>[] = [];
    try {
      if (paused === true) done.push(handler.pauseBy('everywhere', PATIENT));
      if (Object.keys(limits).length > 0) done.push(handler.change(limits, PATIENT));
      if (paused === false) done.push(handler.resume(PATIENT));
      return { inForce: (await Promise.all(done)).every(({ inForce }) => inForce) };
    } catch (error) {
      return { inForce: false, error: printable(describeError(error)) };
    }
  }

  /** Changes of the past. What came of all of them is told, and of those refused the ones that would hold now. */
  private replay(changes: readonly HandlerChange[]): readonly Promise<Outcome>[] {
    const consumers = this.deps.consumers();
    const all = new Set(consumers?.ids.flatMap((id) => consumers.of(id)));
    const before = new Map<Consumer, Limits>([...all].map((one) => [one, one.control.status()]));
    const deps = { ...this.handlerDeps, tell: () => undefined };
    const told = new Set(inEffect(changes));
    const outcomes = changes.map(async (each) => {
      const outcome = await this.apply(each.handler, each.change, deps);
      return told.has(each) ? this.noted(each.handler, outcome) : outcome;
    });
    for (const [consumer, was] of before) tellChange(this.deps, consumer.ids[0], consumer, was);
    return outcomes;
  }

  private noted(handler: string, outcome: Outcome): Outcome {
    if (outcome?.error !== undefined) {
      this.deps.settings.logger.warn(
        `${handler}: what is wanted in all instances is refused here: ${outcome.error}`,
        { event: 'control-refused', handler },
      );
    }
    return outcome;
  }

  private pausedEverywhere(): string[] {
    const all = this.deps.consumers()?.status() ?? [];
    return all.flatMap(({ paused, handlers }) => (paused?.by === 'everywhere' ? handlers : []));
  }

  private consumersOf(id: string): readonly Consumer[] {
    const consumers = this.deps.consumers();
    const found = consumers?.of(id) ?? [];
    if (found.length > 0) return found;
    const ids = consumers?.ids ?? [];
    const meant = nearest(id, ids);
    const known = ids.length > 0 ? `known: ${ids.join(', ')}` : 'this process consumes nothing (yet)';
    throw new ConfigError(
      `there is no handler '${id.slice(0, 200)}'`,
      meant === undefined ? known : `did you mean ${meant}? ${known}`,
    );
  }
}
