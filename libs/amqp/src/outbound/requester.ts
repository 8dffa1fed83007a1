// Calls a handler elsewhere and waits for its answer. Requests and replies share one channel, as direct
// reply-to demands; the waiter is in the inbox before its frame leaves.

import { randomBytes, randomUUID } from 'node:crypto';
import { milliseconds } from '../model/duration.js';
import { ConnectionLostError, EncodeError } from '../model/errors.js';
import { WaitingRoomFullError } from '../model/publish-errors.js';
import {
  RpcCancelledError,
  RpcConnectionLostError,
  RpcNoServerError,
  RpcTimeoutError,
} from '../model/rpc-errors.js';
import { describeError, printable } from '../model/logger.js';
import { validate } from '../model/schema.js';
import { outgoing } from '../model/outgoing.js';
import type { Clock } from '../model/clock.js';
import type { CodecLookup } from '../model/codec.js';
import type { Deadlines } from '../model/deadlines.js';
import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';
import type { RequestOptions } from '../model/publish-options.js';
import type { Settings } from '../model/settings.js';
import type { LiveChannel } from '../link/channel.js';
import type { Connection } from '../link/connection.js';
import { ChannelLease } from '../link/lease.js';
import type { Events } from '../observe/events.js';
import type { Destinations } from './destinations.js';
import { Inbox } from './inbox.js';
import { readReply } from './remote-error.js';
import { WaitingRoom, type Waiting } from './waiting-room.js';

/** What a requester is made from. */
export interface RequesterOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly codecs: CodecLookup;
  readonly events: Events;
  readonly destinations: Destinations;
}

const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to';

/** The calling side of RPC. */
export class Requester {
  private readonly inbox = new Inbox();
  private readonly room: WaitingRoom;
  private readonly lease: ChannelLease;
  private readonly failWaiting = new Set<(error: Error) => void>();
  private readonly ids = new Set<string>();
  private readonly prefix = randomBytes(12).toString('base64url');
  private counter = 0;
  private replyTo = DIRECT_REPLY_TO;
  private closed = false;

  constructor(private readonly options: RequesterOptions) {
    const { connection, clock, settings, events } = options;
    this.room = new WaitingRoom({ messages: settings.rpc.maxPending, bytes: settings.publish.room.bytes });
    this.lease = new ChannelLease({
      connection,
      kind: 'plain',
      clock,
      reconnect: settings.reconnect,
      setup: (channel) => this.setUp(channel),
      onReady: () => this.flush(),
      onLost: (_channel, reason) => this.inbox.lost(reason),
      onFailed: (error) => settings.logger.warn(`cannot listen for replies yet: ${String(error)}`),
    });
    this.onIgnored = (message) =>
      events.emit({ kind: 'reply-ignored', correlationId: String(message.properties.correlationId ?? '') });
  }

  private readonly onIgnored: (message: ReceivedMessage) => void;

  /** Calls that wait for their answer, or to be sent. */
  get pending(): number {
    return this.ids.size;
  }

  /** Lets waiting calls go. */
  flush(): void {
    this.room.release(() => this.isOpen());
  }

  /** Calls the handler of `routingKey` (on the default exchange: that queue). */
  request(routingKey: string, payload: unknown, options: RequestOptions): Promise<unknown> {
    const exchange = options.exchange ?? '';
    if (this.closed)
      return Promise.reject(new ConnectionLostError('calling is over: the broker object was closed'));
    if (options.signal?.aborted) {
      return Promise.reject(new RpcCancelledError(exchange, routingKey, options.signal.reason));
    }
    if (this.pending >= this.options.settings.rpc.maxPending) {
      return Promise.reject(
        new WaitingRoomFullError(`${this.options.settings.rpc.maxPending} calls under way`),
      );
    }
    if (options.correlationId !== undefined && this.ids.has(options.correlationId)) {
      const text = `a call with the correlation id '${printable(options.correlationId)}' is under way already`;
      return Promise.reject(new EncodeError(text, 'leave correlationId out, or make it unique'));
    }
    this.lease.start();
    return new Promise<unknown>((resolve, reject) => {
      const timeout =
        options.timeout === undefined
          ? this.options.settings.rpc.timeout
          : milliseconds(options.timeout, 'timeout');
      const message = this.build(exchange, routingKey, payload, options, timeout);
      this.call(message, timeout, options, resolve, reject);
    });
  }

  /** Ends every call with ConnectionLostError. */
  async close(): Promise<void> {
    this.closed = true;
    this.inbox.lost('closed');
    for (const fail of [...this.failWaiting])
      fail(new ConnectionLostError('closed before the call could be sent'));
    await this.lease.close();
  }

  private call(
    message: OutgoingMessage,
    timeout: number,
    options: RequestOptions,
    resolve: (value: unknown) => void,
    reject: (error: Error) => void,
  ): void {
    const { exchange, routingKey, properties } = message;
    const id = properties.correlationId as string;
    const { signal } = options;
    let ended = false;
    this.ids.add(id);
    const end = (settle: () => void): void => {
      if (ended) return;
      ended = true;
      this.ids.delete(id);
      this.inbox.remove(id);
      this.room.leave(waiting);
      this.failWaiting.delete(fail);
      this.options.deadlines.clear(deadline);
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    const onAbort = (): void => fail(new RpcCancelledError(exchange, routingKey, signal?.reason));
    const deadline = this.options.deadlines.set(timeout, () =>
      fail(new RpcTimeoutError(exchange, routingKey, timeout, id)),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    const waiter = {
      id,
      onReply: (reply: ReceivedMessage) => end(() => this.settleWith(reply, options, resolve, reject)),
      onReturned: () => fail(new RpcNoServerError(exchange, routingKey)),
      onLost: (reason: string) => fail(new RpcConnectionLostError(exchange, routingKey, new Error(reason))),
    };
    const go = (): void => {
      this.failWaiting.delete(fail);
      this.inbox.add(waiter);
      try {
        this.lease.current?.publish(message, this.replyTo);
      } catch (error) {
        const text = describeError(error);
        if (this.lease.current?.alive)
          fail(new EncodeError(`the request cannot be sent: ${text}`, '', error));
        else waiter.onLost(text);
      }
    };
    const waiting: Waiting = { bytes: message.content.length, go, gone: true };
    const launch = (): void => {
      if (ended) return;
      if (this.isOpen()) return go();
      try {
        this.room.enter(waiting);
      } catch (error) {
        fail(error as Error);
      }
    };
    this.failWaiting.add(fail);
    // A missing exchange would cost the channel, and with it the answers of all other calls.
    if (this.options.destinations.isKnown(exchange)) launch();
    else this.options.destinations.ensure(exchange).then(launch, fail);
  }

  private settleWith(
    reply: ReceivedMessage,
    options: RequestOptions,
    resolve: (value: unknown) => void,
    reject: (error: Error) => void,
  ): void {
    try {
      const value = readReply(reply, this.options.codecs, options.codec);
      if (options.schema) validate(options.schema, value).then(resolve, reject);
      else resolve(value);
    } catch (error) {
      reject(error as Error);
    }
  }

  private build(
    exchange: string,
    routingKey: string,
    payload: unknown,
    options: RequestOptions,
    timeout: number,
  ): OutgoingMessage {
    const { settings, clock, codecs } = this.options;
    // Random once per process, then counted: hard to guess from outside, cheap inside.
    const correlationId = options.correlationId ?? `${this.prefix}.${(this.counter++).toString(36)}`;
    return outgoing(
      {
        exchange,
        routingKey,
        persistent: false,
        mandatory: true,
        messageId: options.messageId ?? randomUUID(),
        timestamp: clock.now(),
        appId: settings.service,
        maxBytes: settings.maxMessageBytes,
      },
      codecs.encode(payload, options.contentType, options.codec, { exchange, routingKey, correlationId }),
      // A request that nobody waits for any more is not worth working on.
      { ...options, correlationId, expiration: timeout },
    );
  }

  private async setUp(channel: LiveChannel): Promise<void> {
    if (this.options.settings.rpc.reply === 'queue') {
      this.replyTo = `${this.options.settings.service}.replies.${randomUUID().slice(0, 8)}`;
      await channel.declaring.assertQueue(this.replyTo, {
        exclusive: true,
        autoDelete: true,
        durable: false,
      });
    }
    channel.onReturn((message) => this.inbox.returned(message));
    channel.onDrain(() => this.flush());
    await channel.consume(this.replyTo, { noAck: true }, (message) => {
      if (message === 'cancelled') this.lease.renew();
      else if (!this.inbox.deliver(message)) this.onIgnored(message);
    });
  }

  private isOpen(): boolean {
    const channel = this.lease.current;
    return channel !== undefined && channel.alive && channel.writable && !this.options.connection.blocked;
  }
}
