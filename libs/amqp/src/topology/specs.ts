// Exchanges, queues and bindings as values: what the broker should look like, and who asked for it.

import type { DeclareMode } from '../options/options.js';
import type { Server } from '../message/direct-reply.js';
import type { Headers } from '../message/message.js';

/** An exchange. Without a type it is taken as it is: only looked for. */
export interface ExchangeSpec {
  readonly name: string;
  readonly type: string | undefined;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Headers;
  readonly declare: DeclareMode;
  readonly declaredBy: string;
}

/** A named queue that stays. */
export interface QueueSpec {
  readonly name: string;
  readonly durable: boolean;
  readonly arguments: Headers;
  readonly declare: DeclareMode;
  readonly declaredBy: string;
  /** Exclusive, and gone with its consumer; `name` is the first part of a name made anew for each life. */
  readonly temporary: boolean;
  /** How the broker can be made to dead-letter what it would drop, where it can. */
  readonly deadLettering?: BrokerDeadLettering;
}

/** Arguments beside those of a queue, on which its declaration does not insist: a queue with or without them will do. */
export interface BrokerDeadLettering {
  readonly arguments: Headers;
  /** `wanted`: a new queue gets them. `unwanted`: somebody said so. `accepted`: nobody said anything. */
  readonly mode: 'wanted' | 'unwanted' | 'accepted';
}

/** Messages of `source` go to `destination`. */
export interface BindingSpec {
  readonly source: string;
  readonly destination: { readonly kind: 'queue' | 'exchange'; readonly name: string };
  readonly key: string;
  readonly arguments: Headers;
  readonly declaredBy: string;
}

/** What somebody wants, before it is merged with what others want. */
export interface Declarations {
  readonly exchanges: readonly ExchangeSpec[];
  readonly queues: readonly QueueSpec[];
  readonly bindings: readonly BindingSpec[];
}

/** Queue types as they stand in the argument `x-queue-type`. */
export function queueTypeOf(queue: QueueSpec): string | undefined {
  const type = queue.arguments['x-queue-type'];
  return typeof type === 'string' ? type : undefined;
}

/**
 * Whether the broker may hide from a consumer that its queue was deleted and at once declared again. RabbitMQ 3 (seen on
 * 3.10) does so with quorum queues, which wait queues are: it counts the consumer as one of the new queue, and takes what is handed to it for
 * messages that it had before.
 */
export function mayHideDeletion({ version: [major] }: Server, queue?: QueueSpec): boolean {
  return major === 3 && (!queue || queueTypeOf(queue) === 'quorum' || queue.declare !== 'create');
}

/** As what type an exchange routes: the one that delays routes as the type that it names. */
export function routingType(exchange: ExchangeSpec | undefined): string | undefined {
  if (exchange?.type !== 'x-delayed-message') return exchange?.type;
  const type = exchange.arguments['x-delayed-type'];
  return typeof type === 'string' ? type : undefined;
}

/** Whether a type binds with patterns. Exchanges taken as they are count as topic ones. */
export function usesPatterns(type: string | undefined): boolean {
  return type === undefined || type === 'topic';
}

/** `dead` of `orders` is `orders.dead`. */
export function deadQueueName(queue: string): string {
  return `${queue}.dead`;
}
