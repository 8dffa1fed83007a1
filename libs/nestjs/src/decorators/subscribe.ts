// @Subscribe: events from an exchange.

import type { EventContract } from '@warren/amqp';
import {
  defineHandler,
  HANDLER_KEY,
  readArguments,
  type NotOptions,
  type OptionsOrFactory,
} from './define-handler.js';
import type { BatchOrNot, Handles, NoContract } from './handler-of.js';

/** With a contract, a decorator that checks its method. */
export type SubscribeDecorator<Event, HasBatch = undefined> = [Event] extends [
  EventContract<string, infer Payload>,
]
  ? Handles<Payload, HasBatch>
  : MethodDecorator;

/**
 * The method handles events whose routing key matches one of the patterns (`*` one word, `#` any number). Every service
 * gets a copy, shared by its instances; with `broadcast: true` every instance gets one.
 *
 * ```ts
 * @Subscribe('order.*.created')
 * @Subscribe(['#.error', '#.fatal'], { broadcast: true })
 * @Subscribe(OrderCreated)                // a contract made by event(): checks the method's first parameter
 * @Subscribe({ bindings: [{ exchange: { name: 'reports', type: 'headers' }, match: { all: { format: 'pdf' } } }] })
 * ```
 */
export function Subscribe<Event extends string | NotOptions<readonly string[]> | NotOptions<EventContract>>(
  event: Event | NoContract,
): SubscribeDecorator<Event>;
export function Subscribe<
  Event extends string | readonly string[] | EventContract,
  HasBatch extends null | undefined = undefined,
>(event: Event, options: BatchOrNot<HasBatch> | undefined): SubscribeDecorator<Event, HasBatch>;
export function Subscribe(
  first: string | readonly string[] | EventContract | OptionsOrFactory,
  second?: OptionsOrFactory,
): MethodDecorator {
  return defineHandler({ kind: 'subscribe', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
Subscribe.KEY = HANDLER_KEY;
