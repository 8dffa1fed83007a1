// One streamed call under way: takes what arrives apart into items, signs of life and the end, and watches over the
// silence between them.

import type { CallControl } from '../model/calls-control.js';
import type { Deadline, Deadlines } from '../model/deadlines.js';
import { countHeader, HEADER, safeHeaders, textHeader } from '../model/headers.js';
import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';
import {
  RpcCancelledError,
  RpcConnectionLostError,
  RpcNoServerError,
  RpcRemoteError,
  RpcTimeoutError,
} from '../model/rpc-errors.js';
import type { PendingCall } from './inbox.js';
import type { ReplyPart } from './remote-error.js';
import { ReplyStream } from './reply-stream.js';

/** What a streamed call is made from. */
export interface StreamCallOptions {
  readonly message: OutgoingMessage;
  /** The longest silence. */
  readonly timeout: number;
  readonly credit: number;
  readonly signal: AbortSignal | undefined;
  readonly deadlines: Deadlines;
  readonly read: (reply: ReceivedMessage) => ReplyPart;
  /** Tells its server something, at its own queue when that is known. */
  readonly tell: (control: CallControl, controlQueue: string | undefined) => void;
  readonly onEnd: () => void;
}

/** See the top of the file. */
export class StreamCall implements PendingCall {
  readonly id: string;
  readonly stream: ReplyStream<unknown>;
  ended = false;
  private controlQueue: string | undefined;
  private silence: Deadline;
  private parts = 0;

  constructor(private readonly options: StreamCallOptions) {
    const { message, credit, signal } = options;
    this.id = message.properties.correlationId as string;
    this.stream = new ReplyStream(
      credit,
      {
        grant: (count) => this.tell({ kind: 'credit', id: this.id, count }),
        stop: () => {
          this.tell({ kind: 'cancel', id: this.id });
          this.end();
        },
      },
      (reason) => this.lost(reason),
    );
    this.silence = this.listen();
    signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  get message(): OutgoingMessage {
    return this.options.message;
  }

  onReply(reply: ReceivedMessage): void {
    this.options.deadlines.clear(this.silence);
    if (this.ended) return;
    this.silence = this.listen();
    const headers = safeHeaders(reply.properties.headers);
    this.controlQueue = textHeader(headers, HEADER.control) ?? this.controlQueue;
    const run = textHeader(headers, HEADER.run) ?? '';
    if (headers[HEADER.alive] !== undefined) return;
    if (headers[HEADER.end] !== undefined) this.stream.end(countHeader(headers, HEADER.end), run);
    else this.take(reply, run, countHeader(headers, HEADER.sequence));
    if (this.stream.ended) this.end();
  }

  onReturned(): void {
    this.fail(new RpcNoServerError(this.message.exchange, this.message.routingKey));
  }

  onLost(reason: string): void {
    this.fail(this.lost(reason));
  }

  fail(error: Error): void {
    this.stream.fail(error);
    this.end();
  }

  private take(reply: ReceivedMessage, run: string, sequence: number): void {
    let part: ReplyPart;
    try {
      part = this.options.read(reply);
    } catch (error) {
      if (!(error instanceof RpcRemoteError)) this.tell({ kind: 'cancel', id: this.id });
      return this.stream.fail(error as Error);
    }
    // Other programs number nothing; their one reply, or the one that says so, is the last.
    const position = { run, sequence: sequence === 0 ? this.parts + 1 : sequence };
    if (part.kind === 'value') {
      this.parts++;
      this.stream.push(part.value, position);
    }
    if (sequence === 0 && (part.kind === 'end' || !part.more)) this.stream.end(this.parts, run);
  }

  private listen(): Deadline {
    const { deadlines, timeout, message } = this.options;
    return deadlines.set(timeout, () => {
      this.tell({ kind: 'cancel', id: this.id });
      this.fail(new RpcTimeoutError(message.exchange, message.routingKey, timeout, this.id));
    });
  }

  private tell(control: CallControl): void {
    if (!this.ended) this.options.tell(control, this.controlQueue);
  }

  private lost(reason: string): Error {
    return new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason));
  }

  private readonly onAbort = (): void => {
    const { exchange, routingKey } = this.message;
    this.stream.cancel(new RpcCancelledError(exchange, routingKey, this.options.signal?.reason));
    this.end();
  };

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.silence);
    this.options.signal?.removeEventListener('abort', this.onAbort);
    this.options.onEnd();
  }
}
