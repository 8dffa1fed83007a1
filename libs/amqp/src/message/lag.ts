// How long a message has been on its way.

import type { Clock } from '../runtime/clock.js';
import type { Delivery } from './delivery.js';
import { HEADER } from './headers.js';

/** Seconds since a message was published; undefined when that cannot be told, or says nothing of the queue. */
export function lagOf({ message, headers, exchange }: Delivery, clock: Clock): number | undefined {
  const { timestamp } = message.properties;
  if (timestamp === undefined || exchange !== message.exchange) return undefined;
  // It waited since somebody wanted it to.
  if (headers[HEADER.move] !== undefined || headers[HEADER.replayed] !== undefined) return undefined;
  // AMQP counts seconds; some programs write milliseconds.
  const published = timestamp > 1e11 ? timestamp / 1_000 : timestamp;
  return Math.max(0, clock.wall() / 1_000 - published);
}

/** The longest of them, in ms. */
export function oldestLag(deliveries: Iterable<Delivery>, clock: Clock): number | undefined {
  let oldest: number | undefined;
  for (const delivery of deliveries) {
    const lag = lagOf(delivery, clock);
    if (lag !== undefined) oldest = Math.max(oldest ?? 0, Math.round(lag * 1_000));
  }
  return oldest;
}
