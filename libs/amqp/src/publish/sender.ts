// Sends an encoded message to the broker: it waits in the publish buffer while no channel is writable, is published on
// the confirm channel, and settles exactly once with its outcome.

import { ConnectionLostError } from '../errors/errors.js';
import type { Clock, Deadlines } from '../runtime/clock.js';
import type { Counters } from '../events/events.js';
import { describeError, printable, LogLimiter } from '../runtime/logger.js';
import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import type { Settings } from '../options/settings.js';
import type { Events } from '../events/emitter.js';
import type { LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { RecoveringChannel } from '../connection/recovering-channel.js';
import {
  abortError,
  PendingSend,
  unconfirmed,
  type Forwarder,
  type Nacks,
  type SendLimits,
  type SendResult,
} from './pending-send.js';
import {
  channelCloseReason,
  ChannelCloseReasons,
  type ChannelCloseReason,
  ChannelReplacement,
} from './channel-replacement.js';
import { Confirms } from './confirms.js';
import { PublishBuffer } from './publish-buffer.js';
import { errorFields } from '../errors/error-facts.js';
import { aboutOutgoing } from '../message/outgoing.js';

/** Dependencies. */
export interface SenderOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** The broker closed the channel because of a publish to this exchange. */
  readonly onRefused?: (closeReason: ChannelCloseReason) => void;
  /** What this connection may not do, if others on it want to know as well. */
  readonly closeReasons?: ChannelCloseReasons;
  readonly counters: Counters;
  readonly events: Events;
}

/** A full buffer is reported once in this time, however many publishes are rejected. */
const REPEAT_AFTER = 1_000;

/** A confirm that takes longer may never come, in ms. */
const CONFIRM_TIMEOUT = 4_000;

/** Messages that waited and are sent in one turn of the event loop: a drained socket accepts thousands. */
const RELEASED_PER_TURN = 500;

/** And a channel whose confirms do not come. */
const REPEAT_UNANSWERED = 60_000;

/** Pauses of a message that the broker refused, in ms: the first, doubled up to the last. */
const FIRST_PAUSE = 50;
const LAST_PAUSE = 1_000;

/** The part of the messages lost together that is resent together when one of them is the cause. */
const SUSPECTS_AT_ONCE = 1 / 8;

/** What RabbitMQ and the client library agree upon unless told otherwise. */
const DEFAULT_FRAME_MAX = 131_072;

/** The confirm channel and its publish buffer. */
export class Sender implements Forwarder {
  /** Holds publishes while they cannot be sent. */
  readonly buffer: PublishBuffer<PendingSend>;
  readonly deadlines: Deadlines;
  private readonly recovering: RecoveringChannel;
  private readonly replacement: ChannelReplacement;
  private confirms: Confirms | undefined;
  private closed = false;
  /** More is released in the next turn. */
  private releasing = false;
  private unsettled = 0;
  private fullToldAt = -Infinity;
  private unansweredToldAt = -Infinity;
  private unblockedAt = -Infinity;
  private agreed = DEFAULT_FRAME_MAX;
  private idleWaiters: (() => void)[] = [];
  private readonly waiting = new Set<PendingSend>();
  /** Refused messages that wait for their next turn, in their order. */
  private nacked: PendingSend[] = [];
  /** How many may be unconfirmed: fewer while one of `suspects` may cost the channel again. */
  private window = Infinity;
  private readonly suspects = new Set<PendingSend>();
  private readonly closeReasons: ChannelCloseReasons;
  private readonly lines: LogLimiter;

  constructor(private readonly options: SenderOptions) {
    this.deadlines = options.deadlines;
    this.buffer = new PublishBuffer(options.settings.publish.buffer, () => this.tellFull());
    this.lines = new LogLimiter(options.clock);
    this.closeReasons = options.closeReasons ?? closeReasons(options);
    this.recovering = new RecoveringChannel({
      connection: options.connection,
      kind: 'confirm',
      clock: options.clock,
      reconnect: options.settings.reconnect,
      onReady: (channel) => {
        this.replacement.end();
        this.confirms = new Confirms(channel, (message) => this.tellReturned(message));
        channel.listen({ onDrain: () => this.flush() });
        this.flush();
      },
      onLost: (_channel, reason) => {
        this.confirms = undefined;
        this.replacement.end();
        this.refused(reason);
      },
    });
    this.replacement = new ChannelReplacement({
      clock: options.clock,
      unconfirmed: () => this.unsettled - this.waiting.size,
      renew: () => this.recovering.renew(),
      onGivenUp: () => this.flush(),
    });
  }

  /** Sent or waiting, and not settled. */
  get pending(): { readonly unconfirmed: number; readonly waiting: number } {
    return { unconfirmed: this.confirms?.size ?? 0, waiting: this.buffer.size };
  }

  /** The largest frame of the connection, as it was agreed upon last. */
  get frameMax(): number {
    const { current } = this.recovering;
    if (current) this.agreed = current.frameMax ?? DEFAULT_FRAME_MAX;
    return this.agreed;
  }

  /** Begins to connect; the first send does so too. */
  start(): void {
    this.recovering.start();
  }

  /** The broker accepts messages again. */
  unblocked(): void {
    this.unblockedAt = this.options.clock.monotonic();
    this.flush();
  }

  /** Sends waiting messages, if possible. */
  flush(): void {
    let left = RELEASED_PER_TURN;
    const now = this.options.clock.monotonic();
    this.buffer.release(
      () => this.isOpen() && left-- > 0,
      (pending) => {
        this.waiting.delete(pending);
        pending.send(this.recovering.current as LiveChannel, this.confirms as Confirms, now);
      },
    );
    if (left >= 0 || this.releasing) return;
    this.releasing = true;
    setImmediate(() => {
      this.releasing = false;
      this.flush();
    });
  }

  /** Whether this many more would be sent at once or fit into the buffer. True for one that never fits. */
  hasSpace(messages: number, bytes: number): boolean {
    return (this.buffer.queued === 0 && this.isOpen()) || this.buffer.fits(messages, bytes);
  }

  /** Sends; the outcome is told to `result`. No promise is created here: callers have one for each message already. */
  send(message: OutgoingMessage, limits: SendLimits, result: SendResult): void {
    if (this.closed || limits.signal?.aborted || this.closeReasons.forbidden.size > 0) {
      const closeReason = this.closeReason(limits) ?? this.closeReasons.of(message);
      if (closeReason) return result.onFailed(closeReason);
    }
    const channel = this.recovering.current;
    if (channel === undefined) this.start();
    this.unsettled++;
    const pending = new PendingSend(message, limits, this, result);
    // A new publish does not overtake waiting ones.
    if (this.buffer.queued === 0 && this.isOpen())
      pending.send(channel as LiveChannel, this.confirms as Confirms, this.options.clock.monotonic());
    else this.wait(pending);
  }

  /** Waits for `work` that a message needs. Meanwhile the message has a place in the buffer, with its limits. */
  hold(message: OutgoingMessage, limits: SendLimits, work: () => Promise<void>): Promise<void> {
    const closeReason = this.closeReason(limits);
    if (closeReason) return Promise.reject(closeReason);
    return new Promise<void>((resolve, reject) => {
      this.unsettled++;
      const result = { onSent: () => resolve(), onFailed: reject };
      const pending = new PendingSend(message, limits, this, result);
      try {
        this.buffer.take(pending);
        this.waiting.add(pending);
        work().then(
          () => pending.succeed(),
          (error: Error) => pending.fail(error),
        );
      } catch (error) {
        pending.fail(error as Error);
      }
    });
  }

  /** Waits until everything is settled or `expired`, then rejects waiting publishes and closes. */
  async close(expired: Promise<void>): Promise<void> {
    this.closed = true;
    const settled =
      this.unsettled === 0
        ? Promise.resolve()
        : new Promise<void>((resolve) => this.idleWaiters.push(resolve));
    // Without a connection there is nothing to wait for: a process must not hang because its broker is away.
    if (!this.isReachable()) this.endWaiting();
    await Promise.race([settled, expired]);
    this.endWaiting();
    await this.recovering.close();
    // Messages in transit that may be resent have returned to the buffer, for a channel that never opens.
    this.endWaiting();
  }

  private endWaiting(): void {
    for (const pending of [...this.waiting]) {
      pending.giveUp(closedEarly());
    }
  }

  private closeReason({ signal }: SendLimits): Error | undefined {
    if (this.closed) return new ConnectionLostError('cannot publish: the broker object was closed');
    return signal?.aborted ? abortError(signal) : undefined;
  }

  private wait(pending: PendingSend, first = false): void {
    try {
      this.buffer.enter(pending, first);
      this.waiting.add(pending);
    } catch (error) {
      pending.giveUp(error as Error);
    }
  }

  again(pending: PendingSend, suspectAmong?: number): void {
    this.options.counters.resent++;
    if (suspectAmong !== undefined) this.suspect(pending, suspectAmong);
    if (this.closed && !this.isReachable()) pending.giveUp(closedEarly());
    else this.wait(pending, true);
  }

  // Sent together, all would be lost again because of the one that the broker refuses. Smaller and smaller groups isolate
  // that one.
  private suspect(pending: PendingSend, among: number): void {
    this.suspects.add(pending);
    this.window = Math.min(this.window, Math.max(1, Math.floor(among * SUSPECTS_AT_ONCE)));
  }

  private widen(pending: PendingSend): void {
    this.suspects.delete(pending);
    if (this.suspects.size === 0) this.window = Infinity;
    else if (this.confirms?.size === 0) this.window *= 2;
    this.flush();
  }

  /** Keeps its place in the buffer for a pause. False when its time is over, or the buffer is full. */
  retryNacked(pending: PendingSend, nacks: Nacks, within: number): boolean {
    const now = this.options.clock.monotonic();
    if (nacks.times === 1) nacks.first = now;
    nacks.last = now;
    const pause = Math.min(FIRST_PAUSE * 2 ** (nacks.times - 1), LAST_PAUSE);
    if (now + pause - nacks.first > within) return false;
    if (this.closed && !this.isReachable()) return false;
    try {
      this.buffer.take(pending);
    } catch {
      return false;
    }
    this.options.counters.nacked++;
    this.waiting.add(pending);
    this.nacked.push(pending);
    if (this.nacked.length === 1) this.options.deadlines.set(pause, () => this.sendNacked());
    if (this.replacement.pending) this.replacement.answered();
    return true;
  }

  private sendNacked(): void {
    const { nacked } = this;
    this.nacked = [];
    for (const pending of nacked) {
      if (!this.waiting.has(pending)) continue;
      this.buffer.leave(pending);
      this.wait(pending, true);
    }
    this.flush();
  }

  /** The channel was closed; the reason is remembered when the broker gave one. */
  private refused(reason: string): void {
    const closeReason = channelCloseReason(reason);
    if (closeReason) {
      this.closeReasons.remember(closeReason);
      this.options.onRefused?.(closeReason);
    } else if (/protocol error/.test(reason)) {
      const { logger } = this.options.settings;
      this.lines.say(
        (line) => logger.error(line, { event: 'publish-channel-closed' }),
        `the channel for publishing was closed: ${printable(reason)}`,
      );
    }
  }

  private isReachable(): boolean {
    return this.options.connection.state === 'open';
  }

  private isOpen(): boolean {
    const channel = this.recovering.current;
    if (channel === undefined || !channel.alive || !channel.socket.writable) return false;
    if (this.options.connection.blocked || this.replacement.pending) return false;
    return this.window === Infinity || (this.confirms?.size ?? 0) < this.window;
  }

  timeLeft(sentAt: number): number {
    const { clock, settings } = this.options;
    const overdueAt =
      Math.max(sentAt, this.unblockedAt) + Math.min(CONFIRM_TIMEOUT, settings.publish.timeout);
    return overdueAt - clock.monotonic();
  }

  failing(how: 'nacked' | 'unanswered', message: OutgoingMessage): void {
    const { connection } = this.options;
    if (connection.blocked || this.replacement.pending) return;
    this.replacement.ask(how === 'unanswered');
    const now = this.options.clock.monotonic();
    if (how === 'nacked' || now - this.unansweredToldAt < REPEAT_UNANSWERED) return;
    this.unansweredToldAt = now;
    this.options.settings.logger.warn(unconfirmed(message), {
      event: 'unconfirmed',
      ...aboutOutgoing(message),
    });
  }

  whyWaiting(): string {
    const { connection } = this.options;
    if (connection.blocked) return 'the broker blocks publishing (memory or disk alarm)';
    if (connection.state === 'open') return 'the broker accepts messages too slowly';
    return noConnection(connection);
  }

  private tellFull(): void {
    const now = this.options.clock.monotonic();
    if (now - this.fullToldAt < REPEAT_AFTER) return;
    this.fullToldAt = now;
    const { size, bytes } = this.buffer;
    this.options.events.emit({ kind: 'publish-buffer-full', waiting: size, bytes });
  }

  private tellReturned({ exchange, routingKey, properties }: ReceivedMessage): void {
    const { messageId } = properties;
    this.options.events.emit({ kind: 'returned', exchange, routingKey, messageId });
  }

  ended(pending: PendingSend): void {
    if (!pending.gone) this.buffer.leave(pending);
    if (this.waiting.size > 0) this.waiting.delete(pending);
    this.unsettled--;
    if (this.replacement.pending) this.replacement.answered();
    if (this.window !== Infinity) this.widen(pending);
    if (this.unsettled === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}

/** Remembers what may not be published, and logs each refusal once. */
export function closeReasons({
  connection,
  clock,
  settings,
}: Pick<SenderOptions, 'connection' | 'clock' | 'settings'>): ChannelCloseReasons {
  const onForbidden = (error: Error): void =>
    settings.logger.error(printable(describeError(error)), {
      event: 'publish-refused',
      ...errorFields(error),
    });
  return new ChannelCloseReasons({ connection, clock, onForbidden });
}

/** Why a message could not be sent without a connection. */
export function noConnection({ trouble }: Connection): string {
  return trouble === undefined ? 'there is no connection' : `there is no connection: ${trouble}`;
}

function closedEarly(): Error {
  return new ConnectionLostError('the broker object was closed before the message could be sent');
}
