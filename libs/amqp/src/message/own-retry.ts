// Whether a delivery came back through a retry of ours. Who moves messages, by hand or with a shovel, takes their headers
// along; believed there, they would cost the message its attempts.

import { HEADER } from './headers.js';
import type { Headers } from './message.js';

/**
 * Whether what a message says of its former attempts is to be believed: a retry says for which queue it is, and a dead
 * letter that somebody moved says why it is one. Who forges all of it harms that one message only: it runs once, and what our own retries write from then on counts.
 */
export function isOwnRetry(queue: string, headers: Headers): boolean {
  return headers[HEADER.queue] === queue && headers[HEADER.reason] === undefined;
}
