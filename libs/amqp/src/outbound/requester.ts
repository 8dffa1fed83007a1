// Calls a handler elsewhere and waits for its answer. Requests and replies share one channel, as direct
// reply-to demands; the waiter is in the inbox before its frame leaves.

import { randomBytes, randomUUID } from 'node:crypto';
import { milliseconds } from '../model/duration.js';
import { ConnectionLostError, EncodeError } from '../model/errors.js';
import { WaitingRoomFullError } from '../model/publish-errors.js';
import { RpcCancelledError } from '../model/rpc-errors.js';
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
import type { Events } from '../observe/listeners.js';
import { Call } from './call.js';
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
  /** Sent or waiting, by correlation id. */
  private readonly calls = new Map<string, Call>();
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
    return this.calls.size;
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
    if (options.correlationId !== undefined && this.calls.has(options.correlationId)) {
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
    for (const call of [...this.calls.values()]) {
      call.fail(new ConnectionLostError('closed before the call could be sent'));
    }
    await this.lease.close();
  }

  private call(
    message: OutgoingMessage,
    timeout: number,
    options: RequestOptions,
    resolve: (value: unknown) => void,
    reject: (error: Error) => void,
  ): void {
    const { deadlines, destinations } = this.options;
    const call: Call = new Call({
      ...{ message, timeout, deadlines, signal: options.signal },
      onEnd: (result) => {
        this.calls.delete(call.id);
        this.inbox.remove(call.id);
        this.room.leave(waiting);
        if ('error' in result) reject(result.error);
        else this.read(result.reply, options).then(resolve, reject);
      },
    });
    const waiting: Waiting = { bytes: message.content.length, go: () => this.send(call), gone: true };
    this.calls.set(call.id, call);
    const launch = (): void => this.launch(call, waiting);
    // A missing exchange would cost the channel, and with it the answers of all other calls.
    if (destinations.isKnown(message.exchange)) launch();
    else destinations.ensure(message.exchange).then(launch, (error: Error) => call.fail(error));
  }

  private launch(call: Call, waiting: Waiting): void {
    if (call.ended) return;
    if (this.isOpen()) return this.send(call);
    try {
      this.room.enter(waiting);
    } catch (error) {
      call.fail(error as Error);
    }
  }

  private send(call: Call): void {
    const channel = this.lease.current;
    this.inbox.add(call);
    try {
      channel?.publish(call.message, this.replyTo);
    } catch (error) {
      const text = describeError(error);
      if (channel?.alive) call.fail(new EncodeError(`the request cannot be sent: ${text}`, '', error));
      else call.onLost(text);
    }
  }

  private async read(reply: ReceivedMessage, { codec, schema }: RequestOptions): Promise<unknown> {
    const value = readReply(reply, this.options.codecs, codec);
    return schema ? validate(schema, value) : value;
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
