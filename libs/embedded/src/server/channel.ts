// One channel: collects the frames of a publish, hands methods to their files, and turns a failure into channel.close.
// After that it ignores everything but close-ok, as the protocol demands.
import { MessageCounters } from '../model/counters.js';
import { AmqpFailure } from '../model/failure.js';
import type { Queue } from '../model/queue.js';
import { type Frame, FRAME_BODY, FRAME_HEADER } from '../wire/frames.js';
import { methodIds } from '../wire/method-codec.js';
import type { Args, Method, MethodName } from '../wire/methods.js';
import { checkProperties, NO_PROPERTIES } from '../wire/properties.js';
import { equals, type WholePublish } from '../wire/whole-publish.js';
import type { Channel as ChannelContext, Client } from './channel-context.js';
import { dispatch } from './channel-methods.js';
import { type Confirms } from './confirms.js';
import { publish } from './publish.js';
import { type ReplyConsumer } from './direct-replies.js';
import type { Subscription } from './subscription.js';
import type { Transaction } from './transaction.js';
import { requeue, Unacked } from './unacked.js';

/** More than this no header may announce, whatever the limit for messages. */
const MAX_ANNOUNCED = 512 * 1024 * 1024;

/** Properties longer than this are not compared with those of the next message. */
const SHARED = 512;

interface Assembly {
  readonly args: Args<'basic.publish'>;
  properties: Buffer | undefined;
  missing: number;
  /** Bytes of it that are here. */
  here: number;
  readonly parts: Buffer[];
}

export class Channel implements ChannelContext {
  readonly unacked = new Unacked();
  readonly counters = new MessageCounters();
  readonly subscriptions = new Map<string, Subscription>();
  /** Set by confirm.select. */
  confirms: Confirms | undefined;
  /** Set by tx.select. */
  transaction: Transaction | undefined;
  /** Prefetch that the next consumers get. */
  prefetch = 0;
  /** The queue that an empty queue name stands for. */
  lastQueue = '';
  replies: ReplyConsumer | undefined;

  private assembly: Assembly | undefined;
  private lastProperties = NO_PROPERTIES;
  private closing = false;
  /** Those it consumed from until it was detached. */
  private left: Queue[] = [];

  constructor(
    readonly connection: Client,
    readonly number: number,
  ) {}

  /** Whether it is on its way out. */
  get closed(): boolean {
    return this.closing;
  }

  /** Whether this opens a channel anew whose close the client has not confirmed; some clients do not wait. */
  reopens(method: Method): boolean {
    return this.closing && method.name === 'channel.open';
  }

  reply<N extends MethodName>(name: N, args: Args<N>): void {
    this.connection.outbox.method(this.number, name, args);
  }

  method(method: Method): void {
    if (this.closing) {
      if (method.name === 'channel.close-ok') this.connection.channels.forget(this);
      else if (method.name === 'channel.close') this.reply('channel.close-ok', {});
      return;
    }
    if (this.assembly) {
      throw new AmqpFailure(
        505,
        'expected content header for class 60, got non content header frame instead',
      );
    }
    if (method.name === 'basic.publish') {
      this.assembly = { args: method.args, properties: undefined, missing: 0, here: 0, parts: [] };
      return;
    }
    try {
      dispatch(this, method);
    } catch (error) {
      this.failed(error, method.name);
    }
  }

  content(frame: Frame): void {
    if (this.closing) return;
    const { assembly } = this;
    if (frame.type === FRAME_HEADER && assembly && !assembly.properties) this.header(assembly, frame.payload);
    else if (frame.type === FRAME_BODY && assembly?.properties) this.body(assembly, frame.payload);
    else throw new AmqpFailure(505, 'expected method frame, got non method frame instead');
  }

  /** A publish that is whole: its method begins at `from`. False when none may begin, since another is under way. */
  publishWhole(bytes: Buffer, from: number, at: WholePublish): boolean {
    if (this.closing || this.assembly) return false;
    const args = this.connection.context.publishCache.read(bytes, from, at.methodEnd);
    const properties = this.propertiesOf(bytes, at.propertiesAt, at.propertiesEnd);
    const body = Buffer.allocUnsafe(at.bodyEnd - at.bodyAt);
    bytes.copy(body, 0, at.bodyAt, at.bodyEnd);
    try {
      publish(this, args, properties, body, args.keys);
    } catch (error) {
      this.failed(error, 'basic.publish');
    }
    return true;
  }

  /** The queue of a consumer is gone; clients that understand it are told. */
  subscriptionLost(subscription: Subscription): void {
    this.unsubscribe(subscription);
    if (this.connection.understands('consumer_cancel_notify')) {
      this.reply('basic.cancel', { consumerTag: subscription.tag, nowait: true });
    }
  }

  /** Stops consuming. The queues get nothing back yet and do not go on, so that what comes back is first. */
  detach(): void {
    if (!this.closing) this.connection.vhost.counters.add(this.counters);
    this.closing = true;
    this.giveUp();
    if (this.replies) this.connection.context.directReplies.close(this.replies);
    this.replies = undefined;
    for (const subscription of this.subscriptions.values()) {
      this.connection.context.meter.remove(subscription);
      this.unacked.forget(subscription);
      subscription.queue.removeConsumer(subscription);
      this.left.push(subscription.queue);
    }
    this.subscriptions.clear();
  }

  /** Requeues what it and others that end with it hold; all are detached. */
  release(others: readonly Channel[] = []): void {
    const all = [this, ...others];
    for (const channel of all) channel.rollback();
    const held = all.flatMap(({ unacked }) => unacked.takeAll());
    requeue(
      held,
      'closed',
      all.flatMap(({ left }) => left.splice(0)),
    );
  }

  /** Confirms that are saved up are written; when there is a disk, as soon as that has the messages, or after waiting for it. */
  flushConfirms(when: 'later' | 'now' = 'later'): void {
    const { number, confirms } = this;
    if (!confirms) return;
    const { outbox, context } = this.connection;
    const write = confirms.take(number, outbox);
    if (!context.journal) write(true);
    else {
      context.journal.afterSync((kept) => {
        if (this.connection.open) write(kept);
      });
      if (when === 'now') context.journal.syncNow();
    }
  }

  /** What the transaction did is undone; what it settled is unacked again. */
  rollback(): void {
    if (!this.transaction) return;
    const { settlements } = this.transaction.take();
    this.unacked.restore(settlements.flatMap(({ deliveries }) => deliveries));
  }

  unsubscribe(subscription: Subscription): void {
    this.subscriptions.delete(subscription.tag);
    this.connection.context.meter.remove(subscription);
    this.unacked.forget(subscription);
  }

  /**
   * The properties at these bytes: those of the message before when they are equal, as most are, so that many waiting
   * messages share them; else a copy, because a slice would keep the whole received chunk for as long as the message waits.
   * Throws a 502 failure for what cannot be read.
   */
  private propertiesOf(bytes: Buffer, from: number, to: number): Buffer {
    if (equals(this.lastProperties, bytes, from, to)) return this.lastProperties;
    const properties = Buffer.allocUnsafe(to - from);
    bytes.copy(properties, 0, from, to);
    checkProperties(properties);
    if (properties.length <= SHARED) this.lastProperties = properties;
    return properties;
  }

  /** Bytes of a message that is not complete yet. */
  private came(assembly: Assembly, bytes: number): void {
    this.connection.context.meter.arrive(bytes);
    assembly.here += bytes;
  }

  /** What came of a message counts no longer: it is complete, or never will be. */
  private giveUp(): void {
    if (this.assembly) this.connection.context.meter.arrived(this.assembly.here);
    this.assembly = undefined;
  }

  private header(assembly: Assembly, payload: Buffer): void {
    if (payload.length < 14) throw new AmqpFailure(502, 'a content header is too short');
    const classId = payload.readUInt16BE(0);
    if (classId !== 60) {
      throw new AmqpFailure(
        505,
        `expected content header for class 60, got one for class ${classId} instead`,
      );
    }
    const size = payload.readUInt32BE(4) * 0x1_0000_0000 + payload.readUInt32BE(8);
    const { maxMessageSize } = this.connection.context.limits;
    if (size > MAX_ANNOUNCED) {
      const announced = payload.readBigUInt64BE(4);
      throw new AmqpFailure(
        501,
        `content body size ${announced} exceeds maximum allowed size ${MAX_ANNOUNCED}`,
      );
    }
    if (size > maxMessageSize) {
      const text = `message size ${size} is larger than configured max size ${maxMessageSize}`;
      this.fail(new AmqpFailure(406, text), 'basic.publish');
      return;
    }
    this.came(assembly, payload.length);
    assembly.properties = this.propertiesOf(payload, 12, payload.length);
    assembly.missing = size;
    if (size === 0) this.complete(assembly, assembly.properties);
  }

  private body(assembly: Assembly, payload: Buffer): void {
    assembly.missing -= payload.length;
    if (assembly.missing < 0) throw new AmqpFailure(501, 'content body frame exceeds remaining content size');
    this.came(assembly, payload.length);
    assembly.parts.push(Buffer.from(payload));
    if (assembly.missing === 0) this.complete(assembly, assembly.properties as Buffer);
  }

  private complete({ args, parts }: Assembly, properties: Buffer): void {
    this.giveUp();
    const [first] = parts;
    const body = parts.length === 1 && first ? first : Buffer.concat(parts);
    try {
      publish(this, args, properties, body);
    } catch (error) {
      this.failed(error, 'basic.publish');
    }
  }

  /** What is wrong with the channel ends the channel; everything else is for the connection. */
  private failed(error: unknown, name: MethodName): void {
    if (!(error instanceof AmqpFailure) || error.hard) throw error;
    this.fail(error, name);
  }

  private fail(failure: AmqpFailure, name: MethodName): void {
    const [classId, methodId] = methodIds(name);
    // Confirms of what was published before the failure come first.
    this.flushConfirms('now');
    this.detach();
    this.reply('channel.close', { code: failure.code, text: failure.message, classId, methodId });
    this.release();
  }
}
