// Which channel each unsettled delivery came on. A delivery is settled on that one or, when it is gone,
// not at all: the broker has the message back already. Bounded by the prefetch of each channel life.

import type { LiveChannel } from '../link/channel.js';
import type { Delivery } from '../model/delivery.js';
import type { Origin } from './settle.js';

/** The unsettled deliveries of one consumer. */
export class Unsettled {
  /** How many there have been. */
  taken = 0;
  private readonly channels = new Map<Delivery, LiveChannel>();
  private waiters: (() => void)[] = [];

  /** `noAck`: the broker forgot the messages at delivery, so there is nothing to settle. */
  constructor(private readonly noAck: boolean) {}

  get size(): number {
    return this.channels.size;
  }

  deliveries(): Iterable<Delivery> {
    return this.channels.keys();
  }

  add(delivery: Delivery, channel: LiveChannel): void {
    this.taken++;
    this.channels.set(delivery, channel);
  }

  cameOn(delivery: Delivery, channel: LiveChannel): boolean {
    return this.channels.get(delivery) === channel;
  }

  /** Acks a delivery, or gives it back, where it came from. False when its channel died. */
  settle(delivery: Delivery, how: 'ack' | 'requeue'): boolean {
    return this.noAck || (this.channels.get(delivery)?.[how](delivery.message.deliveryTag) ?? false);
  }

  /** The channel a delivery came on, as something to settle on later. */
  origin(delivery: Delivery): Origin {
    const channel = this.channels.get(delivery);
    const { deliveryTag } = delivery.message;
    return {
      alive: () => this.noAck || (channel?.alive ?? false),
      ack: () => this.noAck || (channel?.ack(deliveryTag) ?? false),
      requeue: () => this.noAck || (channel?.requeue(deliveryTag) ?? false),
    };
  }

  remove(delivery: Delivery): void {
    this.channels.delete(delivery);
    this.tell();
  }

  /** Its channel died. */
  removeAll(channel: LiveChannel): void {
    for (const [delivery, origin] of this.channels) if (origin === channel) this.channels.delete(delivery);
    this.tell();
  }

  /** Resolves when there are none. */
  none(): Promise<void> {
    if (this.channels.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private tell(): void {
    if (this.channels.size === 0) for (const resolve of this.waiters.splice(0)) resolve();
  }
}
