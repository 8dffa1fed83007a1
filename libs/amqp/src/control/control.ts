// What pauses, limits, adds and removes handlers at run time, as applications see it. BrokerControl and HandlerController do it.

import type { WaitingDetails } from '../events/broker-details.js';
import type { ConsumerStatus } from '../events/broker-status.js';
import type { FleetInstance } from '../fleet/fleet.js';
import type { Duration } from '../options/duration.js';
import type { ConsumerChange, Rate } from '../options/rate.js';
import type { HandlerRegistration } from '../topology/handler-plan.js';

/** How long to wait. */
export interface ControlOptions {
  /**
   * How long to wait until it is in force: until running handlers are finished, until the broker has answered. After that
   * the result says `inForce: false`, and it goes on by itself. Default: the connection's `shutdown`, which is 10s.
   */
  readonly timeout?: Duration | undefined;
  /**
   * In all instances of the service, and in those that start later; needs the option `fleet: { control: true }`. The result
   * says in `everywhere` which instances did it. Default false: in this process.
   */
  readonly everywhere?: boolean | undefined;
}

/** What may be wanted of a handler everywhere. What is absent stays as it is. */
export interface EverywhereChange {
  readonly paused?: boolean;
  readonly prefetch?: number;
  readonly concurrency?: number;
  /** null: no limit. */
  readonly rate?: Rate | null;
}

/** What came of a change in all instances of a service. What was asked for holds for later instances in any case. */
export interface EverywhereResult {
  /** Where it is in force. */
  readonly done: readonly FleetInstance[];
  /** Where it is not, or not yet, and why. Instances without such a handler are not told of. */
  readonly failed: readonly { readonly instance: FleetInstance; readonly reason: string }[];
  /** Instances that answered a question of this process during the last minute, and not this one. */
  readonly silent: readonly FleetInstance[];
}

/** A handler, and what came of a change. */
export interface HandlerState {
  /** Its name in logs: class and method. */
  readonly handler: string;
  /** Whether what was asked for is in force; false when `timeout` passed before. */
  readonly inForce: boolean;
  /** One for each of its queues, with all handlers that share it. */
  readonly consumers: readonly ConsumerStatus[];
  /** Which instances did it; undefined when only this process was asked. Then `inForce` is about all of them. */
  readonly everywhere?: EverywhereResult;
}

/**
 * What came of `runNow`. `forwarded`: its target has it. `pending`: the target did not take it, the connection was lost, or
 * `timeout` passed; it goes on by itself, as a message that is due. `not-held`: this process does not hold it any more.
 */
export type RunNowResult = 'forwarded' | 'pending' | 'not-held';

/**
 * One handler, by its name in logs: `OrderHandlers.place`. Handlers that share a queue share one consumer, so they are
 * changed together. What is set holds through lost connections and channels and deleted queues, until the process ends.
 */
export interface HandlerControl {
  /** Its name in logs: class and method. */
  readonly id: string;

  /** Its state now. */
  status(): HandlerState;

  /**
   * Consumes no more. Handlers that run are finished; messages that were handed over and have not begun return to the
   * queue, in order. Resolves when that is so. Calling it again changes nothing.
   */
  pause(options?: ControlOptions): Promise<HandlerState>;

  /** Consumes again. Resolves when the broker has confirmed the consumer. */
  resume(options?: ControlOptions): Promise<HandlerState>;

  /**
   * Messages that the broker hands over before one is settled, 1 to 65535. A concurrency that follows the prefetch
   * follows it now as well. The broker counts it for consumers that begin, so running handlers are finished first.
   *
   * @throws ConfigError for a value out of range, or below the concurrency or the size of a batch
   */
  prefetch(prefetch: number, options?: ControlOptions): Promise<HandlerState>;

  /** Handlers, or batches, that run at once, at most the prefetch. Resolves when no more than that run. @throws ConfigError */
  concurrency(concurrency: number, options?: ControlOptions): Promise<HandlerState>;

  /** Messages that may start in a second, minute or hour: `'100/s'`; null: without a limit. @throws ConfigError */
  rate(rate: Rate | null, options?: ControlOptions): Promise<HandlerState>;

  /** Several limits at once. @throws ConfigError */
  change(change: ConsumerChange, options?: ControlOptions): Promise<HandlerState>;
}

/** Controls the handlers of one broker object. */
export interface Control {
  /** A handler, by its name in logs: class and method. @throws ConfigError when there is none, with the nearest name */
  handler(id: string): HandlerControl;

  /** All handlers as they are now. */
  status(): readonly HandlerState[];

  /**
   * Adds a handler, with all options that handlers have: its topology is planned, checked and declared as at the start.
   * Resolves when it consumes. Its queue must not be consumed by a handler of this process yet.
   *
   * @throws ConfigError, TopologyMismatchError, AccessRefusedError, ConnectionLostError; then nothing was added
   */
  subscribe(registration: HandlerRegistration): Promise<void>;

  /**
   * Removes a handler, as a shutdown does: running ones are finished within `shutdown`, the others return to the queue. The
   * queue and its bindings stay on the broker and collect messages. @throws ConfigError when there is none of that name, or
   * it shares its queue with others
   */
  unsubscribe(id: string): Promise<void>;

  /**
   * Forwards a retry or a delayed message now, which this process holds until it is due: one of `broker.details().waiting`.
   * It is the same attempt, and as safe as one that is due: published, confirmed, and only then taken from its wait queue.
   */
  runNow(
    message: Pick<WaitingDetails, 'key'>,
    options?: Pick<ControlOptions, 'timeout'>,
  ): Promise<RunNowResult>;

  /**
   * Changes a handler in all instances of any service, for programs that are not of it. The instances need the option
   * `fleet: { control: true }`; this process does not. Instances that start later do it as well.
   *
   * `timeout`: how long to wait until it is in force in all of them; default 10s, at most a minute.
   *
   * @throws ConfigError (no instance has the option, or nothing is to be changed), AccessRefusedError, ConnectionLostError
   */
  everywhere(
    service: string,
    handler: string,
    change: EverywhereChange,
    options?: Pick<ControlOptions, 'timeout'>,
  ): Promise<EverywhereResult>;
}
