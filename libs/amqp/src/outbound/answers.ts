// Answers to remote callers, on a connection of their own. Who asks says where the answer goes, and RabbitMQ closes the
// connection that publishes to some addresses, however well they are made. So the loss of this connection costs
// nothing but time: answers that were on their way are sent again, and what killed it is found out and given up.

import { PublishOutcomeUnknownError, UnroutableError } from '../model/publish-errors.js';
import type { OutgoingMessage } from '../model/message.js';
import type { Sent } from './attempt.js';
import { Sender, type SenderOptions } from './sender.js';

/** See the top of the file. */
export class Answers {
  private readonly sender: Sender;
  /** The last suspect has been tried. */
  private line: Promise<unknown> = Promise.resolve();
  private suspects = 0;

  constructor(private readonly options: SenderOptions) {
    this.sender = new Sender(options);
  }

  /** Resolves when the caller's queue has it. @throws UnroutableError when the caller is gone */
  send(message: OutgoingMessage): Promise<void> {
    const { clock, settings } = this.options;
    const end = clock.now() + settings.publish.timeout;
    // Beside a suspect, an innocent answer would be lost a second time.
    const sending = this.suspects > 0 ? this.afterSuspects(message, end) : this.attempt(message, end);
    return sending.then(
      (sent) => delivered(message, sent),
      async (error: unknown) => {
        // A second answer is ignored by its caller, so one that may have been lost is sent again.
        if (!(error instanceof PublishOutcomeUnknownError)) throw error;
        delivered(message, await this.alone(() => this.attempt(message, end)));
      },
    );
  }

  private async afterSuspects(message: OutgoingMessage, end: number): Promise<Sent> {
    while (this.suspects > 0) await this.line;
    return this.attempt(message, end);
  }

  private attempt(message: OutgoingMessage, end: number): Promise<Sent> {
    const { clock, settings } = this.options;
    const timeout = Math.max(0, end - clock.now());
    return this.sender.send(message, { timeout, given: settings.publish.timeout });
  }

  /** The broker takes messages again. */
  flush(): void {
    this.sender.flush();
  }

  /** See Sender.close. */
  close(expired: Promise<void>): Promise<void> {
    return this.sender.close(expired);
  }

  // One after the other: the one whose address is the reason takes only itself along the next time.
  private alone(attempt: () => Promise<Sent>): Promise<Sent> {
    this.options.counters.resent++;
    this.suspects++;
    const sent = this.line.then(attempt).finally(() => this.suspects--);
    this.line = sent.catch(() => undefined);
    return sent;
  }
}

function delivered({ exchange, routingKey, properties }: OutgoingMessage, { routed }: Sent): void {
  if (!routed) throw new UnroutableError(exchange, routingKey, properties.messageId ?? '');
}
