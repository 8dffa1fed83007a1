// Which channel each unsettled delivery came on. A delivery is settled on that one or, when it is gone,
// not at all: the broker has the message back already. Bounded by the prefetch of each channel life.

import type { LiveChannel } from '../link/channel.js';
import type { Delivery } from '../model/delivery.js';
import type { Origin } from './settle.js';

/** The unsettled deliveries of one consumer. */
export class Unsettled {
  /** How many there have been. */
  taken = 0;
  /** Each with its channel at the same place. */
  private readonly list: Delivery[] = [];
  private readonly channels: LiveChannel[] = [];
  private waiters: (() => void)[] = [];

  /** `noAck`: the broker forgot the messages at delivery, so there is nothing to settle. */
  constructor(private readonly noAck: boolean) {}

  get size(): number {
    return this.list.length;
  }

  deliveries(): Iterable<Delivery> {
    return this.list;
  }

  add(delivery: Delivery, channel: LiveChannel): void {
    this.taken++;
    delivery.run.place = this.list.push(delivery) - 1;
    this.channels.push(channel);
  }

  cameOn(delivery: Delivery, channel: LiveChannel): boolean {
    return this.channelOf(delivery) === channel;
  }

  /** Acks a delivery, or gives it back, where it came from. False when its channel died. */
  settle(delivery: Delivery, how: 'ack' | 'requeue'): boolean {
    return this.noAck || (this.channelOf(delivery)?.[how](delivery.message.deliveryTag) ?? false);
  }

  /** The channel a delivery came on, as something to settle on later. */
  origin(delivery: Delivery): Origin {
    const channel = this.channelOf(delivery);
    const { deliveryTag } = delivery.message;
    return {
      alive: () => this.noAck || (channel?.alive ?? false),
      ack: () => this.noAck || (channel?.ack(deliveryTag) ?? false),
      requeue: () => this.noAck || (channel?.requeue(deliveryTag) ?? false),
    };
  }

  remove(delivery: Delivery): void {
    this.takeOut(delivery);
    this.tell();
  }

  /** Its channel died. */
  removeAll(channel: LiveChannel): void {
    for (const delivery of [...this.list]) if (this.cameOn(delivery, channel)) this.takeOut(delivery);
    this.tell();
  }

  /** Resolves when there are none. */
  none(): Promise<void> {
    if (this.list.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private channelOf({ run: { place } }: Delivery): LiveChannel | undefined {
    return place < 0 ? undefined : this.channels[place];
  }

  /** The last one takes its place. */
  private takeOut({ run }: Delivery): void {
    const { place } = run;
    if (place < 0) return;
    run.place = -1;
    const last = this.list.pop() as Delivery;
    const channel = this.channels.pop() as LiveChannel;
    if (last.run === run) return;
    this.list[place] = last;
    this.channels[place] = channel;
    last.run.place = place;
  }

  private tell(): void {
    if (this.list.length === 0) for (const resolve of this.waiters.splice(0)) resolve();
  }
}
