import { randomUUID } from 'node:crypto';
import type { LiveChannel } from '../../connection/channel.js';
import type { Connection } from '../../connection/connection.js';
import { RecoveringChannel } from '../../connection/recovering-channel.js';
import { isControlQueue, type CallControl } from '../../message/call-control.js';
import type { Clock, Deadlines } from '../../runtime/clock.js';
import { ConnectionLostError, EncodeError } from '../../errors/errors.js';
import { describeError, printable } from '../../runtime/logger.js';
import { REPEAT, TooManyPendingCallsError } from '../../errors/rpc-errors.js';
import { countHeader, HEADER, safeHeaders, textHeader } from '../../message/headers.js';
import type { ReceivedMessage } from '../../message/message.js';
import type { Settings } from '../../options/settings.js';
import type { Events } from '../../events/emitter.js';
import {
  channelCloseReason,
  isToBlame,
  type ChannelCloseReasons,
} from '../../publish/channel-replacement.js';
import { ControlPublisher, type ControlTarget } from './control-publisher.js';
import type { ExchangeCache } from '../../publish/exchange-cache.js';
import { type Caller, cancelOf, PendingCalls, type PendingCall } from './call.js';
import { noConnection } from '../../publish/sender.js';
import { PublishBuffer } from '../../publish/publish-buffer.js';
import { errorFields } from '../../errors/error-facts.js';

/** Dependencies. */
export interface ReplyChannelOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly events: Pick<Events, 'emit'>;
  readonly exchangeCache: ExchangeCache;
  readonly closeReasons: ChannelCloseReasons;
}

const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to';

/**
 * The channel that sends requests and receives replies: direct reply-to requires that both use one channel. It is reopened
 * after a loss; calls that were pending on it are told at once.
 */
export class ReplyChannel implements Caller {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  private readonly pendingCalls = new PendingCalls();
  private readonly buffer: PublishBuffer<PendingCall>;
  private readonly recovering: RecoveringChannel;
  private readonly control: ControlPublisher;
  private replyTo = DIRECT_REPLY_TO;
  private closed = false;

  constructor(private readonly options: ReplyChannelOptions) {
    const { connection, clock, settings } = options;
    this.clock = clock;
    this.deadlines = options.deadlines;
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
          { event: 'replies-not-ready', ...errorFields(error) },
        ),
    });
  }

  /** Number of calls that wait for a reply, or to be sent. */
  get pending(): number {
    return this.pendingCalls.size;
  }

  /** They themselves. */
  get calls(): readonly PendingCall[] {
    return this.pendingCalls.values();
  }

  /** Sends waiting calls. */
  flush(): void {
    this.buffer.release(
      () => this.isOpen(),
      (call) => this.send(call),
    );
    this.control.flush();
  }

  /** Why a call with this id cannot begin; undefined when it can. */
  closeReason(id: string | undefined): Error | undefined {
    const { maxPending } = this.options.settings.rpc;
    if (this.closed) return closed('cannot call: the broker object was closed');
    if (this.pendingCalls.size >= maxPending) return new TooManyPendingCallsError(`${maxPending} calls`);
    if (id === undefined || !this.pendingCalls.get(id)) return undefined;
    const text = `a call with the correlation id '${printable(id)}' is already pending`;
    return new EncodeError(text, 'omit correlationId, or make it unique');
  }

  /** Sends a call, now or when the channel is open. Failures are told to the call. */
  begin(call: PendingCall): void {
    const { exchangeCache } = this.options;
    const { exchange } = call.message;
    if (this.recovering.current === undefined) this.recovering.start();
    this.pendingCalls.add(call);
    // A missing exchange would close the channel, and lose the replies of all other calls.
    if (exchange === '' || exchangeCache.isKnown(exchange)) this.launch(call);
    else
      exchangeCache.ensure(exchange).then(
        () => this.launch(call),
        (error: Error) => call.giveUp(error),
      );
  }

  /** The call ended and is forgotten. `left`: its servers are told. */
  ended(call: PendingCall, left: boolean): void {
    if (!call.gone) this.buffer.leave(call);
    this.pendingCalls.remove(call);
    if (left && call.sent) this.tell(call.cancel, call.message);
  }

  /** Sends a call once more that was lost. */
  again(call: PendingCall): void {
    // The channel closes too: nobody would receive the reply.
    if (this.closed) return call.onLost('closed');
    this.ended(call, false);
    call.sent = false;
    this.begin(call);
  }

  /** Sends a control message to the servers of a call, if they support it. Its arrival is not awaited. */
  tell(control: CallControl, target: ControlTarget): void {
    if (!this.closed) this.control.tell(control, target);
  }

  /** Why the request of a call was not sent; undefined when it was. */
  whyUnsent({ sent }: PendingCall): string | undefined {
    if (sent) return undefined;
    const { connection } = this.options;
    if (connection.blocked) return 'the broker blocks publishing (memory or disk alarm)';
    if (connection.state !== 'open') return noConnection(connection);
    return this.isOpen() ? 'its exchange could not be checked' : 'the broker accepts messages too slowly';
  }

  /** Ends every call with ConnectionLostError. */
  async close(): Promise<void> {
    // No reply will be received any more, including those of endless streams.
    for (const { cancel, message, controlQueue, sent } of this.pendingCalls.values()) {
      if (sent) this.tell(cancel, controlQueue === undefined ? message : { queue: controlQueue });
    }
    this.closed = true;
    this.pendingCalls.lost('closed');
    for (const call of this.pendingCalls.values()) {
      call.giveUp(closed('the broker object was closed before the call could be sent'));
    }
    await Promise.all([this.recovering.close(), this.control.close()]);
  }

  /** The channel was lost. If the broker refused a request, the calls that may have caused it get that error. */
  private lost(reason: string): void {
    const closeReason = channelCloseReason(reason);
    if (closeReason?.exchange === undefined) return this.pendingCalls.lost(reason);
    const { exchangeCache, closeReasons } = this.options;
    closeReasons.remember(closeReason);
    exchangeCache.refused(closeReason);
    const { error } = closeReason;
    if (error) {
      for (const call of this.pendingCalls.values())
        if (isToBlame(closeReason, call.message)) call.giveUp(error);
    }
    this.pendingCalls.lost(reason);
  }

  private launch(call: PendingCall): void {
    if (call.ended) return;
    const { closeReasons } = this.options;
    const refused = closeReasons.forbidden.size > 0 ? closeReasons.of(call.message) : undefined;
    if (refused) return call.giveUp(refused);
    if (this.isOpen()) return this.send(call);
    try {
      this.buffer.enter(call);
    } catch (error) {
      call.giveUp(error as Error);
    }
  }

  private send(call: PendingCall): void {
    const channel = this.recovering.current;
    // Before the frame is written: a reply may come at once.
    call.sent = true;
    try {
      channel?.publish(call.message, this.replyTo);
    } catch (error) {
      const text = describeError(error);
      if (channel?.alive) call.giveUp(new EncodeError(`the request cannot be sent: ${text}`, '', error));
      else call.onLost(text);
    }
  }

  private async setUp(channel: LiveChannel): Promise<void> {
    const { settings, events } = this.options;
    if (settings.rpc.reply === 'queue') {
      this.replyTo = `${settings.service}.replies.${randomUUID().slice(0, 8)}`;
      const options = { exclusive: true, autoDelete: true, durable: false };
      await channel.declaring.assertQueue(this.replyTo, options);
    }
    channel.listen({
      onReturn: (message) => this.pendingCalls.waitingFor(message)?.onReturned(),
      onDrain: () => this.flush(),
    });
    await channel.consume(this.replyTo, { noAck: true }, (message) => {
      if (message === 'cancelled') return this.recovering.renew();
      const call = this.pendingCalls.waitingFor(message);
      if (call) return call.onReply(message);
      const correlationId = String(message.properties.correlationId ?? '');
      events.emit({ kind: 'reply-ignored', correlationId });
      this.stop(correlationId, message);
    });
  }

  /** Stops a stream without a reader: it was restarted after its call had ended, or its server missed the cancel. */
  private stop(id: string, { properties }: ReceivedMessage): void {
    const headers = safeHeaders(properties.headers);
    const queue = textHeader(headers, HEADER.control);
    const running = headers[HEADER.alive] !== undefined || countHeader(headers, HEADER.sequence) === 1;
    if (!running || id === '' || !isControlQueue(queue)) return;
    this.tell(cancelOf(id, textHeader(headers, HEADER.call)), { queue });
  }

  private isOpen(): boolean {
    const channel = this.recovering.current;
    return (
      channel !== undefined && channel.alive && channel.socket.writable && !this.options.connection.blocked
    );
  }
}

function closed(message: string): ConnectionLostError {
  return new ConnectionLostError(message, undefined, REPEAT);
}
