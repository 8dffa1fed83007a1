import type { Clock } from '../runtime/clock.js';
import { dueTime, HEADER } from '../message/headers.js';
import type { ReceivedMessage } from '../message/message.js';
import { newMessageId } from '../message/outgoing.js';

/** Messages that are held at once; the broker keeps the others. */
export const HELD_MOST = 64;

/**
 * When the holder was full, the next messages may have waited in the broker for longer. This long after the broker read the
 * acks that freed places for them, all of those have come, in ms.
 */
const SETTLED = 5_000;

/** Returned messages are fetched again this long before they are due, in ms. */
const BEFORE = 10_000;

/**
 * While other messages of its channel are being forwarded, returning waits, and checks again after this time, in ms.
 */
const LOOK_AGAIN = 1_000;

/** The part of a channel that settles. */
export interface Acking {
  readonly alive: boolean;
  ack(deliveryTag: number): boolean;
  /** Resolves when the broker has taken all acks up to now. */
  acksAnswered(): Promise<void>;
}

/** What the consumer of a wait queue reports. */
export interface WaitConsumerEvents {
  /** Messages arrive from now on; this many were in the queue before. */
  onOpen(backlog: number): void;
  onMessage(message: ReceivedMessage, channel: Acking): void;
  /** The messages of that channel are back in the broker; another channel follows. */
  onLost(channel: Acking): void;
}

/** Consumes a wait queue, on its own channel. */
export interface WaitConsumer {
  start(): void;
  /** Returns unacked messages to the broker, and consumes again. */
  renew(): void;
  /** Returns unacked messages to the broker. */
  close(): Promise<void>;
}

/** A held message. Times are of the monotonic clock. */
export interface Held {
  readonly message: ReceivedMessage;
  /** When its delay ends. */
  readonly due: number;
  /** How long its delay had been over when it arrived, in ms. */
  readonly lateBy: number;
  /** Whether this process still holds it. */
  readonly alive: boolean;
  /** It was forwarded: to its target, unless `arrived` is false. */
  done(arrived?: boolean): void;
  /** Resolves when the broker has taken the ack that `done` wrote. */
  readonly taken: () => Promise<void>;
}

/** Dependencies. */
export interface WaitHolderOptions {
  /** The delay, in ms. */
  readonly step: number;
  /** Messages are held for about this long at most, in ms. */
  readonly holdMost: number;
  readonly clock: Clock;
  readonly consumer: (events: WaitConsumerEvents) => WaitConsumer;
  /** Calls `done` when the message has arrived at its target. */
  readonly move: (held: Held) => void;
}

class HeldMessage implements Held {
  moving = false;
  /** Names it, once somebody has asked for its key. */
  name: string | undefined;
  readonly taken: () => Promise<void>;
  private gone: Promise<boolean> | undefined;
  private tell: ((arrived: boolean) => void) | undefined;

  constructor(
    readonly message: ReceivedMessage,
    public due: number,
    readonly lateBy: number,
    readonly takenAt: number,
    readonly channel: Acking,
    private readonly onDone: (held: HeldMessage, arrived: boolean) => void,
  ) {
    this.taken = acksAnswered(channel);
  }

  /** Random, and another one when it is held again: it never names another message. */
  get key(): string {
    return (this.name ??= newMessageId());
  }

  /** Resolves when it is not held any more, with whether it arrived at its target. */
  left(): Promise<boolean> {
    return (this.gone ??= new Promise((resolve) => (this.tell = resolve)));
  }

  leave(arrived: boolean): void {
    this.tell?.(arrived);
  }

  get alive(): boolean {
    return this.channel.alive;
  }

  done(arrived = true): void {
    this.onDone(this, arrived);
  }
}

/** References only the channel, not the message. */
const acksAnswered = (channel: Acking) => (): Promise<void> => channel.acksAnswered();

/**
 * Holds the messages of one wait queue until they are due, then has them forwarded. The delay counts from the arrival
 * of a message that came directly from its publish; for one that waited before, from the time in its header. No
 * message is held longer than the broker allows: it is returned with its channel, which keeps the order, and fetched
 * again in time. All messages of a queue have the same delay, so they are due in their order.
 */
export class WaitHolder implements WaitConsumerEvents {
  /** Messages that arrived, in total. */
  taken = 0;
  /** When the last one arrived. */
  takenAt = -Infinity;
  private consumer: WaitConsumer | undefined;
  private held: HeldMessage[] = [];
  /** How many of the next messages had waited before. */
  private old = 0;
  /** When the broker had read the last ack that freed places for messages it may have had before; Infinity until it has. */
  private fullAt = -Infinity;
  /** Where such an ack was written that it was not asked about. */
  private freed: Acking | undefined;
  /** When the returned messages are due. */
  private readonly known = new Map<string, number>();
  /** The next of the returned messages, while none is held. */
  private awayUntil: number | undefined;
  private cancel: (() => void) | undefined;
  private ticking = false;
  private closed = false;

  constructor(private readonly options: WaitHolderOptions) {}

  /** Starts to fetch messages. */
  start(): void {
    if (this.closed) return;
    this.awayUntil = undefined;
    this.consumer = this.options.consumer(this);
    this.consumer.start();
  }

  /** Number of held messages. */
  get size(): number {
    return this.held.length;
  }

  /** Those that it holds. */
  get messages(): readonly (Pick<Held, 'message' | 'due'> & { readonly key: string })[] {
    return this.held;
  }

  /** Whether the broker would send another message now, if there were one. */
  get hungry(): boolean {
    return this.consumer !== undefined && this.held.length < HELD_MOST;
  }

  /** When the next one is due, as far as this process knows. */
  get nextDue(): number | undefined {
    if (this.held.length === 0) return this.awayUntil;
    return Math.min(...this.held.map(({ due }) => due));
  }

  /**
   * Has a message forwarded now, as if it were due. Resolves when it is not held any more, with whether it arrived at its
   * target; undefined when it is not held.
   */
  runNow(key: string): Promise<boolean> | undefined {
    const held = this.held.find(({ name }) => name === key);
    if (this.closed || !held?.alive) return undefined;
    // It stays due when its channel is lost meanwhile.
    held.due = Math.min(held.due, this.options.clock.monotonic());
    const left = held.left();
    this.tick();
    return left;
  }

  /** Returns the held messages to the broker and fetches them again. */
  renew(): void {
    this.consumer?.renew();
  }

  /** Returns the held messages to the broker for good. Always settles. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancel?.();
    await this.consumer?.close();
    for (const held of this.held.splice(0)) held.leave(false);
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
    // A small body must not keep the whole network buffer in memory.
    const own =
      message.content.length < 16_384 ? { ...message, content: Buffer.from(message.content) } : message;
    this.held.push(
      new HeldMessage(own, due, lateBy, now, channel, (one, arrived) => this.done(one, arrived)),
    );
    this.arm();
  }

  onLost(channel: Acking): void {
    const lost = this.held.filter((held) => held.channel === channel);
    this.held = this.held.filter((held) => held.channel !== channel);
    this.remember(lost);
    for (const held of lost) held.leave(false);
    this.arm();
  }

  private dueOf(message: ReceivedMessage, now: number): { due: number; lateBy: number } {
    const { step, clock } = this.options;
    const key = keyOf(message);
    const known = key === undefined ? undefined : this.known.get(key);
    if (key !== undefined) this.known.delete(key);
    if (known !== undefined) return { due: known, lateBy: 0 };
    const fresh = !message.redelivered && this.old === 0 && now - this.fullAt > SETTLED;
    const said = dueTime(message.properties.headers, clock.wall());
    if (fresh || said === undefined) return { due: now + step, lateBy: 0 };
    // The clock of the publisher may be wrong: a message never waits longer than its delay again.
    const left = said - clock.wall();
    return { due: now + Math.min(Math.max(0, left), step), lateBy: Math.max(0, -left) };
  }

  private done(held: HeldMessage, arrived: boolean): void {
    const place = this.held.indexOf(held);
    if (place < 0) return;
    if (this.held.length >= HELD_MOST) this.hasFreed(held.channel);
    this.held.splice(place, 1);
    held.channel.ack(held.message.deliveryTag);
    held.leave(arrived);
    this.arm();
  }

  private hasFreed(channel: Acking): void {
    this.freed = channel;
    if (this.fullAt === Infinity) return;
    this.fullAt = Infinity;
    void this.settle();
  }

  private async settle(): Promise<void> {
    while (this.freed) {
      // With the other acks of this turn.
      await new Promise((resolve) => setImmediate(resolve));
      const { freed } = this;
      this.freed = undefined;
      await freed.acksAnswered().catch(() => undefined);
    }
    this.fullAt = this.options.clock.monotonic();
  }

  private arm(): void {
    // While its messages are in the broker, the timer fetches them again.
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

/** The same for every delivery of a message, and unique among messages. */
function keyOf({ properties, routingKey }: ReceivedMessage): string | undefined {
  const due = properties.headers?.[HEADER.due];
  return properties.messageId === undefined || typeof due !== 'number'
    ? undefined
    : `${due} ${properties.messageId} ${routingKey}`;
}
