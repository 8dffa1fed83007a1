import { humanDuration } from '../options/duration.js';
import type { Clock } from '../runtime/clock.js';
import { MovesInProgress } from '../message/moves-in-progress.js';
import type { Counters } from './events.js';
import { HEADER, RETURN_EXCHANGE, publishedTo } from '../message/headers.js';
import type { BrokerLogger } from '../runtime/logger.js';
import type { ReceivedMessage } from '../message/message.js';
import type { Events } from './emitter.js';

/** What is later than this is late, in ms. */
export const LATE = 5_000;

/** Others that are late as well come in this time, in ms. */
const FIRST_WORD = 1_000;

/** When none was late for this long, it is over. */
const QUIET = 30_000;

/** What it is made from. */
export interface LateRetriesOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: BrokerLogger;
}

/**
 * Messages that came back from their wait later than they should: counted, and said once for each time this
 * happens, however many there are.
 */
export class LateRetries {
  /** Shared by what moves retries on and what consumes them. */
  readonly moves = new MovesInProgress();
  private messages = 0;
  private most = 0;
  private said = 0;
  private cancel: (() => void) | undefined;

  constructor(private readonly options: LateRetriesOptions) {}

  /** One more message is `ms` late. Those that are on time may be told as well. */
  note(ms: number): void {
    if (ms <= LATE) return;
    this.options.counters.retriesLate++;
    const first = this.messages++ === 0;
    this.longer(ms);
    if (first) this.cancel = this.options.clock.after(FIRST_WORD, () => this.begun());
    else if (this.said > 0) this.waitForQuiet();
  }

  /** One of those that were told is later still. */
  longer(ms: number): void {
    this.most = Math.max(this.most, ms);
  }

  /**
   * A message with headers for a handler: when nobody moved it from its wait, the broker handed it over by itself, and
   * late. Resolves when it may run; undefined when it may at once.
   */
  arrived(message: ReceivedMessage): Promise<void> | undefined {
    this.noteLate(message);
    return this.moves.settled(message);
  }

  private noteLate({ exchange, properties }: ReceivedMessage): void {
    if (exchange !== RETURN_EXCHANGE && publishedTo(exchange) === exchange) return;
    const due = properties.headers?.[HEADER.due];
    if (typeof due === 'number') this.note(this.options.clock.wall() - due);
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
    this.options.logger.warn(`${messages} ${what}, by up to ${humanDuration(ms)}`);
    this.options.events.emit({ kind: 'retries-late', messages, ms, over });
  }
}
