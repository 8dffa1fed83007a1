import type { Clock } from '../runtime/clock.js';
import { HEADER } from '../message/headers.js';
import type { ReceivedMessage } from '../message/message.js';

/** Messages that are held at once; the broker keeps the others. */
export const HELD_MOST = 64;

/** After it held as many as it may, the next ones may have waited for a place; this long later none does, in ms. */
const SETTLED = 1_000;

/** What was given back is taken again this long before it is due, in ms. */
const BEFORE = 10_000;

/** While others of its channel are being moved, giving back waits, and looks again after this time, in ms. */
const LOOK_AGAIN = 1_000;

/** A channel, as far as it settles. */
export interface Acking {
  readonly alive: boolean;
  ack(deliveryTag: number): boolean;
  /** Resolves when the broker has taken all acks up to now. */
  acksAnswered(): Promise<void>;
}

/** What the consumer of a wait queue tells. */
export interface WaitConsumerEvents {
  /** Messages come from now on; so many were there before. */
  onOpen(backlog: number): void;
  onMessage(message: ReceivedMessage, channel: Acking): void;
  /** The broker has back what came on that channel; another one comes. */
  onLost(channel: Acking): void;
}

/** Consumes a wait queue, on a channel of its own. */
export interface WaitConsumer {
  start(): void;
  /** Hands back what is not acked, and takes it again. */
  renew(): void;
  /** Hands back what is not acked. */
  close(): Promise<void>;
}

/** A message that is held. Times are of the monotonic clock. */
export interface Held {
  readonly message: ReceivedMessage;
  /** When its wait is over. */
  readonly due: number;
  /** How long its wait had been over when it came, in ms. */
  readonly lateBy: number;
  /** Whether it is still this process that has it. */
  readonly alive: boolean;
  /** It has been moved. */
  done(): void;
  /** Resolves when the broker has taken the ack that `done` wrote. */
  readonly taken: () => Promise<void>;
}

/** What a holder is made from. */
export interface WaitHolderOptions {
  /** The wait, in ms. */
  readonly step: number;
  /** Nothing is held longer than about this, in ms. */
  readonly holdMost: number;
  readonly clock: Clock;
  readonly consumer: (events: WaitConsumerEvents) => WaitConsumer;
  /** Calls `done` when it is where it belongs. */
  readonly move: (held: Held) => void;
}

class HeldMessage implements Held {
  moving = false;
  readonly taken: () => Promise<void>;

  constructor(
    readonly message: ReceivedMessage,
    readonly due: number,
    readonly lateBy: number,
    readonly takenAt: number,
    readonly channel: Acking,
    private readonly onDone: (held: HeldMessage) => void,
  ) {
    this.taken = acksAnswered(channel);
  }

  get alive(): boolean {
    return this.channel.alive;
  }

  done(): void {
    this.onDone(this);
  }
}

/** Keeps the channel alone, not the message. */
const acksAnswered = (channel: Acking) => (): Promise<void> => channel.acksAnswered();

/**
 * Holds what waits in one queue until it is due, then hands it out to be moved. The wait is counted from the
 * arrival of a message that came straight from its publish; for one that waited before, the time of day in
 * its header counts. Nothing is held longer than the broker allows: it goes back with its channel, which
 * keeps the order, and is taken again in time. All messages of a queue wait equally long, so what comes
 * later is due later.
 */
export class WaitHolder implements WaitConsumerEvents {
  /** Messages that came, ever. */
  taken = 0;
  /** When the last one came. */
  takenAt = -Infinity;
  private consumer: WaitConsumer | undefined;
  private held: HeldMessage[] = [];
  /** How many of those that come now had waited before. */
  private old = 0;
  private fullAt = -Infinity;
  /** When what was given back is due. */
  private readonly known = new Map<string, number>();
  /** The next one of what was given back, while nothing is held. */
  private awayUntil: number | undefined;
  private cancel: (() => void) | undefined;
  private ticking = false;
  private closed = false;

  constructor(private readonly options: WaitHolderOptions) {}

  /** Begins to take messages. */
  start(): void {
    if (this.closed) return;
    this.awayUntil = undefined;
    this.consumer = this.options.consumer(this);
    this.consumer.start();
  }

  /** How many are held. */
  get size(): number {
    return this.held.length;
  }

  /** Whether the broker would send another one now, if it had one. */
  get hungry(): boolean {
    return this.consumer !== undefined && this.held.length < HELD_MOST;
  }

  /** When the next one is due, as far as this process knows. */
  get nextDue(): number | undefined {
    if (this.held.length === 0) return this.awayUntil;
    return Math.min(...this.held.map(({ due }) => due));
  }

  /** Gives back what it holds, and takes it again. */
  renew(): void {
    this.consumer?.renew();
  }

  /** Gives back what it holds, for good. Always settles. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancel?.();
    await this.consumer?.close();
    this.held = [];
  }

  onOpen(backlog: number): void {
    this.old = backlog;
  }

  onMessage(message: ReceivedMessage, channel: Acking): void {
    if (this.closed || !channel.alive) return;
    const now = this.options.clock.monotonic();
    const { due, lateBy } = this.dueOf(message, now);
    this.taken++;
    this.takenAt = now;
    if (this.old > 0) this.old--;
    // A small body must not keep alive the whole packet it came in.
    const own =
      message.content.length < 16_384 ? { ...message, content: Buffer.from(message.content) } : message;
    this.held.push(new HeldMessage(own, due, lateBy, now, channel, (held) => this.done(held)));
    this.arm();
  }

  onLost(channel: Acking): void {
    const lost = this.held.filter((held) => held.channel === channel);
    this.held = this.held.filter((held) => held.channel !== channel);
    this.remember(lost);
    this.arm();
  }

  private dueOf(message: ReceivedMessage, now: number): { due: number; lateBy: number } {
    const { step, clock } = this.options;
    const key = keyOf(message);
    const known = key === undefined ? undefined : this.known.get(key);
    if (key !== undefined) this.known.delete(key);
    if (known !== undefined) return { due: known, lateBy: 0 };
    const fresh = !message.redelivered && this.old === 0 && now - this.fullAt > SETTLED;
    const said = message.properties.headers?.[HEADER.due];
    if (fresh || typeof said !== 'number') return { due: now + step, lateBy: 0 };
    // The clock of who published it may be wrong: it never waits longer than its wait again.
    const left = said - clock.wall();
    return { due: now + Math.min(Math.max(0, left), step), lateBy: Math.max(0, -left) };
  }

  private done(held: HeldMessage): void {
    const place = this.held.indexOf(held);
    if (place < 0) return;
    if (this.held.length >= HELD_MOST) this.fullAt = this.options.clock.monotonic();
    this.held.splice(place, 1);
    held.channel.ack(held.message.deliveryTag);
    this.arm();
  }

  private arm(): void {
    // While it is away, its timer is the one that brings it back.
    if (this.ticking || this.awayUntil !== undefined) return;
    this.cancel?.();
    this.cancel = undefined;
    if (this.closed || this.held.length === 0) return;
    const { clock, holdMost } = this.options;
    const now = clock.monotonic();
    let [due, end, moving] = [Infinity, Infinity, false];
    for (const held of this.held) {
      if (held.moving) moving = true;
      else due = Math.min(due, held.due);
      end = Math.min(end, held.takenAt + holdMost);
    }
    if (!moving && due - now > holdMost) return this.giveBackUntil(due);
    if (end <= now) {
      if (!moving || end + holdMost <= now) return this.renew();
      end = now + LOOK_AGAIN;
    }
    const wait = Math.max(0, Math.ceil(Math.min(due, end) - now));
    this.cancel = clock.after(wait, () => this.tick());
  }

  private tick(): void {
    const now = this.options.clock.monotonic();
    this.ticking = true;
    for (const held of [...this.held]) {
      if (held.moving || held.due > now) continue;
      held.moving = true;
      this.options.move(held);
    }
    this.ticking = false;
    this.arm();
  }

  private giveBackUntil(due: number): void {
    const { clock, holdMost } = this.options;
    const { consumer } = this;
    this.consumer = undefined;
    this.remember(this.held);
    this.held = [];
    this.awayUntil = due;
    void consumer?.close();
    const wait = due - Math.min(BEFORE, holdMost / 2) - clock.monotonic();
    this.cancel = clock.after(Math.max(0, wait), () => this.start());
  }

  private remember(held: readonly HeldMessage[]): void {
    if (this.known.size > 2 * HELD_MOST) this.known.clear();
    for (const { message, due } of held) {
      const key = keyOf(message);
      if (key !== undefined) this.known.set(key, due);
    }
  }
}

/** The same for every delivery of a message, and for no other. */
function keyOf({ properties, routingKey }: ReceivedMessage): string | undefined {
  const due = properties.headers?.[HEADER.due];
  return properties.messageId === undefined || typeof due !== 'number'
    ? undefined
    : `${due} ${properties.messageId} ${routingKey}`;
}
