// A look into a queue that disturbs nothing: so many messages at most are taken, held unsettled, and go back when
// the channel closes. Measured, that is the one way back that keeps their order on a quorum queue: a nack moves
// them to its end, and what basic.get took comes back mixed up. What was handed back once stands in a line of its
// own there, before all others, and whoever hands back a part of it moves that to its end: so all of it is taken.

import type { Channel, ConsumeMessage } from 'amqplib';
import { ConnectionLostError } from '../errors/errors.js';
import { inTime, type Clock } from '../runtime/clock.js';
import type { ReceivedMessage } from '../message/message.js';
import type { LiveChannel } from './channel.js';

/** RabbitMQ takes messages back consumer by consumer, in the order of their tags. */
const TAG = 'warren-window-';
/** Taken before it is known how large messages are. */
export const FIRST_TAKEN = 10;
/** Bodies that are taken at once, as far as the messages before them tell their size. */
const MOST_BYTES = 64 * 1024 * 1024;
/** The part of the unsettled messages that is asked for next. */
const GROWTH = 1 / 2;
/** RabbitMQ keeps the order of 32 consumers at most; closing may need some. */
const MOST_CONSUMERS = 24;
/** Of several consumers together. What a line of returned messages has beyond that loses its order. */
const MOST = 20_000;
/** Silence after which the broker is asked whether the queue is empty. */
const SILENCE = 250;
const DELIVERY_TIMEOUT = 15_000;
const CLOSE_TIMEOUT = 5_000;

function tagOf(consumer: number): string {
  return `${TAG}${String.fromCharCode(97 + consumer)}`;
}

/** Messages of one queue, in order, held on one channel. Errors of consume and declare are the client library's. */
export class PeekCursor {
  /** Taken with next() so far. */
  taken = 0;
  private readonly arrived: ReceivedMessage[] = [];
  private readonly channel: Channel;
  private end: Error | undefined;
  private wake: () => void = () => undefined;
  private settledSingly = false;
  private closing = false;
  /** Messages that the current consumers may hold. */
  private places = 0;
  private consumers = 0;
  private unsettled = 0;
  /** Unsettled messages of consumers that get no more, and the delivery tag of the last one. */
  private retired = 0;
  private lastRetired = 0;
  private lastTag = 0;
  /** What arrived since the last consumer began. */
  private recent = { messages: 0, bytes: 0 };
  /** As many messages of their size may be taken at once. */
  private fitting = Infinity;
  /** Whether the last message had been returned before. */
  private returned = false;

  /**
   * `total` are given at most, of which at most `size` are unsettled at any time. The broker sends 10, then `first`, and
   * more when these are read and stay; fewer of large ones, so that some 64 MiB wait to be read.
   */
  constructor(
    readonly live: LiveChannel,
    private readonly queue: string,
    private readonly clock: Clock,
    private readonly total: number,
    readonly size: number,
    private readonly first: number,
  ) {
    this.channel = live.declaring;
  }

  /** Begins to take. */
  async open(): Promise<void> {
    void this.live.closed.then((reason) =>
      this.stop(new ConnectionLostError(`the channel was lost: ${reason}`)),
    );
    await this.widen(Math.min(FIRST_TAKEN, this.first, this.size));
  }

  /**
   * The next message; undefined when all were given, the queue has no more, or large ones have used up the consumers.
   * Rejects when the channel is lost.
   */
  async next(held: number): Promise<ReceivedMessage | undefined> {
    const until = this.clock.monotonic() + DELIVERY_TIMEOUT;
    for (let empty = 0; this.taken < this.total && (this.arrived.length > 0 || held < this.size);) {
      if (this.end) throw this.end;
      const message = this.arrived.shift();
      if (message) {
        this.taken++;
        return message;
      }
      if (this.unsettled === this.capacity) {
        if (!(await this.grow())) return undefined;
        continue;
      }
      if (await this.arrival()) continue;
      // Twice: what was on its way during the first answer is here before the second.
      empty = (await this.channel.checkQueue(this.queue)).messageCount === 0 ? empty + 1 : 0;
      if (empty === 2) return undefined;
      if (this.clock.monotonic() > until) {
        throw new ConnectionLostError(
          `queue '${this.queue}' has messages, but the broker delivers none: another consumer may hold them`,
        );
      }
    }
    return undefined;
  }

  /** Settles all that were taken up to this one, `count` of them: one frame, one step for the broker. */
  ackUpTo(deliveryTag: number, count: number): void {
    this.settle(deliveryTag, count);
  }

  /** Settles one among others that stay. */
  ack(deliveryTag: number): void {
    this.settledSingly = true;
    this.settle(deliveryTag, 1);
  }

  /** Returns the unacked messages. Never rejects. */
  async close(): Promise<void> {
    if (!this.live.alive) return;
    this.closing = true;
    const orderly = inTime(this.clock, CLOSE_TIMEOUT, this.hand(), () => new Error('late'));
    await orderly.catch(() => undefined);
    // Keeping the order is worth a wait, but not for a frozen broker.
    await inTime(this.clock, CLOSE_TIMEOUT, this.live.close(), () => new Error('late')).catch(
      () => undefined,
    );
  }

  private get capacity(): number {
    return this.places + this.retired;
  }

  // The consumer that is full gets no more, also when some of its messages are settled: messages go back consumer by
  // consumer, so all of one must lie before all of the next.
  private async grow(): Promise<boolean> {
    const { messages, bytes } = this.recent;
    if (messages > 0) this.fitting = Math.max(1, Math.floor((MOST_BYTES * messages) / bytes));
    const { fitting } = this;
    const left = this.size - this.unsettled;
    if (this.consumers >= MOST_CONSUMERS && fitting < left) return false;
    await this.channel.cancel(tagOf(this.consumers - 1));
    this.retired = this.unsettled;
    this.lastRetired = this.lastTag;
    this.places = 0;
    this.recent = { messages: 0, bytes: 0 };
    const more = Math.max(this.first, Math.floor(this.retired * GROWTH));
    await this.widen(Math.min(this.consumers < MOST_CONSUMERS - 1 ? more : left, left, fitting));
    return true;
  }

  // A quorum queue takes 32 acks of a channel at a time and forgets the rest if the channel closes meanwhile, so
  // confirmed messages would come back. A new consumer is answered after all of them.
  private async hand(): Promise<void> {
    if (this.capacity === 0) return;
    // A classic queue on another node has the acks when it has answered what is asked behind them.
    if (this.unsettled === 0 && !this.settledSingly) return this.live.acksForwarded(this.queue);
    for (let barrier = this.settledSingly; this.capacity < MOST; barrier = false) {
      await this.filled();
      const more = this.returned && this.unsettled === this.capacity;
      if (!more && !barrier) return;
      await this.widen(more ? this.capacity : 1);
    }
  }

  /** Waits until every consumer has what it may have, or the queue has no more. */
  private async filled(): Promise<void> {
    for (let empty = 0; empty < 2 && this.unsettled < this.capacity && !this.end;) {
      const before = this.unsettled;
      const { messageCount } = await this.channel.checkQueue(this.queue);
      empty = messageCount === 0 && this.unsettled === before ? empty + 1 : 0;
    }
  }

  private async widen(by: number): Promise<void> {
    await this.channel.prefetch(by, false);
    this.places += by;
    const consumerTag = tagOf(this.consumers++);
    await this.channel.consume(this.queue, (message) => this.arrive(message), { noAck: false, consumerTag });
  }

  private arrive(message: ConsumeMessage | null): void {
    if (message === null) {
      this.stop(
        new ConnectionLostError(`queue '${this.queue}' was deleted, or the node that hosts it went down`),
      );
      return;
    }
    const { fields, properties, content } = message;
    const { exchange, routingKey, redelivered, deliveryTag } = fields;
    this.unsettled++;
    this.lastTag = deliveryTag;
    this.returned = Number(properties.headers?.['x-delivery-count'] ?? 0) > 0;
    if (this.closing) return;
    this.recent.messages++;
    this.recent.bytes += content.length;
    this.arrived.push({ content, exchange, routingKey, redelivered, deliveryTag, properties });
    this.wake();
  }

  private settle(deliveryTag: number, count: number): void {
    // A closed channel has already returned it.
    if (!this.live.alive) return;
    this.unsettled -= count;
    if (deliveryTag <= this.lastRetired) this.retired -= count;
    else if (count > 1) this.retired = 0;
    const upTo = count > 1;
    this.channel.ack({ fields: { deliveryTag } } as Parameters<Channel['ack']>[0], upTo);
  }

  private stop(error: Error): void {
    this.end ??= error;
    this.wake();
  }

  private async arrival(): Promise<boolean> {
    const came = new Promise<true>((resolve) => (this.wake = () => resolve(true)));
    let cancel = (): void => undefined;
    const silence = new Promise<false>((resolve) => {
      cancel = this.clock.after(SILENCE, () => resolve(false), true);
    });
    try {
      return await Promise.race([came, silence]);
    } finally {
      cancel();
      this.wake = () => undefined;
    }
  }
}
