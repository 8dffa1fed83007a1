// A message as log lines name it: its id, for whoever looks for it, and where it came from.

import type { Delivery } from './delivery.js';
import { printable } from '../runtime/logger.js';

/** `message 42 ('order.created') of queue 'orders'`; the routing key only where it says more than the queue. */
export function named({ queue, message, routingKey }: Delivery): string {
  const id = message.properties.messageId;
  const which = id === undefined || id === '' ? 'a message without id' : `message ${printable(id, 100)}`;
  const key = routingKey === queue ? '' : ` ('${printable(routingKey)}')`;
  return `${which}${key} of queue '${queue}'`;
}
