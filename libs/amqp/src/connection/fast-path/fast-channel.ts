import type { Channel } from 'amqplib';
import type { OutgoingMessage } from '../../message/message.js';
import { received } from './public-path.js';
import type { ConsumeOptions, ChannelTraffic, TrafficListener } from './channel-traffic.js';
import type { FastPath } from './fast-path.js';

/**
 * The traffic of a channel past the client library, which only asks for the consumer and hears of its
 * cancel.
 */
export class FastChannel implements ChannelTraffic {
  private attached = false;
  private ended = false;

  constructor(
    private readonly fastPath: FastPath,
    private readonly number: number,
    private readonly channel: Channel,
    private readonly listener: TrafficListener,
  ) {}

  get writable(): boolean {
    return this.fastPath.writable;
  }

  async consume(queue: string, options: ConsumeOptions): Promise<string> {
    if (!this.ended) this.fastPath.attach(this.number, this.listener, true);
    this.attached = true;
    const { consumerTag } = await this.channel.consume(
      queue,
      // Deliveries come past the client library. If one does not, it is one all the same.
      (message) => this.listener.onDelivery(message === null ? 'cancelled' : received(message)),
      options,
    );
    return consumerTag;
  }

  publish(message: OutgoingMessage, replyTo?: string): void {
    this.attach();
    this.fastPath.publish(this.number, message, replyTo);
  }

  publishConfirmed(message: OutgoingMessage): void {
    this.publish(message);
  }

  ack(deliveryTag: number, multiple: boolean): void {
    this.fastPath.ack(this.number, deliveryTag, multiple);
  }

  requeue(deliveryTag: number): void {
    this.fastPath.requeue(this.number, deliveryTag);
  }

  settling(): void {
    this.fastPath.settling(this.listener);
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.fastPath.detach(this.number);
  }

  // Not before there is something to hear: whoever declares or looks into queues does that with the client library.
  private attach(): void {
    if (this.attached) return;
    this.attached = true;
    if (!this.ended) this.fastPath.attach(this.number, this.listener, false);
  }
}
