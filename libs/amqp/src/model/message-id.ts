// Message ids: random once per process, then counted, since two random ones would be no more different from each other.
// And short: RabbitMQ handles messages whose properties have more than 64 bytes more slowly (decision 14).

import { randomBytes } from 'node:crypto';

const prefix = randomBytes(9).toString('base64url');
let next = 0;

/** An id that no other message has: 13 to 20 letters, digits, `-` and `_`. */
export function newMessageId(): string {
  return prefix + (next++).toString(36);
}
