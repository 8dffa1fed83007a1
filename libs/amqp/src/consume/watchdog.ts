import type { Connection } from '../connection/connection.js';
import { inTime, type Clock } from '../runtime/clock.js';
import type { Counters } from '../events/counters.js';
import { humanDuration } from '../options/duration.js';
import { ConnectionLostError } from '../errors/errors.js';
import type { BrokerLogger } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';

/** What is compared of a consumer. */
export interface Watched {
  readonly queue: string;
  /** The life it consumes in; undefined while it does not. */
  readonly life: number | undefined;
  /** Deliveries of all lives so far. */
  readonly delivered: number;
  /** Whether it would take more. */
  readonly free: boolean;
  /** Whether it may be idle beside messages that are ready: on standby, or reading a stream. */
  readonly mayIdle: boolean;
  /** Whether the broker counts its consumers. It says 0 of a stream, however many read it. */
  readonly counted: boolean;
  /** Since when it is not ready, by the monotonic clock. */
  readonly since: number | undefined;
}

/** A consumer to watch. */
export interface Watchable {
  watched(): Watched;
  /** Why it has not been ready for a long time, now and then. */
  overdue(): string | undefined;
  /** Begins to consume anew. */
  renew(): void;
}

/** What a watchdog is made from. */
export interface WatchdogOptions {
  readonly connection: Connection;
  readonly consumers: readonly Watchable[];
  /** Time between two rounds, in ms; 0: never. */
  readonly every: number;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: BrokerLogger;
}

/** What the broker says of a queue; no consumers when there is no such queue. */
interface Answer {
  readonly messages: number;
  readonly consumers: number | undefined;
}

/** How long one question may take. */
const PATIENCE = 5_000;

/**
 * Compares from time to time what should consume with what does. A consumer can be gone without a word, when
 * what the broker said about it was lost or what a proxy swallowed never came; its process then looks well
 * and does nothing.
 */
export class Watchdog {
  private cancel: (() => void) | undefined;
  private stopped = false;
  /** Who was idle beside ready messages in the last round, with what it had got by then. */
  private idle = new Map<Watchable, Watched>();

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
    const before = this.idle;
    this.idle = new Map();
    for (const consumer of this.options.consumers) {
      if (this.stopped) return;
      try {
        await this.look(consumer, before.get(consumer));
      } catch {
        // No answer, or one that has nothing to do with it: the connection has its own ways to find out.
      }
    }
  }

  private async look(consumer: Watchable, before: Watched | undefined): Promise<void> {
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
    if (first.messages === 0 || now.mayIdle || !now.free) return;
    if (before?.life === life && before.delivered === now.delivered) {
      this.restart(consumer, queue, `${first.messages} messages are ready and none is delivered`);
    } else if (watched.delivered === now.delivered) this.idle.set(consumer, now);
  }

  private restart(consumer: Watchable, queue: string, reason: string): void {
    const { counters, events, logger } = this.options;
    counters.consumersRestarted++;
    logger.warn(`restarting the consumer of '${queue}': ${reason}`);
    events.emit({ kind: 'consumer-restarted', queue, reason });
    consumer.renew();
  }

  private reportOverdue(consumer: Watchable, { queue, since }: Watched): void {
    const { clock, connection, events, logger } = this.options;
    const why = consumer.overdue();
    if (why === undefined || since === undefined) return;
    const reason = `not ready for ${humanDuration(Math.floor((clock.monotonic() - since) / 1_000) * 1_000)}: ${why}`;
    logger.warn(`the consumer of '${queue}' is ${reason}`);
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
        // Where there is no queue nobody consumes.
        if ((error as { code?: unknown } | undefined)?.code === 404)
          return { messages: 0, consumers: undefined };
        throw error;
      }
    });
    return inTime(clock, PATIENCE, asked, () => new ConnectionLostError(`no answer about '${queue}'`));
  }
}
