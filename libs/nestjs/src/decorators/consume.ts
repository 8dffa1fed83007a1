// @Consume: work from a queue.

import type { QueueContract, SchemaOutput, StandardSchema } from '@warren/amqp';
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
 * The method handles messages of a queue; each message goes to one of the queue's consumers. Returning acks the message,
 * throwing applies the retry policy.
 *
 * ```ts
 * @Consume('orders')
 * @Consume('orders', { prefetch: 1, retry: { attempts: 3 } })
 * @Consume({ queue: 'orders' })
 * @Consume(Orders)                       // a contract made by queue(): checks the method's first parameter
 * @Consume((get) => ({ queue: get(ConfigService).get('ORDERS_QUEUE') }))
 * ```
 */
export function Consume(queue: string, options?: OptionsOrFactory): MethodDecorator;
export function Consume(options: NoContract<OptionsOrFactory>): MethodDecorator;
export function Consume<Payload extends StandardSchema | undefined>(
  queue: QueueContract<Payload>,
  options: NestHandlerOptions & Batch,
): HandlerOf<SchemaOutput<Payload>[]>;
export function Consume<Payload extends StandardSchema | undefined>(
  queue: QueueContract<Payload>,
  options?: OptionsOrFactory,
): HandlerOf<SchemaOutput<Payload>>;
export function Consume(
  first: string | QueueContract | OptionsOrFactory,
  second?: OptionsOrFactory,
): MethodDecorator {
  return defineHandler({ kind: 'consume', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
Consume.KEY = HANDLER_KEY;
