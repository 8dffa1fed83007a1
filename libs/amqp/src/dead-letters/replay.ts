// A dead letter as a message again, for the queue where it failed and no other: attempts start anew, the
// facts of the failure stay behind, and what its handler saw of it (exchange, key, headers) is as before.

import { forwardable, forwardableProperties, HEADER } from '../message/headers.js';
import type { OutgoingMessage } from '../message/message.js';
import type { DeadLetter } from './dead-letter.js';

const LEFT_BEHIND: ReadonlySet<string> = new Set([
  HEADER.attempt,
  // Of a former retry, or a sender's own; where they count they are written anew.
  HEADER.exchange,
  HEADER.routingKey,
  HEADER.queue,
  HEADER.handler,
  HEADER.reason,
  HEADER.failedAt,
  HEADER.errorName,
  HEADER.errorMessage,
  HEADER.errorStack,
  HEADER.originalExchange,
  HEADER.originalRoutingKey,
  // Whoever replays a request wants it run, although nobody waits for it any more.
  HEADER.deadline,
  HEADER.timeLeft,
]);

/** The message for `queue`, through the default exchange. */
export function replayedMessage(letter: DeadLetter, queue: string): OutgoingMessage {
  const { expiration, userId, headers, ...kept } = letter.properties;
  // The one would end it early, the other is checked by the broker.
  void expiration;
  void userId;
  void headers;
  const own = Object.entries(letter.headers).filter(([name]) => !LEFT_BEHIND.has(name));
  const facts = {
    ...(letter.exchange !== undefined && { [HEADER.exchange]: letter.exchange }),
    ...(letter.routingKey !== undefined && { [HEADER.routingKey]: letter.routingKey }),
    // With it the two above are believed there: see message/headers.ts.
    [HEADER.queue]: queue,
    [HEADER.replayed]: letter.replayed + 1,
  };
  return {
    exchange: '',
    routingKey: queue,
    content: letter.content,
    properties: { ...forwardableProperties(kept), headers: forwardable(Object.fromEntries(own), facts) },
    mandatory: true,
  };
}
