import { PublishOutcomeUnknownError } from '../../errors/publish-errors.js';
import type { OutgoingMessage } from '../../message/message.js';
import type { ReplySender, ReplyWaiter } from '../../message/forwarder.js';
import { ownTimeout, type SendResult } from '../../publish/pending-send.js';
import { unroutable } from '../../publish/pending-publish.js';
import { Sender, type SenderOptions } from '../../publish/sender.js';

/**
 * Answers to remote callers, on a connection of their own. Who asks says where the answer goes, and RabbitMQ
 * closes the connection that publishes to some addresses, however well they are made. So the loss of this
 * connection costs nothing but time: answers that were on their way are sent again, and what killed it is
 * found out and given up.
 */
export class ReplyPublisher implements ReplySender {
  private readonly sender: Sender;
  /** The last suspect has been tried. */
  private line: Promise<unknown> = Promise.resolve();
  private suspects = 0;

  constructor(private readonly options: SenderOptions) {
    this.sender = new Sender(options);
  }

  send(message: OutgoingMessage): Promise<void> {
    return new Promise((resolve, reject) => this.begin(message, { onArrived: resolve, onLost: reject }));
  }

  begin(message: OutgoingMessage, waiter: ReplyWaiter): void {
    const { clock, settings } = this.options;
    const { retryNacked } = settings.publish;
    const timeout = ownTimeout(settings);
    const end = clock.monotonic() + timeout;
    const result = new FirstAttempt(message, waiter, () => this.alone(message, end));
    // Beside a suspect, an innocent answer would be lost a second time.
    if (this.suspects === 0) this.sender.send(message, { timeout, given: timeout, retryNacked }, result);
    else void this.afterSuspects().then(() => this.attempt(message, end, result));
  }

  /** The broker takes messages again. */
  flush(): void {
    this.sender.flush();
  }

  /** See Sender.close. */
  close(expired: Promise<void>): Promise<void> {
    return this.sender.close(expired);
  }

  private attempt(message: OutgoingMessage, end: number, result: SendResult): void {
    const { clock, settings } = this.options;
    const timeout = Math.max(0, end - clock.monotonic());
    const { retryNacked } = settings.publish;
    this.sender.send(message, { timeout, given: ownTimeout(settings), retryNacked }, result);
  }

  private async afterSuspects(): Promise<void> {
    while (this.suspects > 0) await this.line;
  }

  // One after the other: the one whose address is the reason takes only itself along the next time.
  private alone(message: OutgoingMessage, end: number): Promise<void> {
    this.options.counters.resent++;
    this.suspects++;
    const tried = this.line.then(
      () =>
        new Promise<void>((resolve, reject) => {
          const onSent = (routed: boolean): void => (routed ? resolve() : reject(unroutable(message)));
          this.attempt(message, end, { onSent, onFailed: reject });
        }),
    );
    const sent = tried.finally(() => this.suspects--);
    this.line = sent.catch(() => undefined);
    return sent;
  }
}

class FirstAttempt implements SendResult {
  constructor(
    private readonly message: OutgoingMessage,
    private readonly waiter: ReplyWaiter,
    private readonly again: () => Promise<void>,
  ) {}

  onSent(routed: boolean): void {
    if (routed) this.waiter.onArrived();
    else this.waiter.onLost(unroutable(this.message));
  }

  onFailed(error: Error): void {
    const { waiter } = this;
    // A second answer is ignored by its caller, so one that may have been lost is sent again.
    if (error instanceof PublishOutcomeUnknownError) {
      this.again().then(
        () => waiter.onArrived(),
        (lost: Error) => waiter.onLost(lost),
      );
    } else {
      waiter.onLost(error);
    }
  }
}
