import type { Channel, ConfirmChannel, ConsumeMessage, Message } from 'amqplib';
import { tableBytes } from '../../message/headers.js';
import { bodyBytes, type OutgoingMessage, type ReceivedMessage } from '../../message/message.js';
import { frameMaxOf } from './amqplib-internals.js';
import type { ChannelTraffic, Collected, ConsumeOptions, TrafficListener } from './channel-traffic.js';
import { tooLarge } from './frame-writer.js';

/** What a frame with properties has besides them: its own head and end, class, size of the body, flags. */
const HEADER_FRAME = 22;

/**
 * The traffic of a channel through the client library's public functions: slower, but independent of its version.
 */
export class PublicPath implements ChannelTraffic {
  readonly socket = { writable: true };
  private turn: NodeJS.Immediate | undefined;
  private acks: Collected | undefined;

  constructor(
    private readonly channel: Channel | ConfirmChannel,
    private readonly listener: TrafficListener,
  ) {
    channel.on('drain', () => {
      this.socket.writable = true;
      listener.onDrain();
    });
  }

  async consume(queue: string, options: ConsumeOptions): Promise<string> {
    const { consumerTag } = await this.channel.consume(
      queue,
      (message) => this.listener.onDelivery(message === null ? 'cancelled' : received(message)),
      options,
    );
    return consumerTag;
  }

  publish(message: OutgoingMessage, replyTo: string | undefined, number: number): void {
    const { exchange, routingKey, content } = message;
    this.checkSize(message);
    const options = publishOptions(message, replyTo);
    // Never called on a channel without confirms.
    const onAnswer = (error: unknown): void =>
      this.listener.onConfirm(number, false, error ? 'nacked' : 'confirmed');
    const channel = this.channel as ConfirmChannel;
    this.socket.writable = channel.publish(exchange, routingKey, bodyBytes(content), options, onAnswer);
  }

  // The client library writes a frame that the broker closes the connection for.
  private checkSize({ properties }: OutgoingMessage): void {
    const frameMax = frameMaxOf(this.channel) ?? 0;
    const bytes = HEADER_FRAME + tableBytes(properties);
    if (frameMax > 0 && bytes > frameMax) throw new RangeError(tooLarge(bytes, frameMax));
  }

  ack(deliveryTag: number, multiple: boolean): void {
    try {
      this.channel.ack(withTag(deliveryTag), multiple);
    } catch {
      // Closing has begun, but its event has not been emitted yet.
    }
  }

  requeue(deliveryTag: number): void {
    this.channel.nack(withTag(deliveryTag), false, true);
  }

  settling(acks: Collected): void {
    this.acks = acks;
    this.turn ??= setImmediate(() => this.turnEnds());
  }

  end(): void {
    if (!this.turn) return;
    clearImmediate(this.turn);
    this.turnEnds();
  }

  private turnEnds(): void {
    this.turn = undefined;
    this.acks?.atTurnsEnd();
  }
}

/** A message of the client library as ours. */
export function received({ fields, properties, content }: Message | ConsumeMessage): ReceivedMessage {
  const { exchange, routingKey, redelivered = false, deliveryTag } = fields;
  return { content, exchange, routingKey, redelivered, deliveryTag, properties };
}

function withTag(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message;
}

function publishOptions({ properties, mandatory }: OutgoingMessage, replyTo?: string): object {
  return {
    ...properties,
    headers: properties.headers ?? {},
    persistent: undefined,
    mandatory,
    ...(replyTo === undefined ? {} : { replyTo }),
  };
}
