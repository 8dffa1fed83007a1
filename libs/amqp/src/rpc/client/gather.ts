import type { Deadline, Deadlines } from '../../runtime/deadlines.js';
import { HEADER, safeHeaders, textHeader } from '../../message/headers.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import { RpcConnectionLostError, RpcNoServerError, RpcProtocolError } from '../../errors/rpc-errors.js';
import { timedOut, type PendingCall, type WhyUnsent } from './pending-calls.js';
import type { Cancellation } from './cancellation.js';

/** What it is made from. */
export interface GatherCallOptions {
  readonly message: OutgoingMessage;
  readonly timeout: number;
  /** Enough answers. */
  readonly expect: number;
  /** What all answers together may have. */
  readonly maxBytes: number;
  readonly cancellation: Cancellation;
  readonly deadlines: Deadlines;
  /** Why the request has not left; undefined when it has. */
  readonly whyUnsent: WhyUnsent;
  readonly onEnd: (result: GatherResult) => void;
}

/** How it ended. `left`: servers may still be at work for nobody. */
export type GatherResult = { readonly left: boolean } & (
  { readonly replies: readonly ReceivedMessage[] } | { readonly error: Error }
);

/** More instances than anybody has: whoever answers so often is none. */
const REPLIES_LIMIT = 10_000;

/**
 * One call to many: collects the answers of all instances until as many came as were expected, or the time
 * is over.
 */
export class GatherCall implements PendingCall {
  readonly id: string;
  ended = false;
  private readonly deadline: Deadline;
  private readonly replies = new Map<string, ReceivedMessage>();
  private bytes = 0;

  constructor(private readonly options: GatherCallOptions) {
    const { message, timeout, cancellation: leaving, deadlines } = options;
    this.id = message.properties.correlationId as string;
    // Whoever did not answer by now is not counted; that is no error. Its time was over as well.
    this.deadline = deadlines.set(timeout, () => {
      const unsent = options.whyUnsent(this.id);
      if (unsent === undefined) this.answered(false);
      else this.fail(timedOut(message, timeout, this.id, unsent));
    });
    leaving.listen(this.onLeft);
  }

  get message(): OutgoingMessage {
    return this.options.message;
  }

  onReply(reply: ReceivedMessage): void {
    const instance = textHeader(safeHeaders(reply.properties.headers), HEADER.run);
    // An instance that got the request twice answers twice.
    const from = instance ?? `?${this.replies.size}`;
    if (!this.replies.has(from)) {
      this.replies.set(from, reply);
      this.bytes += reply.content.length;
    }
    const { maxBytes } = this.options;
    if (this.bytes > maxBytes) {
      const error = new RpcProtocolError(`the gathered answers have more than ${maxBytes} bytes`);
      return this.end({ error, left: true });
    }
    if (this.replies.size >= Math.min(this.options.expect, REPLIES_LIMIT)) this.answered(true);
  }

  onReturned(): void {
    this.fail(new RpcNoServerError(this.message.exchange, this.message.routingKey));
  }

  onLost(reason: string): void {
    this.fail(new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason)));
  }

  fail(error: Error): void {
    this.end({ error, left: false });
  }

  private answered(left: boolean): void {
    this.end({ replies: [...this.replies.values()], left });
  }

  private readonly onLeft = (): void => {
    const error = this.options.cancellation.error({ ...this.message, correlationId: this.id });
    if (error) this.end({ error, left: true });
  };

  private end(result: GatherResult): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.deadline);
    this.options.cancellation.forget(this.onLeft);
    this.options.onEnd(result);
  }
}
