// What applications inject to pause, limit, add and remove handlers while they run.

import { Inject, Injectable } from '@nestjs/common';
import type {
  Broker,
  ControlOptions,
  EverywhereChange,
  EverywhereResult,
  HandlerControl,
  HandlerRegistration,
  HandlerState,
  RunNowResult,
  WaitingDetails,
} from '@warren/amqp';
import { DEFAULT_CONNECTION, getBrokerToken } from '../module-options.js';

/**
 * Controls the handlers of one connection in this process. Handlers are named as in the log: class and method.
 *
 * ```ts
 * await this.control.handler('Orders.place').pause();
 * ```
 */
@Injectable()
export class RabbitControl {
  /** Nest makes one for each connection; the one of the default connection is injected by its class. */
  constructor(@Inject(getBrokerToken()) private readonly broker: Broker) {}

  /**
   * A handler, by class and method: `Orders.place`.
   *
   * @throws ConfigError when there is none, or not yet, with the nearest name and all names
   */
  handler(id: string): HandlerControl {
    return this.broker.control.handler(id);
  }

  /**
   * Changes a handler in all instances of any service, for programs that are not of it; its instances need the option
   * `fleet: { control: true }`. `timeout`: how long to wait until it is in force in all of them; default 10s, at most a minute.
   *
   * @throws ConfigError (no instance has the option, or nothing is to be changed), AccessRefusedError, ConnectionLostError
   */
  everywhere(
    service: string,
    handler: string,
    change: EverywhereChange,
    options?: Pick<ControlOptions, 'timeout'>,
  ): Promise<EverywhereResult> {
    return this.broker.control.everywhere(service, handler, change, options);
  }

  /** All handlers as they are now. */
  status(): readonly HandlerState[] {
    return this.broker.control.status();
  }

  /**
   * Adds a handler, with the options of the decorators. Its topology is planned, checked and declared as at the start.
   * Resolves when it consumes. Nest's guards, pipes, interceptors and filters do not run: `handle` gets the delivery.
   *
   * @throws ConfigError, TopologyMismatchError, AccessRefusedError, ConnectionLostError; then nothing was added
   */
  subscribe(registration: HandlerRegistration): Promise<void> {
    return this.broker.control.subscribe(registration);
  }

  /**
   * Removes a handler, as a shutdown does: running ones are finished within `shutdown`, the others return to the queue. The
   * queue and its bindings stay on the broker. @throws ConfigError when there is none of that name, or it shares its queue
   */
  unsubscribe(id: string): Promise<void> {
    return this.broker.control.unsubscribe(id);
  }

  /**
   * Forwards a retry or a delayed message now, which this process holds until it is due: one of `broker.details().waiting`.
   * `timeout`: how long to wait until its queue has it, default `shutdown`.
   */
  runNow(
    message: Pick<WaitingDetails, 'key'>,
    options?: Pick<ControlOptions, 'timeout'>,
  ): Promise<RunNowResult> {
    return this.broker.control.runNow(message, options);
  }
}

/** Token of a connection's `RabbitControl`. The default one's is the class itself. */
export function getControlToken(name: string = DEFAULT_CONNECTION): string | typeof RabbitControl {
  return name === DEFAULT_CONNECTION ? RabbitControl : `warren:control:${name}`;
}
