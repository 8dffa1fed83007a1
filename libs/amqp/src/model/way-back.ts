// How a message that waits comes back: through which exchange, and in what kind of queue it waits. Named here
// because both sides need it: the consuming one declares the way, the publishing one sends messages on it.

/** The exchange behind a wait, and whether the wait survives the loss of a node. */
export interface WayBack {
  /** Dead-letter exchange of the wait queue; the message keeps its routing key. */
  readonly exchange: string;
  /** Waits in a quorum queue that hands over at least once; else in a classic one, at most once. */
  readonly replicated: boolean;
}

/** Direct exchange to which each consumed queue is bound with its own name: the way back of retries. */
export const BACK_EXCHANGE = 'warren.back';

/** Queue of retries whose own queue was deleted meanwhile, and the exchange before it. */
export const ORPHANS = 'warren.orphans';

/** For queues that nobody binds to the exchange above: straight to the queue of that name. */
export const BY_NAME: WayBack = { exchange: '', replicated: false };
