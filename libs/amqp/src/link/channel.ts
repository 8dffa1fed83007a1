// A channel of one life. Settling on it after it died does nothing and says so, instead of throwing or,
// worse, hitting another message on a younger channel that has the same delivery tag.

import type { Channel, ConfirmChannel, ConsumeMessage, Message } from 'amqplib';
import { describeError, printable } from '../model/logger.js';
import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';
import { userOf } from './dial.js';

/** How the broker ended a publish, or `lost` when the channel died first. */
export type ConfirmOutcome = 'confirmed' | 'nacked' | 'lost';

/** What a consumer hears: a message, or that the broker cancelled it (queue deleted, node gone). */
export type OnDelivery = (message: ReceivedMessage | 'cancelled') => void;

/** A channel with its listeners on. */
export class LiveChannel {
  /** Settles once with the reason when the channel is gone; never rejects. */
  readonly closed: Promise<string>;
  alive = true;
  /** False while the socket's buffer is full. */
  writable = true;
  private readonly returnListeners: ((message: ReceivedMessage) => void)[] = [];
  private readonly drainListeners: (() => void)[] = [];

  /** The channel is dead, whatever events of the client library were missed. Calling it again does nothing. */
  readonly end: (reason: string) => void;

  constructor(private readonly channel: Channel | ConfirmChannel) {
    let reason = 'closed';
    let resolve: (reason: string) => void = () => undefined;
    this.closed = new Promise((settle) => (resolve = settle));
    this.end = (why) => {
      this.alive = false;
      resolve(why);
    };
    // A channel error without a listener would tear down the whole connection.
    channel.on('error', (error: Error) => (reason = describeError(error)));
    // First of all listeners: the client library's own one ends every unconfirmed publish, and those must
    // see that the channel is dead rather than take it for a refusal.
    channel.prependListener('close', () => this.end(reason));
    channel.on('handler-error', (error: Error) => (reason = describeError(error)));
    channel.on('return', (message: Message) => {
      for (const listener of this.returnListeners) listener(received(message));
    });
    channel.on('drain', () => {
      this.writable = true;
      for (const listener of this.drainListeners) listener();
    });
  }

  /** What declares on this channel; errors are the client library's. */
  get declaring(): Channel {
    return this.channel;
  }

  onReturn(listener: (message: ReceivedMessage) => void): void {
    this.returnListeners.push(listener);
  }

  onDrain(listener: () => void): void {
    this.drainListeners.push(listener);
  }

  async prefetch(count: number): Promise<void> {
    await this.channel.prefetch(count, false);
  }

  /** Begins to consume; resolves with the consumer tag at consume-ok. */
  async consume(
    queue: string,
    options: { readonly noAck: boolean; readonly exclusive?: boolean; readonly arguments?: object },
    onDelivery: OnDelivery,
  ): Promise<string> {
    const { consumerTag } = await this.channel.consume(
      queue,
      (message) => onDelivery(message === null ? 'cancelled' : received(message)),
      options,
    );
    return consumerTag;
  }

  /** No delivery comes after it resolved. */
  async cancel(consumerTag: string): Promise<void> {
    if (this.alive) await this.channel.cancel(consumerTag);
  }

  /** False when the channel is dead and the broker will deliver the message again anyway. */
  ack(deliveryTag: number): boolean {
    return this.settle(() => this.channel.ack(withTag(deliveryTag)));
  }

  /** Hands a message back. False when the channel is dead, which hands it back as well. */
  requeue(deliveryTag: number): boolean {
    return this.settle(() => this.channel.nack(withTag(deliveryTag), false, true));
  }

  /** Publishes without a confirm. Throws when the channel is dead or the message cannot be encoded. */
  publish(message: OutgoingMessage, replyTo?: string): void {
    this.checkUser(message);
    const options = publishOptions(message, replyTo);
    this.writable = this.channel.publish(message.exchange, message.routingKey, message.content, options);
  }

  /** Publishes on a confirm channel; `onOutcome` is called once. Throws when dead or not encodable. */
  publishConfirmed(message: OutgoingMessage, onOutcome: (outcome: ConfirmOutcome) => void): void {
    this.checkUser(message);
    const channel = this.channel as ConfirmChannel;
    this.writable = channel.publish(
      message.exchange,
      message.routingKey,
      message.content,
      publishOptions(message),
      (error: unknown) => onOutcome(error ? (this.alive ? 'nacked' : 'lost') : 'confirmed'),
    );
  }

  /** Closes it. May never settle on a frozen peer: bound the wait. */
  async close(): Promise<void> {
    if (!this.alive) return;
    await this.channel.close().catch(() => undefined);
  }

  // The broker closes the channel for it, and every publish that is not confirmed yet would be in doubt.
  private checkUser({ properties: { userId } }: OutgoingMessage): void {
    if (userId === undefined) return;
    const user = userOf(this.channel.connection);
    if (user === undefined || user === userId) return;
    throw new Error(`userId is '${printable(userId)}', but the user of the connection is another one`);
  }

  private settle(send: () => void): boolean {
    if (!this.alive) return false;
    try {
      send();
      return true;
    } catch {
      // Closing has begun, but the event is still to come.
      return false;
    }
  }
}

/** The largest frame that both sides agreed upon. */
export function frameMaxOf({ declaring }: LiveChannel): number {
  return (declaring as unknown as { connection: { frameMax: number } }).connection.frameMax;
}

function withTag(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message;
}

function publishOptions(message: OutgoingMessage, replyTo?: string): object {
  const { properties } = message;
  return {
    ...properties,
    headers: properties.headers ?? {},
    persistent: undefined,
    mandatory: message.mandatory,
    ...(replyTo === undefined ? {} : { replyTo }),
  };
}

function received(message: Message | ConsumeMessage): ReceivedMessage {
  const { fields, properties } = message;
  return {
    content: message.content,
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    redelivered: fields.redelivered ?? false,
    deliveryTag: fields.deliveryTag,
    properties: properties,
  };
}
