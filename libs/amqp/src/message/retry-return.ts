// How a message that waits comes back. Named here because both sides need it: the consuming one declares the way, the
// publishing one sends messages on it.

/** Where a message goes when its wait is over, and so in what kind of queue it waits. */
export type ReturnRoute =
  /** A retry, to the queue that its routing key names; that queue is bound to BACK_EXCHANGE. */
  | { readonly kind: 'retry' }
  /** The same for a queue that is not ours to bind. */
  | { readonly kind: 'by-name' }
  /** The same for a queue of one process: gone with it, as is what waits for it. */
  | { readonly kind: 'broadcast' }
  /** A delayed publish to an exchange; to a queue when that is the default exchange. */
  | { readonly kind: 'delay'; readonly exchange: string };

/** Direct exchange to which each consumed queue is bound with its own name: the way back when nobody moves retries. */
export const RETURN_EXCHANGE = 'warren.back';

/** Queue of messages whose own queue was deleted while they waited, and the exchange before it. */
export const UNROUTABLE_RETRIES = 'warren.orphans';

/** A wait queue hands over this much later than its wait, in ms, when no process moves what waits there. */
export const GRACE = 30_000;

const RETURN = '.delay.to.';

/** The exchange behind the wait queues of one service's delayed publishes to `exchange`. */
export function returnExchange(service: string, exchange: string): string {
  return `${service}${RETURN}${exchange}`;
}

/** The exchange that a message was published to, which may have come out of a wait queue by itself. */
export function publishedTo(exchange: string): string {
  const at = exchange.indexOf(RETURN);
  return at < 0 ? exchange : exchange.slice(at + RETURN.length);
}
