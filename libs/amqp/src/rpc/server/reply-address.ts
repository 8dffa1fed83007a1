// Where an answer may go. A request names the address itself, so it can be anything: a queue of somebody else, where our
// answer would be taken for a message; the queue of the request, so that the handler answers itself for ever; or an
// address of direct reply-to that the broker does not bear (message/direct-reply.ts).

import { isDirectReply, isWellFormed, type Server } from '../../message/direct-reply.js';
import type { Settings } from '../../options/settings.js';

/** Addresses that were found well formed: so many, since anybody can make some. */
const REMEMBERED = 1_000;
const wellFormed = new Set<string>();

/** Queues that only their owner reads: ours, and those that RabbitMQ named, which clients make exclusive. */
const OWN = /^amq\.gen-|\.replies\.[0-9a-f]{8}$/;

/** Whether an answer may be sent to `replyTo`. `allowed`: `any` queue, or the beginnings of names beside the usual ones. */
export function mayReplyTo(
  replyTo: string,
  requestQueue: string,
  allowed: Settings['rpc']['replyTo'],
  server: Server,
): boolean {
  if (isDirectReply(replyTo)) return isHarmless(replyTo, server);
  if (replyTo === requestQueue) return false;
  if (allowed === 'any' || OWN.test(replyTo)) return true;
  return allowed.some((prefix) => replyTo.startsWith(prefix));
}

function isHarmless(replyTo: string, server: Server): boolean {
  if (server.product !== 'RabbitMQ') return isWellFormed(replyTo, server);
  // A caller has one address for all its calls.
  if (wellFormed.has(replyTo)) return true;
  if (!isWellFormed(replyTo, server)) return false;
  if (wellFormed.size >= REMEMBERED) wellFormed.clear();
  wellFormed.add(replyTo);
  return true;
}
