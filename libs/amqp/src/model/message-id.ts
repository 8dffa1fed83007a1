// Message ids: UUIDs, as databases and other services take them, that cost next to nothing. Random once per process,
// then counted: two random ones would be no more different from each other.

import { randomUUID } from 'node:crypto';

/** Always eight hexadecimal digits, and a small integer. */
const FIRST = 0x10000000;
const LAST = 0x7fffffff;

let prefix = '';
let next = LAST;

/** An id that no other message has: a UUID of version 8, the one for UUIDs that are made in a way of their own. */
export function newMessageId(): string {
  if (next >= LAST) {
    const random = randomUUID();
    prefix = `${random.slice(0, 14)}8${random.slice(15, 28)}`;
    next = FIRST;
  }
  return prefix + (next++).toString(16);
}
