// One call under way: its deadline, its signal, and its one end. A reply, a return, a time-out, an abort
// and a lost channel may all come; the first counts.

import type { Deadline, Deadlines } from '../model/deadlines.js';
import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';
import { RpcConnectionLostError, RpcNoServerError, RpcTimeoutError } from '../model/rpc-errors.js';
import type { PendingCall } from './inbox.js';
import type { Leaving } from './leaving.js';

/** How a call ended. `left`: its server may still be at work for nobody. */
export type CallResult =
  { readonly reply: ReceivedMessage } | { readonly error: Error; readonly left: boolean };

/** What a call is made from. */
export interface CallOptions {
  readonly message: OutgoingMessage;
  readonly timeout: number;
  readonly leaving: Leaving;
  readonly deadlines: Deadlines;
  /** Whether more replies follow this one; then the last one counts. Default: the first is the last. */
  readonly isPart?: (reply: ReceivedMessage) => boolean;
  /** The connection was lost: true when the call is sent again. */
  readonly resend?: (call: Call) => boolean;
  readonly onEnd: (result: CallResult) => void;
}

/** See the top of the file. */
export class Call implements PendingCall {
  readonly id: string;
  ended = false;
  private readonly deadline: Deadline;

  constructor(private readonly options: CallOptions) {
    const { message, timeout, leaving, deadlines } = options;
    this.id = message.properties.correlationId as string;
    this.deadline = deadlines.set(timeout, () => {
      this.leave(new RpcTimeoutError(message.exchange, message.routingKey, timeout, this.id));
    });
    leaving.listen(this.onLeft);
  }

  get message(): OutgoingMessage {
    return this.options.message;
  }

  onReply(reply: ReceivedMessage): void {
    if (!this.options.isPart?.(reply)) this.end({ reply });
  }

  onReturned(): void {
    this.fail(new RpcNoServerError(this.message.exchange, this.message.routingKey));
  }

  onLost(reason: string): void {
    if (this.options.resend?.(this)) return;
    this.fail(new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason)));
  }

  fail(error: Error): void {
    this.end({ error, left: false });
  }

  private leave(error: Error | undefined): void {
    if (error) this.end({ error, left: true });
  }

  private readonly onLeft = (): void => {
    this.leave(this.options.leaving.error({ ...this.message, correlationId: this.id }));
  };

  private end(result: CallResult): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.deadline);
    this.options.leaving.forget(this.onLeft);
    this.options.onEnd(result);
  }
}
