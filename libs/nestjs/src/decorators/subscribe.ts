// @Subscribe: events from an exchange.

import type { EventContract, SchemaOutput, StandardSchema } from '@warren/amqp';
import {
  defineHandler,
  HANDLER_KEY,
  readArguments,
  type NestHandlerOptions,
  type OptionsOrFactory,
} from './define-handler.js';
import type { HandlerOf, NoContract } from './handler-of.js';

type Batch = { readonly batch: NonNullable<NestHandlerOptions['batch']> };

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
export function Subscribe(patterns: string | readonly string[], options?: OptionsOrFactory): MethodDecorator;
export function Subscribe(options: NoContract<OptionsOrFactory>): MethodDecorator;
export function Subscribe<Key extends string, Payload extends StandardSchema | undefined>(
  event: EventContract<Key, Payload>,
  options: NestHandlerOptions & Batch,
): HandlerOf<SchemaOutput<Payload>[]>;
export function Subscribe<Key extends string, Payload extends StandardSchema | undefined>(
  event: EventContract<Key, Payload>,
  options?: OptionsOrFactory,
): HandlerOf<SchemaOutput<Payload>>;
export function Subscribe(
  first: string | readonly string[] | EventContract | OptionsOrFactory,
  second?: OptionsOrFactory,
): MethodDecorator {
  return defineHandler({ kind: 'subscribe', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
Subscribe.KEY = HANDLER_KEY;
