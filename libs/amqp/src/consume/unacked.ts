// Which channel each unsettled delivery came on. A delivery is settled on that one or, when it is gone, not at all: the
// broker has the message back already. When it took it back because the handler takes long, and delivers it again while
// that still runs here, that run is what settles it: a good result is not thrown away, and nothing runs twice at the same time. Bounded by the prefetch of each
// channel life.

import type { ReceivedMessage } from '../message/message.js';
import type { LiveChannel } from '../connection/channel.js';
import type { Delivery } from '../message/delivery.js';
import type { Origin } from './settlement.js';

/** The unsettled deliveries of one consumer. */
export class Unsettled {
  /** How many there have been. */
  taken = 0;
  /** Each with its channel at the same place. */
  private readonly list: Delivery[] = [];
  private readonly channels: LiveChannel[] = [];
  /** Those whose handler runs although their channel died, and whose message has not come back yet. */
  private readonly adrift = new Set<Delivery>();
  private waiters: (() => void)[] = [];
  private quietWaiters: (() => void)[] = [];

  /** `noAck`: the broker forgot the messages at delivery, so there is nothing to settle. */
  constructor(private readonly noAck: boolean) {}

  get size(): number {
    return this.list.length;
  }

  deliveries(): Iterable<Delivery> {
    return this.list;
  }

  /** Those that run although the broker has their message back. */
  orphans(): Iterable<Delivery> {
    return this.adrift;
  }

  add(delivery: Delivery, channel: LiveChannel): void {
    this.taken++;
    delivery.run.tag = delivery.message.deliveryTag;
    this.seat(delivery, channel);
  }

  /** The delivery that still runs for a message which the broker delivers again: it is settled here from now on. */
  takeBack(message: ReceivedMessage, channel: LiveChannel): Delivery | undefined {
    if (!message.redelivered || this.adrift.size === 0) return undefined;
    for (const delivery of this.adrift) {
      if (!isSame(delivery.message, message)) continue;
      this.adrift.delete(delivery);
      this.taken++;
      delivery.run.tag = message.deliveryTag;
      this.seat(delivery, channel);
      return delivery;
    }
    return undefined;
  }

  cameOn(delivery: Delivery, channel: LiveChannel): boolean {
    return this.channelOf(delivery) === channel;
  }

  /** Acks a delivery where it came from. False when its channel died. */
  ack(delivery: Delivery): boolean {
    return this.noAck || (this.channelOf(delivery)?.ack(delivery.run.tag) ?? false);
  }

  /** The channel a delivery came on, or comes on by then, as something to settle on later. */
  origin(delivery: Delivery): Origin {
    return {
      alive: () => this.noAck || (this.channelOf(delivery)?.alive ?? false),
      ack: () => this.ack(delivery),
      requeue: () => this.noAck || (this.channelOf(delivery)?.requeue(delivery.run.tag) ?? false),
    };
  }

  remove(delivery: Delivery): void {
    this.adrift.delete(delivery);
    this.takeOut(delivery);
    this.tell();
  }

  /** Its channel died. `keepRuns`: those of its deliveries that run may settle their message when it comes again. */
  removeAll(channel: LiveChannel, keepRuns = false): void {
    for (const delivery of [...this.list]) {
      if (!this.cameOn(delivery, channel)) continue;
      this.takeOut(delivery);
      if (keepRuns && delivery.run.beganAt > 0 && !this.noAck) this.adrift.add(delivery);
    }
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

  private seat(delivery: Delivery, channel: LiveChannel): void {
    delivery.run.place = this.list.push(delivery) - 1;
    this.channels.push(channel);
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

  /** Resolves when none of them runs. */
  quiet(): Promise<void> {
    if (!this.list.some(isRunning)) return Promise.resolve();
    return new Promise((resolve) => this.quietWaiters.push(resolve));
  }

  private tell(): void {
    if (this.quietWaiters.length > 0 && !this.list.some(isRunning)) {
      for (const resolve of this.quietWaiters.splice(0)) resolve();
    }
    if (this.list.length === 0) for (const resolve of this.waiters.splice(0)) resolve();
  }
}

const isRunning = ({ run }: Delivery): boolean => run.beganAt > 0;

/** Whether two deliveries are of one message, as far as can be told: headers are the broker's to change. */
function isSame(one: ReceivedMessage, other: ReceivedMessage): boolean {
  const [mine, its] = [one.properties, other.properties];
  return (
    mine.messageId === its.messageId &&
    mine.correlationId === its.correlationId &&
    mine.replyTo === its.replyTo &&
    mine.timestamp === its.timestamp &&
    one.exchange === other.exchange &&
    one.routingKey === other.routingKey &&
    one.content.equals(other.content)
  );
}
