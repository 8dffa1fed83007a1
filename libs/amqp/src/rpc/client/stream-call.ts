import { isControlQueue, type CallControl } from '../../message/call-control.js';
import type { Deadline, Deadlines } from '../../runtime/deadlines.js';
import { countHeader, HEADER, safeHeaders, textHeader } from '../../message/headers.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import { DecodeError } from '../../errors/errors.js';
import { RpcConnectionLostError, RpcNoServerError } from '../../errors/rpc-errors.js';
import { timedOut, type PendingCall, type WhyUnsent } from './pending-calls.js';
import type { Cancellation } from './cancellation.js';
import type { ReplyPart } from './decode-reply.js';
import { ReplyStream } from './stream.js';

/** What a streamed call is made from. */
export interface StreamCallOptions {
  readonly message: OutgoingMessage;
  /** The longest silence. */
  readonly timeout: number;
  readonly credit: number;
  /** What unread items may have together. */
  readonly maxBytes: number;
  readonly cancellation: Cancellation;
  readonly deadlines: Deadlines;
  readonly read: (reply: ReceivedMessage) => ReplyPart;
  /** Tells its server something, at its own queue when that is known. */
  readonly tell: (control: CallControl, controlQueue: string | undefined) => void;
  /** Why the request has not left; undefined when it has. */
  readonly whyUnsent: WhyUnsent;
  readonly onEnd: () => void;
}

/**
 * One streamed call under way: takes what arrives apart into items, signs of life and the end, and watches
 * over the silence between them.
 */
export class StreamCall implements PendingCall {
  readonly id: string;
  readonly stream: ReplyStream<unknown>;
  ended = false;
  /** Where its server listens, once that is known. */
  controlQueue: string | undefined;
  private silence: Deadline;
  private parts = 0;

  constructor(private readonly options: StreamCallOptions) {
    const { message, credit, cancellation: leaving } = options;
    this.id = message.properties.correlationId as string;
    this.stream = new ReplyStream(
      credit,
      {
        read: (count) => this.tell({ kind: 'credit', id: this.id, count }),
        stop: () => {
          this.tell({ kind: 'cancel', id: this.id });
          this.end();
        },
      },
      (reason) => this.lost(reason),
      options.maxBytes,
    );
    this.silence = this.listen();
    leaving.listen(this.onLeft);
  }

  get message(): OutgoingMessage {
    return this.options.message;
  }

  onReply(reply: ReceivedMessage): void {
    this.options.deadlines.clear(this.silence);
    if (this.ended) return;
    this.silence = this.listen();
    const headers = safeHeaders(reply.properties.headers);
    const run = textHeader(headers, HEADER.run) ?? '';
    this.meet(textHeader(headers, HEADER.control), headers[HEADER.alive] !== undefined);
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

  /** Where the server listens. What was said to its former queue may be lost, and a silence may come from that. */
  private meet(controlQueue: string | undefined, silent: boolean): void {
    if (!isControlQueue(controlQueue)) return;
    const isNew = this.controlQueue !== controlQueue;
    this.controlQueue = controlQueue;
    if (isNew || silent) this.stream.remind();
  }

  private take(reply: ReceivedMessage, run: string, sequence: number): void {
    let part: ReplyPart;
    try {
      part = this.options.read(reply);
    } catch (error) {
      // Its server has not ended, but nobody here understands what it says.
      if (error instanceof DecodeError) this.tell({ kind: 'cancel', id: this.id });
      return this.stream.fail(error as Error);
    }
    // Other programs number nothing; their one reply, or the one that says so, is the last.
    const position = { run, sequence: sequence === 0 ? this.parts + 1 : sequence };
    if (part.kind === 'value') {
      this.parts++;
      // They know nothing of credit either.
      const limit = sequence === 0 ? 2 * this.options.credit : this.options.credit;
      this.stream.push(part.value, position, reply.content.length, limit);
    }
    if (sequence === 0 && (part.kind === 'end' || !part.more)) this.stream.end(this.parts, run);
  }

  private listen(): Deadline {
    const { deadlines, timeout, message, whyUnsent } = this.options;
    return deadlines.set(timeout, () => {
      const reason = whyUnsent(this.id);
      this.tell({ kind: 'cancel', id: this.id });
      this.fail(timedOut(message, timeout, this.id, reason));
    });
  }

  private tell(control: CallControl): void {
    if (!this.ended) this.options.tell(control, this.controlQueue);
  }

  private lost(reason: string): Error {
    return new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason));
  }

  private readonly onLeft = (): void => {
    const error = this.options.cancellation.error({ ...this.message, correlationId: this.id });
    if (!error) return;
    this.stream.cancel(error);
    this.end();
  };

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.silence);
    this.options.cancellation.forget(this.onLeft);
    this.options.onEnd();
  }
}
