import { humanDuration } from '../options/duration.js';
import type { Clock } from '../runtime/clock.js';
import type { Counters } from '../events/events.js';
import { describeError, printable, type Log } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';
import { errorFields } from '../errors/error-facts.js';

/** Where it is told. */
export interface ReadinessDeps {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: Log;
}

/** Why a consumer begins anew that may be cut off without having been told. */
export const REFRESH =
  'it received nothing for a long time, and this broker may not report that a queue was replaced';

/** Why a consumer gives its channel up that is paused, or begins anew with another prefetch. */
export const PAUSED = 'it is paused';

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
  private lostAt: number | undefined;
  private refreshing = false;
  private readonly waiters: (() => void)[] = [];

  constructor(private readonly context: ReadinessDeps) {
    this.since = context.clock.monotonic();
  }

  ready(queue: string): void {
    this.since = this.lastError = undefined;
    this.saidAt = -Infinity;
    this.restored(queue);
    if (!this.refreshing) this.context.events.emit({ kind: 'consumer-ready', queue });
    this.refreshing = false;
    this.tell();
  }

  lost(queue: string, reason: string): void {
    const { clock, counters, events, logger } = this.context;
    this.since = clock.monotonic();
    this.refreshing = reason === REFRESH || reason === PAUSED;
    if (this.refreshing) return;
    this.lostAt ??= this.since;
    counters.consumersLost++;
    this.lastError = printable(reason);
    logger.warn(`the consumer of '${queue}' was lost (${this.lastError}); restarting it`, {
      event: 'consumer-lost',
      queue,
    });
    events.emit({ kind: 'consumer-lost', queue, reason });
  }

  private restored(queue: string): void {
    if (this.lostAt === undefined) return;
    const ms = Math.round(this.context.clock.monotonic() - this.lostAt);
    this.lostAt = undefined;
    this.context.logger.log(`the consumer of '${queue}' is back after ${humanDuration(ms)}`, {
      event: 'consumer-restored',
      queue,
      ms,
    });
  }

  /** Too much waits for its handlers. */
  paused(queue: string): void {
    const { clock, logger } = this.context;
    if (clock.monotonic() - this.pausedAt < REPEAT_AFTER) return;
    this.pausedAt = clock.monotonic();
    logger.warn(
      `messages of '${queue}' (ack: 'none') arrive faster than its handlers run: consuming is paused until half of them are handled`,
      { event: 'consumer-paused', queue },
    );
  }

  /** It does not consume because nobody wants it to, which is no fault. */
  rest(): void {
    this.since = this.lastError = undefined;
    this.tell();
  }

  /** Resolves when it consumes, or is not meant to. */
  whenReady(): Promise<void> {
    if (this.since === undefined) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** It is to consume again. */
  wanted(): void {
    this.since ??= this.context.clock.monotonic();
  }

  /** It could not be restarted. `quiet`: it is logged elsewhere. */
  failed(queue: string, error: unknown, quiet: boolean): void {
    const { clock, events, logger } = this.context;
    this.refreshing = false;
    const text = printable(describeError(error));
    // What stays the same the watchdog says again, once a minute.
    if (!quiet && text !== this.lastError) {
      this.saidAt = clock.monotonic();
      logger.warn(`cannot consume '${queue}' yet: ${text}; trying again`, {
        event: 'consumer-failed',
        queue,
        ...errorFields(error),
      });
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

  private tell(): void {
    for (const resolve of this.waiters.splice(0)) resolve();
  }
}
