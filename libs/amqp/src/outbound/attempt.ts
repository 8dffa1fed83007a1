// One send under way: its deadline, its signal, and its one result. Whatever happens twice or too late
// (a confirm after the deadline, an abort after the confirm) changes nothing any more.

import { EncodeError } from '../model/errors.js';
import {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
} from '../model/publish-errors.js';
import type { Deadline, Deadlines } from '../model/deadlines.js';
import type { OutgoingMessage } from '../model/message.js';
import type { LiveChannel } from '../link/channel.js';
import { channelRefusal, isToBlame } from './channel-refusal.js';
import type { Confirms } from './confirms.js';

/** How long a send may take, and what calls it off. */
export interface SendLimits {
  /** What is left, in ms. */
  readonly timeout: number;
  /** What the caller gave, for the error; default `timeout`. */
  readonly given?: number;
  readonly signal?: AbortSignal;
  /** Sends it again when the connection was lost before its confirm. Default false. */
  readonly retryUnknown?: boolean;
}

/** What a send came to when the broker has the message: whether a queue wanted it, and how often it was sent again. */
export interface Sent {
  readonly routed: boolean;
  readonly resent: number;
}

/** What a send came to. */
export type AttemptResult = Sent | { readonly error: Error };

/** What the broker says when it is a client's own frames that made it close the connection. */
const OWN_FAULT = /\b(501|502|503|504|505|530|540|541)\b/;

/** See the top of the file. */
export class Attempt {
  /** Why it was not sent yet, for the error of its deadline. */
  waitReason: () => string = () => 'it was not sent';
  /** Sends it once more, as soon as there is a way. */
  again: () => void = () => undefined;
  /** The broker refused it, or did not answer in time; told before the result. */
  onFailing: (how: 'nacked' | 'unanswered') => void = () => undefined;
  private sent = false;
  private resent = 0;
  private done = false;
  private readonly deadline: Deadline;

  constructor(
    private readonly message: OutgoingMessage,
    private readonly limits: SendLimits,
    private readonly deadlines: Deadlines,
    private readonly onDone: (result: AttemptResult) => void,
  ) {
    this.deadline = deadlines.set(limits.timeout, () => {
      if (this.sent) this.onFailing('unanswered');
      this.fail(this.tooLate());
    });
    limits.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  readonly fail = (error: Error): void => this.finish({ error });
  readonly succeed = (): void => this.finish({ routed: true, resent: this.resent });

  /** It cannot be sent any more: with this error if it never was, else its outcome stays unknown. */
  readonly giveUp = (error: Error): void => {
    this.fail(this.resent > 0 ? this.unknown(error.message) : error);
  };

  /** Sends it now. */
  send(channel: LiveChannel, confirms: Confirms): void {
    const { exchange, routingKey, properties } = this.message;
    const id = properties.messageId ?? '';
    try {
      confirms.send(this.message, (outcome) => {
        if (outcome === 'confirmed' || outcome === 'returned')
          this.finish({ routed: outcome === 'confirmed', resent: this.resent });
        else if (outcome === 'nacked') {
          this.onFailing('nacked');
          this.giveUp(new PublishNackedError(exchange, routingKey, id));
        } else this.lost(channel);
      });
      this.sent = true;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.fail(
        channel.alive
          ? new EncodeError(`the message cannot be sent: ${text}`, '', error)
          : this.unknown(text),
      );
    }
  }

  private lost(channel: LiveChannel): void {
    void channel.closed.then((reason) => {
      if (this.done) return;
      const refusal = channelRefusal(reason);
      const toBlame = refusal !== undefined && isToBlame(refusal, this.message);
      if (toBlame && refusal.error) return this.fail(refusal.error);
      if (toBlame || !(refusal || this.mayRetry(reason))) {
        return this.fail(this.unknown(`the channel was lost (${reason})`));
      }
      this.sent = false;
      this.resent++;
      this.again();
    });
  }

  // What the broker cannot bear is sent twice at most: it takes the connection along each time.
  private mayRetry(reason: string): boolean {
    return this.limits.retryUnknown === true && (this.resent === 0 || !OWN_FAULT.test(reason));
  }

  private readonly onAbort = (): void => {
    // What was sent cannot be taken back; its outcome is still worth knowing.
    if (!this.sent && this.limits.signal) this.giveUp(abortError(this.limits.signal));
  };

  private tooLate(): Error {
    const { exchange, routingKey } = this.message;
    if (this.sent || this.resent > 0) return this.unknown(`no confirm within ${this.given} ms`);
    return new PublishTimeoutError(exchange, routingKey, this.given, this.waitReason());
  }

  private get given(): number {
    return this.limits.given ?? this.limits.timeout;
  }

  private unknown(reason: string): Error {
    const { exchange, routingKey, properties } = this.message;
    return new PublishOutcomeUnknownError(exchange, routingKey, properties.messageId ?? '', reason);
  }

  private finish(result: AttemptResult): void {
    if (this.done) return;
    this.done = true;
    this.deadlines.clear(this.deadline);
    this.limits.signal?.removeEventListener('abort', this.onAbort);
    this.onDone(result);
  }
}

/** The reason of an aborted signal; whoever aborts may give anything. */
export function abortError({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
