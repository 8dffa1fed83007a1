// A call to many: the replies of all instances that listen.

import { RpcProtocolError } from '../../errors/rpc-errors.js';
import { HEADER, safeHeaders, textHeader } from '../../message/headers.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import type { Deadline, Deadlines } from '../../runtime/clock.js';
import { type KeptReply, PendingCall, timedOut, type WhyUnsent } from './call.js';
import type { Cancellation } from './cancellation.js';

/** What it is made from. */
export interface GatherCallOptions {
  readonly message: OutgoingMessage;
  readonly timeout: number;
  /** Enough answers. */
  readonly expect: number;
  /** What all answers together may have, decompressed. */
  readonly maxBytes: number;
  readonly keep: (reply: ReceivedMessage) => KeptReply;
  readonly cancellation: Cancellation | undefined;
  readonly deadlines: Deadlines;
  /** Why the request has not left; undefined when it has. */
  readonly whyUnsent: WhyUnsent;
  readonly onEnd: (result: GatherResult) => void;
}

/** How it ended. `left`: servers may still be running it in vain. */
export type GatherResult = { readonly left: boolean } & (
  { readonly replies: readonly KeptReply[] } | { readonly error: Error }
);

/** More instances than any service has: a server that replies so often is faulty. */
const REPLIES_LIMIT = 10_000;

/**
 * One call to many: collects the answers of all instances until as many came as were expected, or the time
 * is over.
 */
export class GatherCall extends PendingCall {
  private readonly deadline: Deadline;
  private readonly replies = new Map<string, KeptReply>();
  private size = 0;

  constructor(private readonly options: GatherCallOptions) {
    const { message, timeout, cancellation: leaving, deadlines } = options;
    super(message);
    // Instances that did not reply by now are not counted; that is not an error.
    this.deadline = deadlines.set(timeout, () => {
      const unsent = options.whyUnsent(this);
      if (unsent === undefined) this.answered(false);
      else this.fail(timedOut(message, timeout, this.id, unsent));
    });
    leaving?.listen(this.onLeft);
  }

  onReply(reply: ReceivedMessage): void {
    const instance = textHeader(safeHeaders(reply.properties.headers), HEADER.run);
    // An instance that got the request twice answers twice.
    const from = instance ?? `?${this.replies.size}`;
    if (!this.replies.has(from)) {
      const kept = this.options.keep(reply);
      this.replies.set(from, kept);
      this.size += kept.bytes;
    }
    const { maxBytes } = this.options;
    if (this.size > maxBytes) {
      const error = new RpcProtocolError(`the gathered replies have more than ${maxBytes} bytes`);
      return this.end({ error, left: true });
    }
    if (this.replies.size >= Math.min(this.options.expect, REPLIES_LIMIT)) this.answered(true);
  }

  onLost(reason: string): void {
    this.fail(this.lostError(reason));
  }

  fail(error: Error): void {
    this.end({ error, left: false });
  }

  private answered(left: boolean): void {
    this.end({ replies: [...this.replies.values()], left });
  }

  private readonly onLeft = (): void => {
    const error = this.options.cancellation?.error({ ...this.message, correlationId: this.id });
    if (error) this.end({ error, left: true });
  };

  private end(result: GatherResult): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.deadline);
    this.options.cancellation?.forget(this.onLeft);
    this.options.onEnd(result);
  }
}
