// @Consume: work from a queue.

import type { QueueContract } from '@warren/amqp';
import {
  defineHandler,
  HANDLER_KEY,
  readArguments,
  type NotOptions,
  type OptionsOrFactory,
} from './define-handler.js';
import type { BatchOrNot, Handles, NoContract } from './handler-of.js';

/** With a contract, a decorator that checks its method. */
export type ConsumeDecorator<Queue, HasBatch = undefined> = [Queue] extends [QueueContract<infer Payload>]
  ? Handles<Payload, HasBatch>
  : MethodDecorator;

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
export function Consume<Queue extends string | NotOptions<QueueContract>>(
  queue: Queue | NoContract,
): ConsumeDecorator<Queue>;
export function Consume<Queue extends string | QueueContract, HasBatch extends null | undefined = undefined>(
  queue: Queue,
  options: BatchOrNot<HasBatch> | undefined,
): ConsumeDecorator<Queue, HasBatch>;
export function Consume(
  first: string | QueueContract | OptionsOrFactory,
  second?: OptionsOrFactory,
): MethodDecorator {
  return defineHandler({ kind: 'consume', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
Consume.KEY = HANDLER_KEY;
