// A channel of one life. Settling on it after it died does nothing and says so, instead of throwing or,
// worse, hitting another message on a younger channel that has the same delivery tag.

import type { Channel, ConfirmChannel, Message } from 'amqplib';
import { describeError, printable } from '../runtime/logger.js';
import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import { AckBatcher } from './ack-batcher.js';
import { PublicPath, received } from './fast-path/public-path.js';
import { channelNumber, frameMaxOf } from './fast-path/amqplib-internals.js';
import { type FastPath, FastChannel } from './fast-path/fast-path.js';
import type { ConfirmOutcome, ConsumeOptions, ChannelTraffic } from './fast-path/channel-traffic.js';

/** How many acks a quorum queue surely takes from a channel that closes. */
const ACKS_AHEAD = 16;

/** What a consumer hears: a message, or that the broker cancelled it (queue deleted, node gone). */
export type OnDelivery = (message: ReceivedMessage | 'cancelled', channel: LiveChannel) => void;

/** What the owner of a channel may want to hear. */
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
  /** Whether it can be used: its end has not begun. */
  alive = true;
  /** The channel is dead, whatever events of the client library were missed. Calling it again does nothing. */
  readonly end: (reason: string) => void;
  private readonly traffic: ChannelTraffic;
  private readonly acks: AckBatcher;
  private readonly listeners: ChannelListener[] = [];
  private onDelivery: OnDelivery = () => undefined;
  private acked = false;
  private published = 0;
  private last = 0;
  /** What came before its consumer knows that it consumes. */
  private early: (ReceivedMessage | 'cancelled')[] | undefined;
  private closing: Promise<void> | undefined;
  private reason = 'closed';
  private fetched = 1;

  /** `plane` if there is one on its connection, `user` if it is known. */
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
    this.acks = new AckBatcher(this.traffic);
    const note = (error: Error): void => void (this.reason = describeError(error));
    // A channel error without a listener would tear down the whole connection.
    channel.on('error', note);
    // First of all listeners: the client library's own one ends every unconfirmed publish, and those must
    // see that the channel is dead rather than take it for a refusal.
    channel.prependListener('close', () => this.end(this.reason));
    channel.on('handler-error', note);
    channel.on('return', (message: Message) => {
      for (const { onReturn } of this.listeners) onReturn?.(received(message));
    });
  }

  /** What declares on this channel; errors are the client library's. */
  get declaring(): Channel {
    return this.channel;
  }

  /** The largest frame that both sides agreed upon, if it is known. */
  get frameMax(): number | undefined {
    return frameMaxOf(this.channel);
  }

  /** False while the socket's buffer is full. */
  get writable(): boolean {
    return this.traffic.writable;
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

  /** No delivery comes after it resolved. */
  async cancel(consumerTag: string): Promise<void> {
    if (this.alive) await this.channel.cancel(consumerTag);
  }

  /**
   * Resolves when a quorum queue has taken the acks so far. Of more than 32 in a row those that are still on their way
   * are forgotten when the channel closes, and their messages delivered again. A new consumer is answered after them; one
   * of the lowest priority, with a tag that sorts after the first one's, is given what goes back after what that one holds.
   */
  async acksTaken(queue: string): Promise<void> {
    this.acks.flush();
    if (this.acks.frames < ACKS_AHEAD || !this.alive) return;
    // Time for what waits behind the first 32: the fewer are on their way, the less the first consumer is given meanwhile.
    for (let times = 0; times < 3; times++) await this.channel.checkQueue(queue);
    await this.channel.prefetch(1, false);
    const options = { consumerTag: `warren-last-${++this.last}`, arguments: { 'x-priority': -1_000 } };
    await this.channel.consume(queue, () => undefined, options);
  }

  /** Resolves when a classic queue has the acks so far: what is asked of a queue goes the way that they go. */
  async acksForwarded(queue: string): Promise<void> {
    this.acks.flush();
    if (this.alive) await this.channel.checkQueue(queue);
  }

  /** Resolves when the broker has read all acks up to now: it answers what is asked behind them. Rejects when it dies. */
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

  /** Publishes without a confirm. Throws when the channel is dead or the message cannot be encoded. */
  publish(message: OutgoingMessage, replyTo?: string): void {
    this.check(message);
    this.traffic.publish(message, replyTo);
  }

  /**
   * Publishes on a confirm channel; returns the number of its confirm. Throws when the channel is closed or the
   * message cannot be encoded.
   */
  publishConfirmed(message: OutgoingMessage): number {
    this.check(message);
    this.traffic.publish(message, undefined, this.published + 1);
    return ++this.published;
  }

  /** Closes it; `reason` is what `closed` says. May never settle on a frozen peer: bound the wait. */
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
        // What the client library says of publishes when the channel ends is not the broker's word.
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
      // What cannot even be taken costs its channel, not the connection.
      this.reason = describeError(error);
      void this.close();
    }
  };

  private check({ properties: { userId } }: OutgoingMessage): void {
    if (!this.alive) throw new Error(`the channel is closed (${this.reason})`);
    const { user } = this;
    if (userId === undefined || user === undefined || user === userId) return;
    // The broker closes the channel for it, and every publish that is not confirmed yet would be in doubt.
    throw new Error(`userId is '${printable(userId)}', but the connection has a different user`);
  }
}
