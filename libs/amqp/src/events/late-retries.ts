import { humanDuration } from '../options/duration.js';
import type { Clock } from '../runtime/clock.js';
import { MovesInProgress } from '../message/moves-in-progress.js';
import type { Counters } from './events.js';
import { dueTime, RETURN_EXCHANGE, publishedTo } from '../message/headers.js';
import type { Log } from '../runtime/logger.js';
import type { ReceivedMessage } from '../message/message.js';
import type { Events } from './emitter.js';

/** A message is late when it arrives this long after its time, in ms. */
export const LATE = 5_000;

/** Time to collect more late messages before they are reported, in ms. */
const FIRST_WORD = 1_000;

/** Without late messages for this long, the incident is over. */
const QUIET = 30_000;

/** Dependencies. */
export interface LateRetriesOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: Log;
}

/**
 * Counts messages that returned from their delay too late, and reports each incident once, however many messages it
 * has.
 */
export class LateRetries {
  /** Shared by the retry mover and the consumers. */
  readonly moves = new MovesInProgress();
  private messages = 0;
  private most = 0;
  private said = 0;
  private cancel: (() => void) | undefined;

  constructor(private readonly options: LateRetriesOptions) {}

  /** Another message was `ms` late. Calls for punctual messages are allowed. */
  note(ms: number): void {
    if (ms <= LATE) return;
    this.options.counters.retriesLate++;
    const first = this.messages++ === 0;
    this.longer(ms);
    if (first) this.cancel = this.options.clock.after(FIRST_WORD, () => this.begun());
    else if (this.said > 0) this.waitForQuiet();
  }

  /** A reported message is now later. */
  longer(ms: number): void {
    this.most = Math.max(this.most, ms);
  }

  /**
   * A message for a handler that has waited: when nobody moved it from its wait, the broker handed it over by itself, and
   * late. Resolves when it may run; undefined when it may at once.
   */
  arrived(message: ReceivedMessage): Promise<void> | undefined {
    this.noteLate(message);
    return this.moves.settled(message);
  }

  private noteLate({ exchange, properties }: ReceivedMessage): void {
    if (exchange !== RETURN_EXCHANGE && publishedTo(exchange) === exchange) return;
    const now = this.options.clock.wall();
    const due = dueTime(properties.headers, now);
    if (due !== undefined) this.note(now - due);
  }

  private begun(): void {
    this.tell('retried or delayed messages are late', false);
    this.said = this.messages;
    this.waitForQuiet();
  }

  private waitForQuiet(): void {
    this.cancel?.();
    this.cancel = this.options.clock.after(QUIET, () => {
      if (this.messages > this.said) this.tell('retried or delayed messages were late', true);
      this.messages = this.most = this.said = 0;
    });
  }

  private tell(what: string, over: boolean): void {
    const { messages, most } = this;
    const ms = Math.round(most);
    this.options.logger.warn(`${messages} ${what}, by up to ${humanDuration(ms)}`, {
      event: 'retries-late',
      ms,
    });
    this.options.events.emit({ kind: 'retries-late', messages, ms, over });
  }
}
