// One call to many: collects the answers of all instances until as many came as were expected, or the time is over.

import type { Deadline, Deadlines } from '../model/deadlines.js';
import { HEADER, safeHeaders, textHeader } from '../model/headers.js';
import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';
import { RpcCancelledError, RpcConnectionLostError, RpcNoServerError } from '../model/rpc-errors.js';
import type { PendingCall } from './inbox.js';

/** What it is made from. */
export interface GatherCallOptions {
  readonly message: OutgoingMessage;
  readonly timeout: number;
  /** Enough answers. */
  readonly expect: number;
  readonly signal: AbortSignal | undefined;
  readonly deadlines: Deadlines;
  readonly onEnd: (
    result:
      { readonly replies: readonly ReceivedMessage[] } | { readonly error: Error; readonly left: boolean },
  ) => void;
}

/** See the top of the file. */
export class GatherCall implements PendingCall {
  readonly id: string;
  ended = false;
  private readonly deadline: Deadline;
  private readonly replies = new Map<string, ReceivedMessage>();

  constructor(private readonly options: GatherCallOptions) {
    const { message, timeout, signal, deadlines } = options;
    this.id = message.properties.correlationId as string;
    // Whoever did not answer by now is not counted; that is no error.
    this.deadline = deadlines.set(timeout, () => this.end({ replies: [...this.replies.values()] }));
    signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  get message(): OutgoingMessage {
    return this.options.message;
  }

  onReply(reply: ReceivedMessage): void {
    const instance = textHeader(safeHeaders(reply.properties.headers), HEADER.run);
    // An instance that got the request twice answers twice.
    const from = instance ?? `?${this.replies.size}`;
    if (!this.replies.has(from)) this.replies.set(from, reply);
    if (this.replies.size >= this.options.expect) this.end({ replies: [...this.replies.values()] });
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

  private readonly onAbort = (): void => {
    const { exchange, routingKey } = this.message;
    const error = new RpcCancelledError(exchange, routingKey, this.options.signal?.reason);
    this.end({ error, left: true });
  };

  private end(result: Parameters<GatherCallOptions['onEnd']>[0]): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.deadline);
    this.options.signal?.removeEventListener('abort', this.onAbort);
    this.options.onEnd(result);
  }
}
