import { isControlQueue, type CallControl } from '../../message/call-control.js';
import type { Deadline, Deadlines } from '../../runtime/clock.js';
import { countHeader, HEADER, safeHeaders, textHeader } from '../../message/headers.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import { DecodeError } from '../../errors/errors.js';
import { RpcProtocolError } from '../../errors/rpc-errors.js';
import { type KeptReply, PendingCall, type ReplyPart, timedOut, type WhyUnsent } from './call.js';
import type { Cancellation } from './cancellation.js';
import { type StandardSchema, validate } from '../../message/schema.js';

/** What a streamed call is made from. */
export interface StreamCallOptions {
  readonly message: OutgoingMessage;
  /** The longest silence. */
  readonly timeout: number;
  readonly credit: number;
  /** What unread items may have together, decompressed. */
  readonly maxBytes: number;
  readonly cancellation: Cancellation | undefined;
  readonly deadlines: Deadlines;
  readonly read: (reply: ReceivedMessage) => KeptReply;
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
export class StreamCall extends PendingCall {
  readonly stream: ReplyStream<unknown>;
  private silence: Deadline;
  private parts = 0;

  constructor(private readonly options: StreamCallOptions) {
    const { message, credit, cancellation: leaving } = options;
    super(message);
    this.stream = new ReplyStream(
      credit,
      {
        read: (count) => this.tell({ kind: 'credit', id: this.id, count }),
        stop: () => {
          this.tell(this.cancel);
          this.end();
        },
      },
      (reason) => this.lostError(reason),
      options.maxBytes,
    );
    this.silence = this.listen();
    leaving?.listen(this.onLeft);
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

  onLost(reason: string): void {
    this.fail(this.lostError(reason));
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
    const { bytes, part: read } = this.options.read(reply);
    let part: ReplyPart;
    try {
      part = read();
    } catch (error) {
      // The server has not ended the stream, but its messages are invalid.
      if (error instanceof DecodeError) this.tell(this.cancel);
      return this.stream.fail(error as Error);
    }
    // Other programs number nothing; their one reply, or the one that says so, is the last.
    const position = { run, sequence: sequence === 0 ? this.parts + 1 : sequence };
    if (part.kind === 'value') {
      this.parts++;
      // They know nothing of credit either.
      const limit = sequence === 0 ? 2 * this.options.credit : this.options.credit;
      this.stream.push(part.value, position, bytes, limit);
    }
    if (sequence === 0 && (part.kind === 'end' || !part.more)) this.stream.end(this.parts, run);
  }

  private listen(): Deadline {
    const { deadlines, timeout, message, whyUnsent } = this.options;
    return deadlines.set(timeout, () => {
      const reason = whyUnsent(this);
      this.tell(this.cancel);
      this.fail(timedOut(message, timeout, this.id, reason));
    });
  }

  private tell(control: CallControl): void {
    if (!this.ended) this.options.tell(control, this.controlQueue);
  }

  private readonly onLeft = (): void => {
    const error = this.options.cancellation?.error({ ...this.message, correlationId: this.id });
    if (!error) return;
    this.stream.cancel(error);
    this.end();
  };

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.options.deadlines.clear(this.silence);
    this.options.cancellation?.forget(this.onLeft);
    this.options.onEnd();
  }
}

/** A call that was made, and what its items must be. */
export interface BegunStream {
  readonly stream: ReplyStream<unknown>;
  readonly schema: StandardSchema | undefined;
}

type Result = IteratorResult<unknown, undefined>;

const DONE: Result = { done: true, value: undefined };

/**
 * What `stream()` returns: an iterator that makes its call when it is first read, and lets go of it the
 * moment it is told to, also while an item is being waited for, which an async generator could not. Iterate
 * it once.
 */
export class StreamReader implements AsyncIterableIterator<unknown, undefined> {
  private begun: Promise<BegunStream> | undefined;
  private over = false;

  constructor(private readonly begin: () => Promise<BegunStream>) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Result> {
    if (this.over) return DONE;
    try {
      const { stream, schema } = await (this.begun ??= this.begin());
      const item = await stream.next();
      if (!item.done) return { done: false, value: schema ? await validate(schema, item.value) : item.value };
    } catch (error) {
      void this.return();
      throw error;
    }
    this.over = true;
    return DONE;
  }

  return(): Promise<Result> {
    this.over = true;
    // The reader of the stream got the error of a call that could not be made.
    this.begun?.then(
      ({ stream }) => stream.return(),
      () => undefined,
    );
    return Promise.resolve(DONE);
  }

  async throw(error: unknown): Promise<Result> {
    await this.return();
    throw error;
  }
}

/** What the reader does to its sender. */
export interface StreamSender {
  /** Number of items read so far: as many more may be in transit as the credit allows. */
  read(count: number): void;
  /** No more items are wanted: the reader left before the end. */
  stop(): void;
}

/** Who sent an item: a sender that starts again (after its server died) has another `run`, and counts from 1. */
export interface StreamPosition {
  readonly run: string;
  readonly sequence: number;
}

interface Reader<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: Error): void;
}

/**
 * The reading end of a streamed answer: items in order, one at a time for whoever asks, with credit for the
 * sender so that neither side holds more than was agreed. Knows nothing of channels; stream-call.ts brings
 * it what arrives. Iterate it once.
 */
export class ReplyStream<T> implements AsyncIterableIterator<T, undefined> {
  private readonly items: T[] = [];
  /** Of each, in bytes. */
  private readonly sizes: number[] = [];
  private bytes = 0;
  private readonly readers: Reader<T>[] = [];
  private ending: { readonly error?: Error } | undefined;
  private run: string | undefined;
  private last = 0;
  private consumed = 0;
  /** How many its sender knows to be read. */
  private told = 0;

  /**
   * @param lost makes the error for a stream that broke in the middle
   * @param maxBytes what unread items may have together
   */
  constructor(
    private readonly credit: number,
    private readonly sender: StreamSender,
    private readonly lost: (reason: string) => Error,
    private readonly maxBytes = Infinity,
  ) {}

  /** Why it ended, unless all items came or the reader left. */
  failure: Error | undefined;

  /** How many items came. */
  get received(): number {
    return this.last;
  }

  /** Whether nothing more can come. */
  get ended(): boolean {
    return this.ending !== undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** An item arrived. Repeated ones are ignored. `limit`: how many unread ones its sender may bring about. */
  push(item: T, { run, sequence }: StreamPosition, bytes = 0, limit = this.credit): void {
    if (this.ending || !this.follows(run)) return;
    if (sequence <= this.last) return;
    if (sequence !== this.last + 1) {
      this.breakOff(this.lost(`items ${this.last + 1} to ${sequence - 1} did not arrive`));
      return;
    }
    if (this.items.length >= limit) {
      this.breakOff(new RpcProtocolError(`a stream sent more than its credit of ${this.credit} items`));
      return;
    }
    if (this.bytes + bytes > this.maxBytes) {
      this.breakOff(new RpcProtocolError(`unread items of a stream exceed ${this.maxBytes} bytes`));
      return;
    }
    this.last = sequence;
    const reader = this.readers.shift();
    if (reader) return this.hand(reader, item);
    this.items.push(item);
    this.sizes.push(bytes);
    this.bytes += bytes;
  }

  /** The sender said that this was all, `count` items. */
  end(count: number, run: string): void {
    if (this.ending || !this.follows(run)) return;
    this.finish(
      count === this.last ? {} : { error: this.lost(`items ${this.last + 1} to ${count} did not arrive`) },
    );
  }

  /** It ends with this error, after what arrived before was read. */
  fail(error: Error): void {
    if (!this.ending) this.finish({ error });
  }

  /** Ends the stream with this error now: its reader wants no more items. */
  cancel(error: Error): void {
    if (this.ending && this.items.length === 0) return;
    const running = !this.ending;
    this.forget();
    this.finish({ error });
    if (running) this.sender.stop();
  }

  /** Says how far the reader is: what was said may have been lost, and who reads slowly is not gone. */
  remind(): void {
    if (this.ending || this.consumed === 0) return;
    this.told = this.consumed;
    this.sender.read(this.told);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      if (this.items.length > 0) this.hand(reader, this.take());
      else if (this.ending) this.tell(reader);
      else this.readers.push(reader);
    });
  }

  /** `break` of a loop comes here: the sender stops. */
  return(): Promise<IteratorResult<T, undefined>> {
    if (!this.ending) this.sender.stop();
    this.forget();
    this.finish({});
    return Promise.resolve({ done: true, value: undefined });
  }

  private take(): T {
    this.bytes -= this.sizes.shift() as number;
    return this.items.shift() as T;
  }

  private forget(): void {
    this.items.length = this.sizes.length = this.bytes = 0;
  }

  private hand(reader: Reader<T>, value: T): void {
    reader.resolve({ done: false, value });
    this.consumed++;
    // Told in halves: one message for many items, and the sender never runs dry.
    if (this.ending || this.consumed - this.told < Math.max(1, Math.floor(this.credit / 2))) return;
    this.told = this.consumed;
    this.sender.read(this.told);
  }

  // Its server died and another one restarted the stream: fine as long as no item of the first was read.
  private follows(run: string): boolean {
    if (this.run === run) return true;
    if (this.run === undefined || this.consumed === 0) {
      this.run = run;
      this.last = 0;
      this.forget();
      return true;
    }
    this.breakOff(this.lost('the server was lost, and another one restarted the stream'));
    return false;
  }

  private breakOff(error: Error): void {
    this.finish({ error });
    this.sender.stop();
  }

  private finish(ending: { readonly error?: Error }): void {
    if (!this.ending) this.failure = ending.error;
    this.ending = ending;
    for (const reader of this.readers.splice(0)) this.tell(reader);
  }

  // An error is told once; after it the stream is over.
  private tell(reader: Reader<T>): void {
    const { error } = this.ending as { readonly error?: Error };
    this.ending = {};
    if (error) reader.reject(error);
    else reader.resolve({ done: true, value: undefined });
  }
}
