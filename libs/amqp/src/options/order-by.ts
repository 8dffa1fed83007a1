// What messages are kept in order by: a key that can be read from a message as it arrives. Its body is not part of
// that: it is decoded when its turn has come, and a schema may take its time over it.

import { RabbitError } from '../errors/errors.js';
import { describeError } from '../runtime/logger.js';
import type { Delivery } from '../message/delivery.js';

/** A message before its body is decoded. Exchange and routing key are those it was published with, also after retries. */
export type ArrivedMessage = Pick<
  Delivery,
  'headers' | 'exchange' | 'routingKey' | 'queue' | 'attempt' | 'message'
>;

/** What makes the key: the routing key, a header, or a function, which says undefined for messages without an order. */
export type OrderBy =
  | 'routingKey'
  | {
      /** Name of the header whose value is the key. */
      readonly header: string;
    }
  | ((message: ArrivedMessage) => string | number | null | undefined);

/** The key of a message; undefined when it has none. */
export type KeyOf = (message: ArrivedMessage) => string | undefined;

/** Reads keys. What it returns throws WARREN_ORDER_KEY for a message whose key cannot be told. */
export function keyOf(orderBy: OrderBy): KeyOf {
  if (orderBy === 'routingKey') return ({ routingKey }) => routingKey;
  const read =
    typeof orderBy === 'function' ? orderBy : ({ headers }: ArrivedMessage) => headers[orderBy.header];
  const what = typeof orderBy === 'function' ? 'what orderBy returned' : `the header '${orderBy.header}'`;
  return (message) => {
    const key = called(read, message);
    if (key === undefined || key === null) return undefined;
    if (typeof key === 'string') return key;
    if (typeof key === 'number' || typeof key === 'bigint') return String(key);
    // Where it is a promise, its rejection would end the process.
    if (key instanceof Promise) key.catch(() => undefined);
    throw noKey(`${what} is neither a string nor a number, but ${kindOf(key)}`);
  };
}

/** Whether two handlers of one queue mean the same order. */
export function sameOrder(one: OrderBy | undefined, other: OrderBy | undefined): boolean {
  if (typeof one !== 'object' || typeof other !== 'object') return one === other;
  return one.header === other.header;
}

function noKey(message: string, cause?: unknown): RabbitError {
  return new RabbitError(
    'WARREN_ORDER_KEY',
    message,
    'fix the sender, or make orderBy handle such messages',
    cause,
  );
}

function called(read: (message: ArrivedMessage) => unknown, message: ArrivedMessage): unknown {
  try {
    return read(message);
  } catch (error) {
    throw noKey(`orderBy threw: ${describeError(error)}`, error);
  }
}

function kindOf(value: unknown): string {
  if (value instanceof Promise) return 'a promise';
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
