import { describeError, type Log } from '../runtime/logger.js';
import type { OutgoingMessage } from '../message/message.js';
import type { LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { RecoveringChannel } from '../connection/recovering-channel.js';
import type { Clock } from '../runtime/clock.js';
import { channelCloseReason, isToBlame, type ChannelCloseReason } from '../publish/channel-replacement.js';
import { Confirms, type SendOutcome, type Unconfirmed } from '../publish/confirms.js';
import { unconfirmed } from '../publish/pending-send.js';
import type { MoveOutcome, MovingSender } from './moves.js';
import { aboutOutgoing } from '../message/outgoing.js';

/** A confirm that takes longer is considered lost, in ms. */
const CONFIRM_TIMEOUT = 4_000;

/** How long recent publishes may still be confirmed before the channel is replaced, in ms. */
const LAST_ANSWERS = 500;

/** Time between two replacements, in ms: a full queue nacks too, and a new channel does not help there. */
const REST = 5_000;

const LOOK = 250;

/** Time between two log lines about it, in ms. */
const REPEAT = 60_000;

/** Dependencies. */
export interface MoveSenderOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Log;
  readonly reconnect: { readonly min: number; readonly max: number };
  /** The broker closed the channel because of a publish to this exchange. */
  readonly onRefused: (closeReason: ChannelCloseReason) => void;
}

/** One pending publish. */
class Move implements Unconfirmed {
  returned = false;
  sentAt = 0;
  channel: LiveChannel | undefined;

  constructor(
    readonly message: OutgoingMessage,
    readonly wanted: () => boolean,
    private readonly tell: (outcome: MoveOutcome) => void,
    private readonly over: (move: Move) => void,
  ) {}

  onOutcome(outcome: SendOutcome): void {
    if (outcome !== 'lost') return this.ended(outcome);
    void (this.channel as LiveChannel).closed.then((reason) => {
      const closeReason = channelCloseReason(reason);
      this.ended(closeReason && isToBlame(closeReason, this.message) ? 'refused' : 'lost');
    });
  }

  ended(outcome: MoveOutcome): void {
    this.over(this);
    this.tell(outcome);
  }
}

/**
 * The confirm channel for messages that are forwarded after their delay. A missing confirm blocks nothing: after a
 * few seconds the channel is replaced, and its pending publishes are reported as lost. RabbitMQ (seen on 3.10) may
 * nack or ignore everything that a channel publishes to a quorum queue whose leader died, for as long as the channel
 * exists. So a nack also has the channel replaced.
 */
export class MoveSender implements MovingSender {
  private readonly recovering: RecoveringChannel;
  private confirms: Confirms | undefined;
  private waiting: Move[] = [];
  /** In the order of sending. */
  private readonly sent = new Set<Move>();
  private suspect = false;
  private replacing: number | undefined;
  private replacedAt = -Infinity;
  private unblockedAt = -Infinity;
  private toldAt = -Infinity;
  private cancel: (() => void) | undefined;
  private closed = false;
  private idle: (() => void) | undefined;

  constructor(private readonly options: MoveSenderOptions) {
    const { connection, clock, reconnect } = options;
    this.recovering = new RecoveringChannel({
      connection,
      clock,
      reconnect,
      kind: 'confirm',
      onReady: (channel) => {
        this.confirms = new Confirms(channel);
        this.suspect = false;
        this.replacing = undefined;
        this.flush();
      },
      onLost: (_channel, reason) => {
        this.confirms = undefined;
        const closeReason = channelCloseReason(reason);
        if (closeReason) options.onRefused(closeReason);
      },
    });
  }

  /** Not sent, or not confirmed. */
  get size(): number {
    return this.waiting.length + this.sent.size;
  }

  send(message: OutgoingMessage, wanted: () => boolean, tell: (outcome: MoveOutcome) => void): void {
    if (this.closed) return;
    this.recovering.start();
    this.waiting.push(new Move(message, wanted, tell, (move) => this.over(move)));
    this.flush();
  }

  /** Sends waiting messages, if possible. */
  flush(): void {
    const { connection, clock } = this.options;
    if (connection.blocked) return;
    while (this.waiting.length > 0 && this.confirms && this.replacing === undefined) {
      const waiting = this.waiting;
      this.waiting = [];
      for (const move of waiting) this.go(move, this.confirms, clock.monotonic());
    }
    this.look();
  }

  /** The broker accepts messages again. */
  unblocked(): void {
    this.unblockedAt = this.options.clock.monotonic();
    this.flush();
  }

  /** Stops sending, waits for pending confirms until `expired`, and closes. Always settles. */
  async close(expired: Promise<void>): Promise<void> {
    this.closed = true;
    this.waiting = [];
    const open = this.options.connection.state === 'open' && !this.options.connection.blocked;
    if (open && this.sent.size > 0) {
      await Promise.race([new Promise<void>((resolve) => (this.idle = resolve)), expired]);
    }
    this.cancel?.();
  }

  /** Last: forwarded messages must be acked first. */
  async end(): Promise<void> {
    this.cancel?.();
    await this.recovering.close();
  }

  private go(move: Move, confirms: Confirms, now: number): void {
    if (!move.wanted()) return;
    const channel = this.recovering.current as LiveChannel;
    try {
      confirms.send(move);
      move.channel = channel;
      move.sentAt = now;
      this.sent.add(move);
    } catch (error) {
      move.ended(channel.alive ? { refused: describeError(error) } : 'lost');
    }
  }

  private over(move: Move): void {
    this.sent.delete(move);
    if (this.sent.size === 0) this.idle?.();
    if (this.replacing !== undefined) this.look();
  }

  /** A message was nacked. */
  doubt(): void {
    this.suspect = true;
    this.look();
  }

  /** Checks whether confirms arrive, as long as publishes are pending. */
  private look(): void {
    this.cancel?.();
    this.cancel = undefined;
    const { clock, connection } = this.options;
    if (!this.confirms || (this.sent.size === 0 && !this.suspect)) return;
    const now = clock.monotonic();
    if (!connection.blocked && this.replacing === undefined && this.mustReplace(now)) this.replacing = now;
    if (this.replacing !== undefined && this.mayReplace(now, this.replacing)) {
      this.report(now);
      this.replacedAt = now;
      this.confirms = undefined;
      return this.recovering.renew();
    }
    this.cancel = clock.after(LOOK, () => this.look());
  }

  private mustReplace(now: number): boolean {
    if (this.suspect) {
      if (now - this.replacedAt >= REST) return true;
      if (this.sent.size === 0) this.suspect = false;
    }
    const [oldest] = this.sent;
    return oldest !== undefined && this.isOverdue(oldest, now);
  }

  /** Logs the missing confirm, if that is the reason. */
  private report(now: number): void {
    const [oldest] = this.sent;
    if (!oldest || !this.isOverdue(oldest, now) || now - this.toldAt < REPEAT) return;
    this.toldAt = now;
    this.options.logger.warn(unconfirmed(oldest.message), {
      event: 'unconfirmed',
      ...aboutOutgoing(oldest.message),
    });
  }

  private isOverdue({ sentAt }: Move, now: number): boolean {
    return now - Math.max(sentAt, this.unblockedAt) >= CONFIRM_TIMEOUT;
  }

  /** Recent publishes were confirmed, or had enough time for it. */
  private mayReplace(now: number, since: number): boolean {
    if (now - since >= LAST_ANSWERS) return true;
    for (const { sentAt } of this.sent) if (now - sentAt < CONFIRM_TIMEOUT / 2) return false;
    return true;
  }
}
