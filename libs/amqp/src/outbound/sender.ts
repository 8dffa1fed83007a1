// Takes a finished message to the broker: waits in the room while the way is closed, goes over the
// confirm channel, and settles exactly once with what became of it.

import { ConnectionLostError, EncodeError } from '../model/errors.js';
import {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
} from '../model/publish-errors.js';
import type { Clock } from '../model/clock.js';
import type { Deadlines } from '../model/deadlines.js';
import type { OutgoingMessage } from '../model/message.js';
import type { Settings } from '../model/settings.js';
import type { LiveChannel } from '../link/channel.js';
import type { Connection } from '../link/connection.js';
import { ChannelLease } from '../link/lease.js';
import { Confirms } from './confirms.js';
import { WaitingRoom, type Waiting } from './waiting-room.js';

/** What a sender is made from. */
export interface SenderOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/** How long a send may take, and what calls it off. */
export interface SendLimits {
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/** The confirm channel and the room before it. */
export class Sender {
  private readonly room: WaitingRoom;
  private readonly lease: ChannelLease;
  private confirms: Confirms | undefined;
  private closed = false;
  private unsettled = 0;
  private idleWaiters: (() => void)[] = [];
  private readonly failWaiting = new Set<(error: Error) => void>();

  constructor(private readonly options: SenderOptions) {
    this.room = new WaitingRoom(options.settings.publish.room);
    this.lease = new ChannelLease({
      connection: options.connection,
      kind: 'confirm',
      clock: options.clock,
      reconnect: options.settings.reconnect,
      onReady: (channel) => {
        this.confirms = new Confirms(channel);
        channel.onDrain(() => this.flush());
        this.flush();
      },
      onLost: () => (this.confirms = undefined),
    });
  }

  /** Sent or waiting, and not settled. */
  get pending(): { readonly unconfirmed: number; readonly waiting: number } {
    return { unconfirmed: this.confirms?.size ?? 0, waiting: this.room.size };
  }

  /** Begins to connect; the first send does so too. */
  start(): void {
    this.lease.start();
  }

  /** Lets waiting messages go: the broker is not blocked any more. */
  flush(): void {
    this.room.release(() => this.isOpen());
  }

  /** Resolves `true` when a queue has it, `false` when it came back; rejects with what went wrong. */
  send(message: OutgoingMessage, limits: SendLimits): Promise<boolean> {
    if (this.closed)
      return Promise.reject(new ConnectionLostError('publishing is over: the broker object was closed'));
    if (limits.signal?.aborted) return Promise.reject(abortError(limits.signal));
    this.start();
    return new Promise<boolean>((resolve, reject) => {
      this.unsettled++;
      const attempt = new Attempt(message, limits, this.options.deadlines, (result) => {
        this.room.leave(waiting);
        this.failWaiting.delete(attempt.fail);
        if (result instanceof Error) reject(result);
        else resolve(result);
        this.settledOne();
      });
      const go = (): void => {
        this.failWaiting.delete(attempt.fail);
        attempt.send(this.lease.current as LiveChannel, this.confirms as Confirms);
      };
      const waiting: Waiting = { bytes: message.content.length, go, gone: true };
      // Nobody overtakes who waits already.
      if (this.room.size === 0 && this.isOpen()) go();
      else this.wait(waiting, attempt);
    });
  }

  /** Waits until everything is settled or `expired`, then rejects what still waits and closes. */
  async close(expired: Promise<void>): Promise<void> {
    this.closed = true;
    const settled =
      this.unsettled === 0
        ? Promise.resolve()
        : new Promise<void>((resolve) => this.idleWaiters.push(resolve));
    // Without a connection there is nothing to wait for: a process must not hang because its broker is away.
    if (this.options.connection.state !== 'open') this.endWaiting();
    await Promise.race([settled, expired]);
    this.endWaiting();
    await this.lease.close();
  }

  private endWaiting(): void {
    for (const fail of [...this.failWaiting]) {
      fail(new ConnectionLostError('closed before the message could be sent'));
    }
  }

  private wait(waiting: Waiting, attempt: Attempt): void {
    try {
      waiting.gone = false;
      this.room.enter(waiting);
      this.failWaiting.add(attempt.fail);
      attempt.waitReason = () => this.whyClosed();
    } catch (error) {
      waiting.gone = true;
      attempt.fail(error as Error);
    }
  }

  private isOpen(): boolean {
    const channel = this.lease.current;
    return channel !== undefined && channel.alive && channel.writable && !this.options.connection.blocked;
  }

  private whyClosed(): string {
    const { connection } = this.options;
    if (connection.blocked) return 'the broker blocks publishing (memory or disk alarm)';
    return connection.state === 'open' ? 'the broker takes messages too slowly' : 'there is no connection';
  }

  private settledOne(): void {
    this.unsettled--;
    if (this.unsettled === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}

/** One send under way: its deadline, its signal, its one result. */
class Attempt {
  waitReason: () => string = () => 'it was not sent';
  private sent = false;
  private done = false;
  private readonly deadline;

  constructor(
    private readonly message: OutgoingMessage,
    private readonly limits: SendLimits,
    private readonly deadlines: Deadlines,
    private readonly onDone: (result: boolean | Error) => void,
  ) {
    this.deadline = deadlines.set(limits.timeout, () => this.finish(this.tooLate()));
    limits.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  readonly fail = (error: Error): void => this.finish(error);

  send(channel: LiveChannel, confirms: Confirms): void {
    const { exchange, routingKey, properties } = this.message;
    const id = properties.messageId ?? '';
    try {
      confirms.send(this.message, (outcome) => {
        if (outcome === 'confirmed' || outcome === 'returned') this.finish(outcome === 'confirmed');
        else if (outcome === 'nacked') this.finish(new PublishNackedError(exchange, routingKey, id));
        else this.lost(channel);
      });
      this.sent = true;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.finish(
        channel.alive
          ? new EncodeError(`the message cannot be sent: ${text}`, '', error)
          : this.unknown(text),
      );
    }
  }

  private lost(channel: LiveChannel): void {
    void channel.closed.then((reason) => this.finish(this.unknown(`the channel was lost (${reason})`)));
  }

  private readonly onAbort = (): void => {
    // What was sent cannot be taken back; its outcome is still worth knowing.
    if (!this.sent && this.limits.signal) this.finish(abortError(this.limits.signal));
  };

  private tooLate(): Error {
    const { exchange, routingKey } = this.message;
    if (this.sent) return this.unknown(`no confirm within ${this.limits.timeout} ms`);
    return new PublishTimeoutError(exchange, routingKey, this.limits.timeout, this.waitReason());
  }

  private unknown(reason: string): Error {
    const { exchange, routingKey, properties } = this.message;
    return new PublishOutcomeUnknownError(exchange, routingKey, properties.messageId ?? '', reason);
  }

  private finish(result: boolean | Error): void {
    if (this.done) return;
    this.done = true;
    this.deadlines.clear(this.deadline);
    this.limits.signal?.removeEventListener('abort', this.onAbort);
    this.onDone(result);
  }
}

// Whoever aborts may give anything as the reason.
function abortError({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
