// Where publishes wait while the broker is away, blocked, or slower than this process. Bounded in
// messages and bytes; who does not fit is told at once, who waits too long is told then.

import { WaitingRoomFullError } from '../model/publish-errors.js';

/** Someone who waits. */
export interface Waiting {
  readonly bytes: number;
  /** Called when it is its turn. */
  go(): void;
  /** Set when it gave up in the meantime. */
  gone: boolean;
  /** Whether it waits for its turn, or only keeps a place. */
  queued?: boolean;
}

/** First come, first served. */
export class WaitingRoom {
  private queue: Waiting[] = [];
  /** Who waits a second time. */
  private readonly returned: Waiting[] = [];
  private head = 0;
  private heldBytes = 0;
  private held = 0;
  private inQueue = 0;

  /** `onFull` is called when somebody does not fit. */
  constructor(
    readonly limit: { readonly messages: number; readonly bytes: number },
    private readonly onFull: () => void = () => undefined,
  ) {}

  /** How many wait. */
  get size(): number {
    return this.held;
  }

  /** Bytes of those who wait. */
  get bytes(): number {
    return this.heldBytes;
  }

  /** How many of them wait for their turn. */
  get queued(): number {
    return this.inQueue;
  }

  /** Waits for its turn, before all who never had one if `again`. @throws WaitingRoomFullError */
  enter(waiting: Waiting, again = false): void {
    this.take(waiting);
    waiting.queued = true;
    this.inQueue++;
    (again ? this.returned : this.queue).push(waiting);
  }

  /** Takes a place without a turn, for something that waits for another thing. @throws WaitingRoomFullError */
  take(waiting: Waiting): void {
    const { messages, bytes } = this.limit;
    const lacking =
      this.held >= messages
        ? `${messages} messages`
        : this.heldBytes + waiting.bytes > bytes
          ? `${bytes} bytes`
          : undefined;
    if (lacking !== undefined) {
      this.onFull();
      throw new WaitingRoomFullError(lacking);
    }
    waiting.gone = false;
    this.held++;
    this.heldBytes += waiting.bytes;
  }

  /** Gives up a place. */
  leave(waiting: Waiting): void {
    if (waiting.gone) return;
    waiting.gone = true;
    this.held--;
    this.heldBytes -= waiting.bytes;
    if (!waiting.queued) return;
    this.inQueue--;
    // In a long outage those who gave up must not stay in memory until the broker is back.
    if (this.queue.length - this.head > 2 * this.inQueue + 1_000) this.tidy();
  }

  /** Lets them go in order for as long as `open` says so. */
  release(open: () => boolean): void {
    while (open()) {
      const waiting = this.returned.shift() ?? this.queue[this.head++];
      if (!waiting) break;
      if (waiting.gone) continue;
      waiting.queued = false;
      this.inQueue--;
      this.leave(waiting);
      waiting.go();
    }
    this.head = Math.min(this.head, this.queue.length);
    // Shortening the list for every message would cost more than sending it.
    if (this.head === this.queue.length || this.head > 1_000) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
  }

  private tidy(): void {
    this.queue = this.queue.slice(this.head).filter((waiting) => !waiting.gone);
    this.head = 0;
  }
}
