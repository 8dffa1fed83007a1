// The outcome of one delivery, as data. Steps of the pipeline hand it upwards; settle.ts is the one
// place that turns it into frames.

/** What becomes of one delivery. */
export type Verdict =
  /** Done: ack. `value` is the reply of an RPC handler. */
  | { readonly kind: 'ack'; readonly value?: unknown }
  /** Done on purpose without success: ack and forget. */
  | { readonly kind: 'drop' }
  /** Waits `after` ms in a broker queue and comes back as attempt `attempt`. */
  | { readonly kind: 'retry'; readonly after: number; readonly attempt: number; readonly error: unknown }
  /** Goes to the dead-letter queue with the facts of its failure. */
  | { readonly kind: 'dead-letter'; readonly reason: DeadLetterReason; readonly error: unknown }
  /** Handed back to the broker untouched: this process is shutting down. */
  | { readonly kind: 'requeue' }
  /** The handler settles by itself later (`ack: 'manual'`). */
  | { readonly kind: 'open' };

/** Why a message was dead-lettered. Stands in the header `x-warren-reason` of the dead letter. */
export type DeadLetterReason =
  'rejected' | 'attempts-exhausted' | 'not-retryable' | 'undecodable' | 'unmatched' | 'poison' | 'too-large';

/** Settled with success. */
export const ACK: Verdict = Object.freeze({ kind: 'ack' });
/** Acked and forgotten. */
export const DROP: Verdict = Object.freeze({ kind: 'drop' });
/** Back to the broker. */
export const REQUEUE: Verdict = Object.freeze({ kind: 'requeue' });
/** Left to the handler. */
export const OPEN: Verdict = Object.freeze({ kind: 'open' });
