// A rate limit as a token bucket. There is no timer per message: tokens are counted from the monotonic clock when a message
// wants one, and a timer runs only while messages wait.

import type { Clock } from '../runtime/clock.js';

/** Tokens that may be saved, in seconds of the rate: what may start at once after a time without messages. */
const BURST = 0.1;

/** The least time between two looks while messages wait, in ms. Half of the burst, so that it costs no throughput. */
const LEAST_WAIT = 50;

/** Tokens are fractions; what is missing less than this is a matter of rounding. */
const ROUNDING = 1e-6;

/** The limit of one consumer. */
export class RateLimit {
  private tokens: number;
  private at: number;
  private cancel: (() => void) | undefined;

  constructor(
    /** Messages per second. */
    readonly perSecond: number,
    private readonly clock: Clock,
    /** There is a token again. Called only after `take` returned false. */
    private readonly wake: () => void,
  ) {
    this.tokens = this.burst;
    this.at = clock.monotonic();
  }

  /**
   * Takes a token for each message, if there is one at least: a batch may be larger than the bucket, and those behind it
   * wait until its tokens are paid back. False when there is none.
   */
  take(messages: number): boolean {
    const { perSecond, clock, burst } = this;
    const now = clock.monotonic();
    this.tokens = Math.min(burst, this.tokens + ((now - this.at) / 1_000) * perSecond);
    this.at = now;
    if (this.tokens >= 1 - ROUNDING) {
      this.tokens -= messages;
      return true;
    }
    const missing = Math.ceil(((1 - this.tokens) / perSecond) * 1_000);
    this.cancel ??= clock.after(Math.max(LEAST_WAIT, missing), () => {
      this.cancel = undefined;
      this.wake();
    });
    return false;
  }

  /** Calls nothing any more. */
  end(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private get burst(): number {
    return Math.max(1, this.perSecond * BURST);
  }
}
