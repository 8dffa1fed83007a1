import { randomUUID } from 'node:crypto';
import type { LiveChannel } from '../../connection/channel.js';
import type { Connection } from '../../connection/connection.js';
import { RecoveringChannel } from '../../connection/recovering-channel.js';
import { isControlQueue, type CallControl } from '../../message/call-control.js';
import type { Clock } from '../../runtime/clock.js';
import { ConnectionLostError, EncodeError } from '../../errors/errors.js';
import { describeError, printable } from '../../runtime/logger.js';
import { TooManyPendingCallsError } from '../../errors/rpc-errors.js';
import { countHeader, HEADER, safeHeaders, textHeader } from '../../message/headers.js';
import type { ReceivedMessage } from '../../message/message.js';
import type { Settings } from '../../options/settings.js';
import type { Events } from '../../events/emitter.js';
import {
  channelCloseReason,
  isToBlame,
  type ChannelCloseReasons,
} from '../../publish/channel-close-reason.js';
import { ControlPublisher, type ControlTarget } from './control-publisher.js';
import type { ExchangeCache } from '../../publish/exchange-cache.js';
import { Entry, PendingCalls, type PendingCall } from './pending-calls.js';
import { noConnection } from '../../publish/sender.js';
import { PublishBuffer } from '../../publish/publish-buffer.js';

/** What a reply line is made from. */
export interface ReplyChannelOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly events: Events;
  readonly exchangeCache: ExchangeCache;
  readonly closeReasons: ChannelCloseReasons;
}

const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to';

/**
 * The channel on which requests leave and replies arrive, as direct reply-to demands that both are one. It
 * comes back when it was lost; calls that were under way then hear of it at once.
 */
export class ReplyChannel {
  private readonly pendingCalls = new PendingCalls();
  private readonly buffer: PublishBuffer;
  private readonly recovering: RecoveringChannel;
  private readonly control: ControlPublisher;
  private replyTo = DIRECT_REPLY_TO;
  private closed = false;

  constructor(private readonly options: ReplyChannelOptions) {
    const { connection, clock, settings } = options;
    const limit = { messages: settings.rpc.maxPending, bytes: settings.publish.buffer.bytes };
    this.buffer = new PublishBuffer(limit, undefined, (full) => new TooManyPendingCallsError(full));
    this.control = new ControlPublisher(options);
    this.recovering = new RecoveringChannel({
      connection,
      clock,
      kind: 'plain',
      reconnect: settings.reconnect,
      setup: (channel) => this.setUp(channel),
      onReady: () => this.flush(),
      onLost: (_channel, reason) => this.lost(reason),
      onFailed: (error) =>
        settings.logger.warn(
          `cannot listen for replies yet: ${printable(describeError(error))}; trying again`,
        ),
    });
  }

  /** Calls that wait for their answer, or to be sent. */
  get pending(): number {
    return this.pendingCalls.size;
  }

  /** Lets waiting calls go. */
  flush(): void {
    this.buffer.release(() => this.isOpen());
    this.control.flush();
  }

  /** Why a call with this id cannot even begin, if so. */
  closeReason(id: string | undefined): Error | undefined {
    const { maxPending } = this.options.settings.rpc;
    if (this.closed) return new ConnectionLostError('cannot call: the broker object was closed');
    if (this.pending >= maxPending) return new TooManyPendingCallsError(`${maxPending} calls`);
    if (id === undefined || !this.pendingCalls.get(id)) return undefined;
    const text = `a call with the correlation id '${printable(id)}' is already pending`;
    return new EncodeError(text, 'omit correlationId, or make it unique');
  }

  /** Sends a call, now or when the way is open. It fails by itself if that cannot be. */
  begin(call: PendingCall): void {
    const { exchangeCache: destinations } = this.options;
    this.recovering.start();
    const entry = new Entry(call, this.send);
    this.pendingCalls.add(entry);
    // A missing exchange would cost the channel, and with it the answers of all other calls.
    if (destinations.isKnown(call.message.exchange)) this.launch(entry);
    else
      destinations.ensure(call.message.exchange).then(
        () => this.launch(entry),
        (error: Error) => call.fail(error),
      );
  }

  /** The call ended: nothing of it stays here. Says whether it had been sent. */
  end(id: string): boolean {
    const entry = this.pendingCalls.get(id);
    if (!entry) return false;
    if (!entry.gone) this.buffer.leave(entry);
    this.pendingCalls.remove(entry);
    return entry.sent;
  }

  /** Whether a call has left, so that somebody may be at work for it. */
  isSent(id: string): boolean {
    return this.pendingCalls.get(id)?.sent ?? false;
  }

  /** Tells the servers of a call something, when they can know it. Nobody waits for it to arrive. */
  tell(control: CallControl, target: ControlTarget): void {
    if (!this.closed) this.control.tell(control, target);
  }

  /** Why the request of a call has not left; undefined when it has. */
  whyUnsent(id: string): string | undefined {
    if (this.isSent(id)) return undefined;
    const { connection } = this.options;
    if (connection.blocked) return 'the broker blocks publishing (memory or disk alarm)';
    if (connection.state !== 'open') return noConnection(connection);
    return this.isOpen() ? 'its exchange could not be checked' : 'the broker accepts messages too slowly';
  }

  /** Ends every call with ConnectionLostError. */
  async close(): Promise<void> {
    // Nobody will hear what servers are at work on, streams that never end among it.
    for (const { id, message, controlQueue } of this.pendingCalls.sentCalls()) {
      this.tell({ kind: 'cancel', id }, controlQueue === undefined ? message : { queue: controlQueue });
    }
    this.closed = true;
    this.pendingCalls.lost('closed');
    for (const call of this.pendingCalls.calls()) {
      call.fail(new ConnectionLostError('the broker object was closed before the call could be sent'));
    }
    await Promise.all([this.recovering.close(), this.control.close()]);
  }

  /** The channel ended. When the broker refused a request, those to blame hear why. */
  private lost(reason: string): void {
    const closeReason = channelCloseReason(reason);
    if (closeReason?.exchange === undefined) return this.pendingCalls.lost(reason);
    const { exchangeCache: destinations, closeReasons: refusals } = this.options;
    refusals.remember(closeReason);
    destinations.refused(closeReason);
    const { error } = closeReason;
    if (error) {
      for (const call of this.pendingCalls.calls())
        if (isToBlame(closeReason, call.message)) call.fail(error);
    }
    this.pendingCalls.lost(reason);
  }

  private launch(entry: Entry): void {
    if (entry.call.ended) return;
    const refused = this.options.closeReasons.of(entry.call.message);
    if (refused) return entry.call.fail(refused);
    if (this.isOpen()) return this.send(entry);
    try {
      this.buffer.enter(entry);
    } catch (error) {
      entry.call.fail(error as Error);
    }
  }

  private readonly send = (entry: Entry): void => {
    const channel = this.recovering.current;
    const { call } = entry;
    // It waits before its frame leaves.
    entry.sent = true;
    try {
      channel?.publish(call.message, this.replyTo);
    } catch (error) {
      const text = describeError(error);
      if (channel?.alive) call.fail(new EncodeError(`the request cannot be sent: ${text}`, '', error));
      else call.onLost(text);
    }
  };

  private async setUp(channel: LiveChannel): Promise<void> {
    const { settings, events } = this.options;
    if (settings.rpc.reply === 'queue') {
      this.replyTo = `${settings.service}.replies.${randomUUID().slice(0, 8)}`;
      const options = { exclusive: true, autoDelete: true, durable: false };
      await channel.declaring.assertQueue(this.replyTo, options);
    }
    channel.listen({
      onReturn: (message) => this.pendingCalls.returned(message),
      onDrain: () => this.flush(),
    });
    await channel.consume(this.replyTo, { noAck: true }, (message) => {
      if (message === 'cancelled') return this.recovering.renew();
      if (this.pendingCalls.deliver(message)) return;
      const correlationId = String(message.properties.correlationId ?? '');
      events.emit({ kind: 'reply-ignored', correlationId });
      this.stop(correlationId, message);
    });
  }

  /** A stream that nobody reads: it began anew after its call had ended, or its server was not reached. */
  private stop(id: string, { properties }: ReceivedMessage): void {
    const headers = safeHeaders(properties.headers);
    const queue = textHeader(headers, HEADER.control);
    const running = headers[HEADER.alive] !== undefined || countHeader(headers, HEADER.sequence) === 1;
    if (running && id !== '' && isControlQueue(queue)) this.tell({ kind: 'cancel', id }, { queue });
  }

  private isOpen(): boolean {
    const channel = this.recovering.current;
    return channel !== undefined && channel.alive && channel.writable && !this.options.connection.blocked;
  }
}
