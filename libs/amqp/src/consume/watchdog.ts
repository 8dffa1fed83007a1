import type { Connection } from '../connection/connection.js';
import { inTime, type Clock } from '../runtime/clock.js';
import type { Counters } from '../events/events.js';
import { humanDuration } from '../options/duration.js';
import { ConnectionLostError } from '../errors/errors.js';
import type { Log } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';
import { REFRESH } from './readiness.js';

/** What is compared of a consumer. */
export interface Watched {
  readonly queue: string;
  /** The channel that it consumes on; undefined while it does not. */
  readonly life: number | undefined;
  /** Number of deliveries on all channels so far. */
  readonly delivered: number;
  /** Whether it would take more. */
  readonly free: boolean;
  /** Whether it may be idle beside messages that are ready: on standby, or reading a stream. */
  readonly mayIdle: boolean;
  /** Whether the broker counts its consumers. It says 0 of a stream, however many read it. */
  readonly counted: boolean;
  /** Whether nothing is in progress, and the broker may not have said that its queue became another one. */
  readonly mayBeCutOff: boolean;
  /** Since when it is not ready, by the monotonic clock. */
  readonly since: number | undefined;
}

/** A consumer to watch. */
export interface Watchable {
  watched(): Watched;
  /** Why it has not been ready for a long time; returned from time to time. */
  overdue(): string | undefined;
  /** Begins to consume anew; the reason `REFRESH` is no loss. */
  renew(reason?: string): void;
}

/** Dependencies. */
export interface WatchdogOptions {
  readonly connection: Connection;
  readonly consumers: readonly Watchable[];
  /** Time between two rounds, in ms; 0: never. */
  readonly every: number;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: Log;
}

/** What the broker says of a queue; no consumers when there is no such queue. */
interface Answer {
  readonly messages: number;
  readonly consumers: number | undefined;
}

/** How long one question may take. */
const ANSWER_TIMEOUT = 5_000;

/**
 * A consumer that may be cut off is restarted when it received nothing in this many rounds: once a minute by default.
 */
const QUIET_ROUNDS = 6;

/** A consumer in a round. */
interface Seen {
  readonly life: number;
  readonly delivered: number;
  /** Rounds since its last delivery. */
  readonly quiet: number;
  /** Whether it got nothing, although it could take more and there was more. */
  readonly idle: boolean;
}

/**
 * Compares regularly what should consume with what does. A consumer can be lost unnoticed when the broker's cancel got
 * lost or a proxy swallowed it; its process then looks healthy and does nothing. Some brokers do not tell consumers that a
 * queue was deleted and declared again at once, and still count messages as delivered to them, so that no answer shows it:
 * consumers that receive nothing for a long time are renewed as a precaution.
 */
export class Watchdog {
  private cancel: (() => void) | undefined;
  private stopped = false;
  /** Consumers as they were in the last round. */
  private seen = new Map<Watchable, Seen>();

  constructor(private readonly options: WatchdogOptions) {}

  start(): void {
    const { every, clock } = this.options;
    if (this.stopped || every === 0) return;
    this.cancel = clock.after(every, () => void this.round().finally(() => this.start()));
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  /** Never rejects. */
  private async round(): Promise<void> {
    const before = this.seen;
    this.seen = new Map();
    for (const consumer of this.options.consumers) {
      if (this.stopped) return;
      try {
        await this.look(consumer, before.get(consumer));
      } catch {
        // No answer, or one that has nothing to do with it: the connection has its own ways to find out.
      }
    }
  }

  private async look(consumer: Watchable, before: Seen | undefined): Promise<void> {
    const watched = consumer.watched();
    const { queue, life } = watched;
    if (life === undefined) return this.reportOverdue(consumer, watched);
    if (this.options.connection.blocked) return;
    const none = ({ consumers }: Answer): boolean =>
      consumers === undefined || (watched.counted && consumers === 0);
    const first = await this.ask(queue);
    // What was under way during the first answer is over before the second.
    const gone = none(first) && none(await this.ask(queue));
    if (this.stopped || consumer.watched().life !== life) return;
    if (gone) return this.restart(consumer, queue, 'the broker reports no consumer on the queue');
    const now = consumer.watched();
    const { delivered } = now;
    const same = before?.life === life && before.delivered === delivered;
    const idle = first.messages > 0 && !now.mayIdle && now.free && watched.delivered === delivered;
    const quiet = same ? before.quiet + 1 : 0;
    if (idle && same && before.idle)
      this.restart(consumer, queue, `${first.messages} messages are ready and none is delivered`);
    else if (now.mayBeCutOff && quiet >= QUIET_ROUNDS) this.refresh(consumer, queue);
    else this.seen.set(consumer, { life, delivered, quiet, idle });
  }

  private refresh(consumer: Watchable, queue: string): void {
    this.options.logger.debug?.(`consuming '${queue}' anew: ${REFRESH}`, {
      event: 'consumer-refreshed',
      queue,
    });
    consumer.renew(REFRESH);
  }

  private restart(consumer: Watchable, queue: string, reason: string): void {
    const { counters, events, logger } = this.options;
    counters.consumersRestarted++;
    logger.warn(`restarting the consumer of '${queue}': ${reason}`, { event: 'consumer-restarted', queue });
    events.emit({ kind: 'consumer-restarted', queue, reason });
    consumer.renew();
  }

  private reportOverdue(consumer: Watchable, { queue, since }: Watched): void {
    const { clock, connection, events, logger } = this.options;
    const why = consumer.overdue();
    if (why === undefined || since === undefined) return;
    const reason = `not ready for ${humanDuration(Math.floor((clock.monotonic() - since) / 1_000) * 1_000)}: ${why}`;
    logger.warn(`the consumer of '${queue}' is ${reason}`, { event: 'consumer-not-ready', queue });
    events.emit({ kind: 'consumer-not-ready', queue, reason });
    // Its channel may wait for an answer that never comes; without a connection there is no channel.
    if (connection.state === 'open') consumer.renew();
  }

  private async ask(queue: string): Promise<Answer> {
    const { clock, connection } = this.options;
    const asked = connection.withChannel(async (channel): Promise<Answer> => {
      try {
        const { messageCount, consumerCount } = await channel.checkQueue(queue);
        return { messages: messageCount, consumers: consumerCount };
      } catch (error) {
        // A missing queue has no consumers.
        if ((error as { code?: unknown } | undefined)?.code === 404)
          return { messages: 0, consumers: undefined };
        throw error;
      }
    });
    return inTime(
      clock,
      ANSWER_TIMEOUT,
      asked,
      () => new ConnectionLostError(`the broker did not answer about '${queue}'`),
    );
  }
}
