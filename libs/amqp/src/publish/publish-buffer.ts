// Where publishes wait while the broker is unreachable, blocked, or slower than this process. Bounded in messages and
// bytes: what does not fit is refused at once, what waits too long ends with its own timeout.

import { PublishBufferFullError } from '../errors/publish-errors.js';

/** A message or a call that waits. */
export interface Waiting {
  readonly bytes: number;
  /** Set when it gave up in the meantime. */
  gone: boolean;
  /** Whether it waits for its turn, or only keeps a place. */
  queued?: boolean;
}

/** First come, first served. */
export class PublishBuffer<One extends Waiting> {
  private readonly queue = new Line<One>();
  /** Who waits a second time. */
  private readonly returned = new Line<One>();
  /** Who has just come back: before all others, as they were sent before them. */
  private back: One[] = [];
  private heldBytes = 0;
  private held = 0;
  /** How many of them wait for their turn. */
  queued = 0;

  /** `onFull` is called when a message does not fit; `full` makes the error. */
  constructor(
    readonly limit: { readonly messages: number; readonly bytes: number },
    private readonly onFull: () => void = () => undefined,
    private readonly full: (limit: string) => Error = (limit) => new PublishBufferFullError(limit),
  ) {}

  /** How many wait. */
  get size(): number {
    return this.held;
  }

  /** Bytes of those who wait. */
  get bytes(): number {
    return this.heldBytes;
  }

  /** Whether so many more find a place. True for one that never does: it is refused when it comes. */
  fits(messages: number, bytes: number): boolean {
    const { limit } = this;
    if (this.held === 0 && messages === 1) return true;
    return this.held + messages <= limit.messages && this.heldBytes + bytes <= limit.bytes;
  }

  /** Waits for its turn, before all who never had one if `again`. @throws the error of `full` */
  enter(waiting: One, again = false): void {
    this.take(waiting);
    waiting.queued = true;
    this.queued++;
    if (again) this.back.push(waiting);
    else this.queue.push(waiting);
  }

  /** Takes a place without a turn, for something that waits for another thing. @throws the error of `full` */
  take(waiting: One): void {
    const { messages, bytes } = this.limit;
    const lacking =
      this.held >= messages
        ? `${messages} messages`
        : this.heldBytes + waiting.bytes > bytes
          ? `${bytes} bytes`
          : undefined;
    if (lacking !== undefined) {
      this.onFull();
      throw this.full(lacking);
    }
    waiting.gone = false;
    this.held++;
    this.heldBytes += waiting.bytes;
  }

  /** Gives up a place. */
  leave(waiting: One): void {
    if (waiting.gone) return;
    waiting.gone = true;
    this.held--;
    this.heldBytes -= waiting.bytes;
    if (!waiting.queued) return;
    this.queued--;
    // In a long outage those who gave up must not stay in memory until the broker is back.
    const many = 2 * this.queued + 1_000;
    if (this.queue.size > many) this.queue.tidy();
    if (this.returned.size > many) this.returned.tidy();
    if (this.back.length > many) this.back = this.back.filter((one) => !one.gone);
  }

  /** Lets them go in order, each with `go`, for as long as `open` says so. */
  release(open: () => boolean, go: (waiting: One) => void): void {
    if (this.back.length > 0) {
      this.returned.putFirst(this.back);
      this.back = [];
    }
    while (open()) {
      const waiting = this.returned.shift() ?? this.queue.shift();
      if (!waiting) break;
      if (waiting.gone) continue;
      waiting.queued = false;
      this.queued--;
      this.leave(waiting);
      go(waiting);
    }
  }
}

/** First in, first out, in a time that does not grow with the number. */
class Line<One extends Waiting> {
  private list: One[] = [];
  private head = 0;

  get size(): number {
    return this.list.length - this.head;
  }

  push(waiting: One): void {
    this.list.push(waiting);
  }

  putFirst(waiting: readonly One[]): void {
    this.list = [...waiting, ...this.list.slice(this.head)];
    this.head = 0;
  }

  shift(): One | undefined {
    const waiting = this.list[this.head];
    if (waiting) this.head++;
    // Shortening the list for every message would cost more than sending it.
    if (this.head === this.list.length) {
      if (this.head > 0) [this.list, this.head] = [[], 0];
    } else if (this.head > 1_000 && this.head * 2 > this.list.length) {
      this.list = this.list.slice(this.head);
      this.head = 0;
    }
    return waiting;
  }

  /** Without those who gave up. */
  tidy(): void {
    this.list = this.list.slice(this.head).filter((waiting) => !waiting.gone);
    this.head = 0;
  }
}
