// What a user can say about errors of a handler: which are tried again, how often and after which waits.
// retry-policy.ts makes decisions of it.

import type { Duration } from './duration.js';

/** Constructors, for `retry.on` and `retry.not`. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** Waits that grow up to `max`: each is the one before times `factor` (above 1), or plus `step`. */
export type GrowingDelays =
  | { readonly first: Duration; readonly factor: number; readonly max: Duration }
  | { readonly first: Duration; readonly step: Duration; readonly max: Duration };

/** What a thrown error leads to. */
export interface RetryOptions {
  /** How often the handler may see the message in all. Default 5. */
  readonly attempts?: number | undefined;
  /**
   * Waits before the second, third, ... attempt: one for all, a list of which the last one repeats, or growing ones, as
   * `{ first, factor, max }` or `{ first, step, max }`. Default 1s, 5s, 30s, 2m.
   */
  readonly delays?: Duration | readonly Duration[] | GrowingDelays | undefined;
  /** Spread each wait by up to 20 % so that failures do not come back all at once. Default true. */
  readonly jitter?: boolean | undefined;
  /** Only these errors are tried again; others are dead-lettered at once. Default: all. */
  readonly on?: readonly ErrorClass[] | undefined;
  /** These errors are dead-lettered at once. Default: none. */
  readonly not?: readonly ErrorClass[] | undefined;
}
