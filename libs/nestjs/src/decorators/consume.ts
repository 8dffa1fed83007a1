// @Consume: work from a queue.

import { defineHandler, HANDLER_KEY, readArguments, type OptionsOrFactory } from './define-handler.js';

/**
 * The method handles messages of a queue; of several consumers of the queue one gets each message. Returning acks,
 * throwing leads to the retry policy.
 *
 * ```ts
 * @Consume('orders')
 * @Consume('orders', { prefetch: 1, retry: { attempts: 3 } })
 * @Consume({ queue: 'orders' })
 * @Consume((get) => ({ queue: get(ConfigService).get('ORDERS_QUEUE') }))
 * ```
 */
export function Consume(queue: string, options?: OptionsOrFactory): MethodDecorator;
export function Consume(options: OptionsOrFactory): MethodDecorator;
export function Consume(first: string | OptionsOrFactory, second?: OptionsOrFactory): MethodDecorator {
  return defineHandler({ kind: 'consume', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
Consume.KEY = HANDLER_KEY;
