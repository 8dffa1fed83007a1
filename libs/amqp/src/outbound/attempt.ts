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
}

/** What a send came to: a queue has the message, none wanted it, or an error. */
export type AttemptResult = { readonly routed: boolean } | { readonly error: Error };

/** See the top of the file. */
export class Attempt {
  /** Why it was not sent yet, for the error of its deadline. */
  waitReason: () => string = () => 'it was not sent';
  /** Sends it once more, when the channel was closed because of another one. */
  again: () => void = () => undefined;
  private sent = false;
  private inDoubt = false;
  private done = false;
  private readonly deadline: Deadline;

  constructor(
    private readonly message: OutgoingMessage,
    private readonly limits: SendLimits,
    private readonly deadlines: Deadlines,
    private readonly onDone: (result: AttemptResult) => void,
  ) {
    this.deadline = deadlines.set(limits.timeout, () => this.fail(this.tooLate()));
    limits.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  readonly fail = (error: Error): void => this.finish({ error });
  readonly succeed = (): void => this.finish({ routed: true });

  /** Sends it now. */
  send(channel: LiveChannel, confirms: Confirms): void {
    const { exchange, routingKey, properties } = this.message;
    const id = properties.messageId ?? '';
    try {
      confirms.send(this.message, (outcome) => {
        if (outcome === 'confirmed' || outcome === 'returned')
          this.finish({ routed: outcome === 'confirmed' });
        else if (outcome === 'nacked') this.fail(new PublishNackedError(exchange, routingKey, id));
        else this.lost(channel);
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
      if (!refusal || toBlame) return this.fail(this.unknown(`the channel was lost (${reason})`));
      this.sent = false;
      this.inDoubt = true;
      this.again();
    });
  }

  private readonly onAbort = (): void => {
    // What was sent cannot be taken back; its outcome is still worth knowing.
    if (!this.sent && this.limits.signal) this.fail(abortError(this.limits.signal));
  };

  private tooLate(): Error {
    const { exchange, routingKey } = this.message;
    if (this.sent || this.inDoubt) return this.unknown(`no confirm within ${this.given} ms`);
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
