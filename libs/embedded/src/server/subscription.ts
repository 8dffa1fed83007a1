// A consumer of a channel: counts its unacked messages, applies the prefetch limit, and writes deliveries.
import type { Consumer } from '../model/consumers.js';
import type { MessageCounters } from '../model/counters.js';
import type { Held, Message } from '../model/message.js';
import type { Queue } from '../model/queue.js';
import { offsetHeader } from '../model/stream.js';
import type { VersionTraits } from '../model/version.js';
import { encodeTable, type Field, type Table } from '../wire/field-table.js';
import { changeProperties, tableProperty } from '../wire/properties.js';
import type { Peer, Session } from './handshake.js';
import type { ServerContext } from './server-context.js';
import type { Outbox } from './outbox.js';
import type { Unacked } from './unacked.js';

const nextTurn = setImmediate;

export interface SubscriptionOptions {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  readonly prefetch: number;
  readonly arguments: Table;
}

/** The channel of a consumer. */
interface ConsumingChannel {
  readonly number: number;
  readonly unacked: Unacked;
  readonly counters: MessageCounters;
  readonly connection: {
    readonly id: number;
    readonly context: ServerContext;
    readonly outbox: Outbox;
    readonly peer: Peer;
    readonly agreed: Session | undefined;
    canTakeMore(subscription: Subscription): boolean;
  };
  subscriptionLost(subscription: Subscription): void;
}

export class Subscription implements Consumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  readonly prefetch: number;
  readonly arguments: Table;
  readonly connection: number;
  holding = 0;
  /** Refused a message, and its queue does not ask it again before it is woken. */
  private waits = false;

  constructor(
    readonly channel: ConsumingChannel,
    readonly queue: Queue,
    options: SubscriptionOptions,
  ) {
    this.tag = options.tag;
    this.noAck = options.noAck;
    this.exclusive = options.exclusive;
    this.priority = options.priority;
    this.prefetch = options.prefetch;
    this.arguments = options.arguments;
    this.connection = channel.connection.id;
  }

  ready(): boolean {
    this.waits = !this.hasRoom();
    return !this.waits;
  }

  /** What refused it a message does so no longer; its queue may ask again. */
  wake(): void {
    if (!this.waits) return;
    this.waits = false;
    this.queue.consumers.wake(this);
  }

  /** One of the deliveries it holds is settled. */
  letGo(): void {
    this.holding -= 1;
    this.wake();
  }

  deliver(held: Held): void {
    const { channel, queue } = this;
    const deliveryTag = channel.unacked.next();
    queue.counters.delivered(this.noAck, held.redelivered);
    channel.counters.delivered(this.noAck, held.redelivered);
    if (!this.noAck) {
      channel.unacked.add({ tag: deliveryTag, queue, held, subscription: this });
      this.holding += 1;
    }
    const { message } = held;
    channel.connection.outbox.content(
      channel.number,
      'basic.deliver',
      {
        consumerTag: this.tag,
        deliveryTag,
        redelivered: held.redelivered,
        exchange: message.exchange,
        routingKey: message.routingKey,
      },
      deliveredProperties(queue, held, channel.connection.context.traits),
      message.body,
    );
  }

  cancelled(): void {
    this.channel.subscriptionLost(this);
  }

  private hasRoom(): boolean {
    const { channel } = this;
    if (!channel.connection.canTakeMore(this)) return false;
    if (this.noAck) return true;
    return (this.prefetch === 0 || this.holding < this.prefetch) && channel.unacked.admits(this);
  }
}

/**
 * Consumers of one connection that were refused a message because too much was unsent. They are woken together once the
 * client has read, in a turn of their own so that others get theirs.
 */
export class Starved {
  private subscriptions = new Set<Subscription>();

  add(subscription: Subscription): void {
    this.subscriptions.add(subscription);
  }

  forget(): void {
    this.subscriptions.clear();
  }

  feed(): void {
    const { subscriptions } = this;
    if (subscriptions.size === 0) return;
    this.subscriptions = new Set();
    nextTurn(() => {
      for (const subscription of subscriptions) subscription.wake();
      for (const { queue } of subscriptions) queue.pump();
    });
  }
}

/** Streams tell where a message is; quorum queues how often a message came back; to `basic.get`, when it is `got`, some tell more. */
export function deliveredProperties(queue: Queue, held: Held, traits: VersionTraits, got = false): Buffer {
  const { message, returns, acquired } = held;
  const { type } = queue.settings;
  if (type === 'classic') return message.properties;
  if (type === 'stream') return withHeaders(message, [offsetHeader(held)]);
  const counts = new Map<string, Field>();
  if (traits.countsAcquired && acquired > 0)
    counts.set('x-acquired-count', { type: 'long', value: acquired });
  if (returns > 0 || (got && traits.tellsNoDeliveries)) {
    counts.set('x-delivery-count', { type: 'long', value: returns });
  }
  if (counts.size === 0) return message.properties;
  return withHeaders(message, counts);
}

function withHeaders(message: Message, more: Iterable<readonly [string, Field]>): Buffer {
  const headers = encodeTable(new Map([...message.headers, ...more]));
  return changeProperties(message.properties, [['headers', tableProperty(headers)]]);
}
