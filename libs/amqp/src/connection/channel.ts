// One open channel, with the batching of its acks. Settling on it after it was closed does nothing and returns false,
// instead of throwing or acking another message with the same delivery tag on the channel that replaced it.

import type { Channel, ConfirmChannel, Message } from 'amqplib';
import { describeError, printable } from '../runtime/logger.js';
import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import { PublicPath, received } from './fast-path/public-path.js';
import { channelNumber, frameMaxOf } from './fast-path/amqplib-internals.js';
import { type FastPath, FastChannel } from './fast-path/fast-path.js';
import type {
  ChannelTraffic,
  Collected,
  ConfirmOutcome,
  ConsumeOptions,
} from './fast-path/channel-traffic.js';

/** How many acks a quorum queue surely takes from a channel that closes. */
const ACKS_AHEAD = 16;

/** What a consumer receives: a message, or that the broker cancelled it (queue deleted, node gone). */
export type OnDelivery = (message: ReceivedMessage | 'cancelled', channel: LiveChannel) => void;

/** What the owner of a channel may be told. */
export interface ChannelListener {
  /** The broker returned a message as unroutable. */
  readonly onReturn?: (message: ReceivedMessage) => void;
  /** The publish with this number, or all up to it. */
  readonly onConfirm?: (number: number, multiple: boolean, outcome: ConfirmOutcome) => void;
  /** The channel accepts more publishes. */
  readonly onDrain?: () => void;
}

/** A channel with its listeners on. */
export class LiveChannel {
  /** Settles once with the reason when the channel is gone; never rejects. */
  readonly closed: Promise<string>;
  /** Whether it can be used; false as soon as it begins to close. */
  alive = true;
  /** Its owner is about to close it: what still arrives returns to the queue with it. */
  leaving = false;
  /** Marks the channel as closed, whatever events of the client library were missed. Calling it again does nothing. */
  readonly end: (reason: string) => void;
  /** `writable` is false while its buffer is full. */
  readonly socket: { readonly writable: boolean };
  private readonly traffic: ChannelTraffic;
  private readonly acks: AckBatcher;
  private readonly listeners: ChannelListener[] = [];
  private onDelivery: OnDelivery = () => undefined;
  private acked = false;
  private published = 0;
  private last = 0;
  /** Messages that arrived before the consumer was told that it consumes. */
  private early: (ReceivedMessage | 'cancelled')[] | undefined;
  private closing: Promise<void> | undefined;
  private reason = 'closed';
  private fetched = 1;

  /** `fastPath` if its connection has one, `user` if it is known. */
  constructor(
    private readonly channel: Channel | ConfirmChannel,
    fastPath?: FastPath,
    private readonly user?: string,
  ) {
    let resolve: (reason: string) => void = () => undefined;
    this.closed = new Promise((settle) => (resolve = settle));
    this.end = (why) => {
      this.alive = false;
      this.acks.end();
      this.traffic.end();
      resolve(why);
    };
    this.traffic = this.trafficOn(fastPath);
    this.socket = this.traffic.socket;
    this.acks = new AckBatcher(this.traffic);
    const note = (error: Error): void => void (this.reason = describeError(error));
    // A channel error without a listener would tear down the whole connection.
    channel.on('error', note);
    // Before all other listeners: the client library's own nacks every unconfirmed publish, which must see that the
    // channel is closed rather than take that for a nack of the broker.
    channel.prependListener('close', () => this.end(this.reason));
    channel.on('handler-error', note);
    channel.on('return', (message: Message) => {
      for (const { onReturn } of this.listeners) onReturn?.(received(message));
    });
  }

  /** For declarations on this channel; errors are the client library's. */
  get declaring(): Channel {
    return this.channel;
  }

  /** The largest frame that both sides agreed upon, if it is known. */
  get frameMax(): number | undefined {
    return frameMaxOf(this.channel);
  }

  listen(listener: ChannelListener): void {
    this.listeners.push(listener);
  }

  async prefetch(count: number): Promise<void> {
    this.acks.prefetch(count);
    this.fetched = count;
    await this.channel.prefetch(count, false);
  }

  /** Begins to consume, once per channel; resolves with the consumer tag at consume-ok. */
  async consume(queue: string, options: ConsumeOptions, onDelivery: OnDelivery): Promise<string> {
    const early: (ReceivedMessage | 'cancelled')[] = [];
    this.early = early;
    this.onDelivery = onDelivery;
    this.acked = !options.noAck;
    const consumerTag = await this.traffic.consume(queue, options);
    // Messages may arrive in one packet with the consume-ok, whose caller must be notified first.
    setImmediate(() => {
      this.early = undefined;
      for (const message of early) this.deliver(message);
    });
    return consumerTag;
  }

  /** No delivery arrives after it has resolved. */
  async cancel(consumerTag: string): Promise<void> {
    if (this.alive) await this.channel.cancel(consumerTag);
  }

  /**
   * Resolves when a quorum queue has applied the acks so far. It takes 32 in a row; later ones that are still in transit
   * when the channel closes are lost, and their messages delivered again. The answer to a new consumer comes after them. That
   * consumer has the lowest priority and a tag that sorts last, so it is not given messages before the first one.
   */
  async acksTaken(queue: string): Promise<void> {
    this.acks.flush();
    if (this.acks.frames < ACKS_AHEAD || !this.alive) return;
    // Round trips for the acks behind the first 32: the fewer are left, the fewer messages the first consumer gets meanwhile.
    for (let times = 0; times < 3; times++) await this.channel.checkQueue(queue);
    await this.channel.prefetch(1, false);
    const options = { consumerTag: `warren-last-${++this.last}`, arguments: { 'x-priority': -1_000 } };
    await this.channel.consume(queue, () => undefined, options);
  }

  /** Resolves when a classic queue has the acks so far: a question to the queue takes the same path behind them. */
  async acksForwarded(queue: string): Promise<void> {
    this.acks.flush();
    if (this.alive) await this.channel.checkQueue(queue);
  }

  /** Resolves when the broker has read all acks so far: it answers requests in order. Rejects when the channel closes. */
  async acksAnswered(): Promise<void> {
    if (!this.alive) return;
    this.acks.flush();
    await this.channel.prefetch(this.fetched, false);
  }

  /**
   * Acks soon, together with others. False when the channel is closed and the broker will deliver the message again
   * anyway.
   */
  ack(deliveryTag: number): boolean {
    if (!this.alive) return false;
    this.acks.add(deliveryTag);
    return true;
  }

  /** Requeues a message. False when the channel is closed, which requeues it as well. */
  requeue(deliveryTag: number): boolean {
    if (!this.alive) return false;
    this.acks.gone(deliveryTag);
    try {
      this.traffic.requeue(deliveryTag);
      return true;
    } catch {
      // Closing has begun, but its event has not been emitted yet.
      return false;
    }
  }

  /**
   * Publishes; returns how many it has published, which on a confirm channel is the number of the confirm. Throws when
   * the channel is closed or the message cannot be encoded.
   */
  publish(message: OutgoingMessage, replyTo?: string): number {
    if (!this.alive) throw new Error(`the channel is closed (${this.reason})`);
    const { userId } = message.properties;
    if (userId !== undefined && this.user !== undefined && userId !== this.user) {
      // The broker closes the channel for it, which would leave every unconfirmed publish in doubt.
      throw new Error(`userId is '${printable(userId)}', but the connection has a different user`);
    }
    this.traffic.publish(message, replyTo, this.published + 1);
    return ++this.published;
  }

  /** Closes it; `closed` resolves to `reason`. May never settle when the peer is frozen: bound the wait. */
  close(reason?: string): Promise<void> {
    if (this.alive) {
      if (reason !== undefined) this.reason = reason;
      this.acks.flush();
      this.alive = false;
      this.acks.end();
      this.traffic.end();
      this.closing = this.channel.close().catch(() => undefined);
    }
    return this.closing ?? Promise.resolve();
  }

  private trafficOn(fastPath: FastPath | undefined): ChannelTraffic {
    const listener = {
      onDelivery: this.deliver,
      onConfirm: (number: number, multiple: boolean, outcome: ConfirmOutcome) => {
        // When the channel ends, the client library nacks by itself; that is not an answer of the broker.
        if (!this.alive) return;
        for (const { onConfirm } of this.listeners) onConfirm?.(number, multiple, outcome);
      },
      onDrain: () => {
        for (const { onDrain } of this.listeners) onDrain?.();
      },
    };
    const number = fastPath && channelNumber(this.channel);
    return fastPath && number !== undefined
      ? new FastChannel(fastPath, number, this.channel, listener)
      : new PublicPath(this.channel, listener);
  }

  private readonly deliver = (message: ReceivedMessage | 'cancelled'): void => {
    if (this.early) return void this.early.push(message);
    if (this.acked && message !== 'cancelled') this.acks.delivered(message.deliveryTag);
    try {
      this.onDelivery(message, this);
    } catch (error) {
      // A delivery that cannot be accepted closes its channel, not the connection.
      this.reason = describeError(error);
      void this.close();
    }
  };
}

// Acks. One for many messages costs as much as for one, here and at the broker.

type Mark = 'open' | 'done' | 'gone';

/** The maximum number of marks behind a delivery that stays open. */
const MARKS_LIMIT = 10_000;

/** How long an ack waits for others, in ms. */
const ACK_DELAY = 2;

/** Time after which a quorum queue has applied all acks, in ms. */
const APPLIED = 2_000;

/**
 * Acks of one channel, collected during a turn of the event loop. Finished deliveries from the oldest on are acked with
 * one frame, those behind a handler that still runs with one frame each. Bounded: MARKS_LIMIT marks, and the open
 * deliveries before them, which are at most the prefetch.
 *
 * The first ack after a pause is sent at once. Those that follow shortly after wait for each other, but not for more than
 * ACK_DELAY and half of the prefetch, so that the broker need not wait for them.
 */
export class AckBatcher implements Collected {
  /** Number of frames sent without a pause of APPLIED between them. */
  frames = 0;
  private marks: Mark[] = [];
  /** The delivery tag of the first mark. */
  private first = 1;
  private head = 0;
  /** Open deliveries that are older than all marks: until they are settled, every ack leaves on its own. */
  private readonly stragglers = new Set<number>();
  private done: number[] = [];
  /** `atTurnsEnd` will be called. */
  private turn = false;
  /** This many are sent without waiting for more. */
  private enough = 1;
  /** Sends the rest after ACK_DELAY. */
  private timer: NodeJS.Timeout | undefined;
  private flushedAt = -Infinity;
  private ended = false;

  /** `channel` sends acks and tells when a turn ends; `most` is the maximum number of marks. */
  constructor(
    private readonly channel: Pick<ChannelTraffic, 'ack' | 'settling'>,
    private readonly most = MARKS_LIMIT,
  ) {}

  /** The prefetch. With a small one the broker would wait for each ack. */
  prefetch(count: number): void {
    this.enough = count < 20 ? 1 : Math.floor(count / 2);
  }

  /** A delivery that must be acked. Tags count up by one. */
  delivered(deliveryTag: number): void {
    if (this.head === this.marks.length) {
      this.marks.length = this.head = 0;
      this.first = deliveryTag;
    } else if (this.marks.length - this.head >= this.most) {
      this.advance();
      if (this.marks.length - this.head >= this.most) this.passOver();
    }
    this.marks.push('open');
  }

  /** Acks it soon, together with others. */
  add(deliveryTag: number): void {
    const place = deliveryTag - this.first;
    if (place < this.head) this.stragglers.delete(deliveryTag);
    else this.marks[place] = 'done';
    const count = this.done.push(deliveryTag);
    // With the timer set, the end of this turn would change nothing.
    if (this.turn || (this.timer && count < this.enough)) return;
    this.turn = true;
    this.channel.settling(this);
  }

  /** Number of deliveries that are remembered. */
  get remembered(): number {
    return this.marks.length + this.stragglers.size;
  }

  /** Settled by another frame. */
  gone(deliveryTag: number): void {
    this.mark(deliveryTag);
    this.advance();
  }

  atTurnsEnd(): void {
    this.turn = false;
    const now = performance.now();
    const rested = now - this.flushedAt >= ACK_DELAY;
    if (rested || this.done.length >= this.enough) this.flush(now);
    else if (!this.ended) this.timer ??= setTimeout(() => this.flush(), ACK_DELAY);
  }

  /** Sends what was collected. */
  flush(now = performance.now()): void {
    const { done } = this;
    if (this.timer) clearTimeout(this.timer);
    this.timer = undefined;
    if (now - this.flushedAt > APPLIED) this.frames = 0;
    this.flushedAt = now;
    if (done.length === 0 || this.ended) return;
    this.done = [];
    const advanced = this.advance();
    // An ack of all up to one would name them, too.
    const upTo = this.stragglers.size === 0 ? advanced : 0;
    if (upTo > 0) {
      this.frames++;
      this.channel.ack(upTo, true);
    }
    for (const tag of done) {
      if (tag <= upTo) continue;
      this.mark(tag);
      this.frames++;
      this.channel.ack(tag, false);
    }
  }

  /** The channel is closed or closing: nothing is sent any more. */
  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  /** Drops settled marks from the oldest on. Returns the last tag of them that is to be acked, or 0. */
  private advance(): number {
    const { marks } = this;
    let last = 0;
    while (this.head < marks.length && marks[this.head] !== 'open') {
      if (marks[this.head] === 'done') last = this.first + this.head;
      this.head++;
    }
    if (this.head > 1_000 && this.head * 2 > marks.length) {
      marks.splice(0, this.head);
      this.first += this.head;
      this.head = 0;
    }
    return last;
  }

  /** The oldest delivery takes long: it is kept apart, so that the marks behind it need not be kept. */
  private passOver(): void {
    this.stragglers.add(this.first + this.head);
    this.head++;
    this.advance();
  }

  private mark(deliveryTag: number): void {
    const place = deliveryTag - this.first;
    if (place < this.head) this.stragglers.delete(deliveryTag);
    else this.marks[place] = 'gone';
  }
}
