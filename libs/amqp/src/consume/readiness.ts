import type { Clock } from '../runtime/clock.js';
import type { Counters } from '../events/events.js';
import { describeError, printable, type BrokerLogger } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';

/** Where it is told. */
export interface ReadinessDeps {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: BrokerLogger;
}

/** Why a consumer begins anew that may be cut off without having been told. */
export const REFRESH =
  'it received nothing for a long time, and this broker may not report that a queue was replaced';

const REPEAT_AFTER = 60_000;

/**
 * Whether a consumer consumes, since when not, and why: kept for status, told as events, and said in the
 * log, where a reason that repeats is said once a minute.
 */
export class Readiness {
  /** Since when the consumer is not ready, by the monotonic clock; undefined while it is. */
  since: number | undefined;
  lastError: string | undefined;
  private saidAt = -Infinity;
  private pausedAt = -Infinity;
  private refreshing = false;

  constructor(private readonly context: ReadinessDeps) {
    this.since = context.clock.monotonic();
  }

  ready(queue: string): void {
    this.since = this.lastError = undefined;
    this.saidAt = -Infinity;
    if (!this.refreshing) this.context.events.emit({ kind: 'consumer-ready', queue });
    this.refreshing = false;
  }

  lost(queue: string, reason: string): void {
    const { clock, counters, events, logger } = this.context;
    this.since = clock.monotonic();
    this.refreshing = reason === REFRESH;
    if (this.refreshing) return;
    counters.consumersLost++;
    this.lastError = printable(reason);
    logger.warn(`the consumer of '${queue}' was lost (${this.lastError}); restarting it`);
    events.emit({ kind: 'consumer-lost', queue, reason });
  }

  /** Too much waits for its handlers. */
  paused(queue: string): void {
    const { clock, logger } = this.context;
    if (clock.monotonic() - this.pausedAt < REPEAT_AFTER) return;
    this.pausedAt = clock.monotonic();
    logger.warn(
      `messages of '${queue}' (ack: 'none') arrive faster than its handlers run: consuming is paused until half of them are handled`,
    );
  }

  /** It could not be restarted. `quiet`: it is logged elsewhere. */
  failed(queue: string, error: unknown, quiet: boolean): void {
    const { clock, events, logger } = this.context;
    this.refreshing = false;
    const text = printable(describeError(error));
    // What stays the same the watchdog says again, once a minute.
    if (!quiet && text !== this.lastError) {
      this.saidAt = clock.monotonic();
      logger.warn(`cannot consume '${queue}' yet: ${text}; trying again`);
    }
    this.lastError = text;
    events.emit({ kind: 'consumer-failed', queue, error });
  }

  /** It ends on purpose. */
  ended(): void {
    this.since ??= this.context.clock.monotonic();
  }

  /** Why it has not been ready for a long time, once a minute. */
  overdue(): string | undefined {
    const now = this.context.clock.monotonic();
    if (this.since === undefined || now - Math.max(this.since, this.saidAt) < REPEAT_AFTER) return undefined;
    this.saidAt = now;
    return this.lastError ?? 'no answer from the broker';
  }
}
