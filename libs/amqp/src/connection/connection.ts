// One connection that comes back. States: connecting, open, waiting (for the next attempt), closed. Each
// time it opens is a new life with a number of its own; whoever holds something of an old life can tell.

import { humanDuration } from '../options/duration.js';
import type { ConnectionState } from '../events/broker-status.js';
import type { Peer } from '../events/events.js';
import type { Channel, ChannelModel } from 'amqplib';
import { backoff, ConnectAttempts } from './connect-attempts.js';
import { NO_SERVER, serverOf, type Server } from '../message/direct-reply.js';
import { ConfigError, ConnectionLostError, ConnectionRefusedError, RabbitError } from '../errors/errors.js';
import { describeError } from '../runtime/logger.js';
import { CHANNEL_LOST, hintFor } from '../errors/error-facts.js';
import { inTime, type Clock } from '../runtime/clock.js';
import { LiveChannel } from './channel.js';
import { openConnection, verify, onIdle } from './connect.js';
import { peerOf, serverProperties } from './fast-path/amqplib-internals.js';
import { FastPath } from './fast-path/fast-path.js';
import { endpoints, notAsked, type Endpoint, type EndpointOptions } from './endpoints.js';
import { isPermanent, connectError } from './connect-error.js';

/** What a connection tells its owner. */
export type ConnectionEvent =
  /** `direct`: hot frames go past the client library. */
  | {
      readonly kind: 'open';
      readonly endpoint: string;
      readonly peer: Peer | undefined;
      readonly life: number;
      readonly direct: boolean;
    }
  | { readonly kind: 'lost'; readonly reason: string }
  /** `told`: pending callers get the error at once, and may end the process. */
  | {
      readonly kind: 'refused';
      readonly error: RabbitError;
      readonly retryIn: number;
      readonly told: boolean;
    }
  | { readonly kind: 'blocked'; readonly reason: string }
  | { readonly kind: 'unblocked' };

/** What a connection is made from. */
export interface ConnectionOptions extends EndpointOptions {
  /** Shown by the broker: `billing:publish`. */
  readonly name: string;
  readonly connectTimeout: number;
  readonly reconnect: { readonly min: number; readonly max: number };
  readonly clock: Clock;
  readonly onEvent: (event: ConnectionEvent) => void;
  /** Sees each channel of the client library before it is used. */
  readonly onChannel?: (channel: object) => void;
  /** Shared with other connections to the same broker. Default: its own. */
  readonly attempts?: ConnectAttempts;
  /**
   * Runs on each new connection before it counts as open: declarations. `lost` rejects when that connection is lost.
   */
  readonly prepare?: (connection: Connection, lost: Promise<never>) => Promise<void>;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** It gave a time limit. */
  readonly limited: boolean;
}

const CLOSE_TIMEOUT = 1_000;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What the broker says last comes a moment after what it ends. */
const soonAfter = (): Promise<undefined> =>
  turn()
    .then(turn)
    .then(() => undefined);

/** A connection with its own retry loop. */
export class Connection {
  state: ConnectionState = 'idle';
  blocked = false;
  life = 0;
  /** The virtual host that it is in, or was last. */
  vhost = '';
  /** The broker at its other end, or that was there last. */
  server: Server = NO_SERVER;
  private model: ChannelModel | undefined;
  private fastPath: FastPath | undefined;
  /** Whom the broker takes us for, if that is known. */
  private user: string | undefined;
  /** Why the current connection was closed. */
  private ended: Promise<string | undefined> = Promise.resolve(undefined);
  /** Open channels of the current connection. */
  private readonly channels = new Set<LiveChannel>();
  private kill = new AbortController();
  private readonly attempts: ConnectAttempts;
  private waiters: Waiter[] = [];
  private lastError: RabbitError | undefined;
  private told = false;
  /** Permanent refusals in a row. */
  private refusals = 0;
  private loop: Promise<void> | undefined;

  constructor(private readonly options: ConnectionOptions) {
    this.attempts = options.attempts ?? new ConnectAttempts();
  }

  get name(): string {
    return this.options.name;
  }

  /** Begins to connect. Calling it again does nothing. */
  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'connecting';
    this.loop = this.run();
  }

  /**
   * Resolves when it is open. With `timeout` it rejects after that many ms, and at once when trying again is no use
   * (credentials, virtual host); without, only when it is closed for good.
   */
  opened(timeout?: number): Promise<void> {
    this.start();
    if (this.state === 'open') return Promise.resolve();
    if (this.state === 'closed') return Promise.reject(this.closedError());
    const waiting = new Promise<void>((resolve, reject) => {
      this.waiters.push({ resolve, reject, limited: timeout !== undefined });
    });
    if (timeout === undefined) return waiting;
    return inTime(this.options.clock, timeout, waiting, () => this.notOpened(timeout));
  }

  /** Why it is not open, as far as that is known. */
  get trouble(): string | undefined {
    return this.state === 'open' ? undefined : this.lastError?.message;
  }

  /** Opens a channel on the current connection. Rejects when there is none. */
  async openChannel(kind: 'plain' | 'confirm'): Promise<LiveChannel> {
    const { model } = this;
    if (!model) throw new ConnectionLostError(`${this.name} is not connected`);
    const { ended } = this;
    const opening = kind === 'confirm' ? model.createConfirmChannel() : model.createChannel();
    const opened = await opening.catch(async (error: unknown) => {
      // The client library only says that there is no answer; the broker said why when it ended the connection.
      const reason = await Promise.race([ended, soonAfter()]);
      throw reason === undefined ? error : new ConnectionLostError(reason, error);
    });
    this.options.onChannel?.(opened);
    const channel = new LiveChannel(opened, this.fastPath, this.user);
    if (model !== this.model) channel.end('its connection was lost');
    this.channels.add(channel);
    void channel.closed.then(() => this.channels.delete(channel));
    return channel;
  }

  /** Runs `use` on a channel of its own that is closed afterwards: for declarations, whose refusal costs the channel. */
  async withChannel<T>(use: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.openChannel('plain');
    try {
      return await use(channel.declaring);
    } finally {
      void channel.close();
    }
  }

  /** Closes for good, politely for a second, then by destroying the socket. Always settles. */
  async close(): Promise<void> {
    const { model } = this;
    if (this.state === 'closed') return this.loop;
    this.state = 'closed';
    this.rejectWaiters(this.closedError());
    this.attempts.leave(this);
    this.fastPath?.end();
    if (model) {
      // A socket that was destroyed while it closed politely leaves the client library waiting.
      await inTime(this.options.clock, CLOSE_TIMEOUT, model.close(), () => this.closedError()).catch(
        () => {},
      );
    }
    // A connect attempt that is under way ends here; a closed socket does not mind.
    this.kill.abort();
    await this.loop;
  }

  private async run(): Promise<void> {
    for (let attempt = 0; !this.isClosed(); attempt++) {
      this.state = 'connecting';
      const ended = await this.attempt();
      if (this.isClosed()) return;
      if (ended === 'was-open') attempt = 0;
      const wait = backoff(attempt, this.options.reconnect.min, this.options.reconnect.max);
      const { lastError: error, told } = this;
      if (error) this.options.onEvent({ kind: 'refused', error, retryIn: wait, told });
      this.state = 'waiting';
      await this.attempts.wait(this, wait, this.options.clock);
    }
  }

  /** One connection: connect, prepare, open, lost. */
  private async attempt(): Promise<'was-open' | 'refused'> {
    this.kill = new AbortController();
    const { turn } = this.attempts;
    let endpoint: Endpoint | undefined;
    let nodes = 1;
    try {
      const all = await this.endpoints();
      nodes = all.length;
      endpoint = all[turn % all.length];
      this.vhost = endpoint.vhost;
      this.user = endpoint.user;
      const model = await openConnection(endpoint, this.options, this.kill);
      this.attempts.answered(this);
      if (this.isClosed()) {
        this.kill.abort();
        return 'refused';
      }
      return await this.live(model, endpoint.label);
    } catch (error) {
      this.kill.abort();
      this.endLife('its connection was lost');
      this.lastError = connectError(error, endpoint?.label ?? this.name);
      const permanent = isPermanent(this.lastError);
      this.refusals = permanent ? this.refusals + 1 : 0;
      // One node may be set up wrongly, or not yet, and the next one be well. What is no node's fault ends the wait at once.
      const last = !(this.lastError instanceof ConnectionRefusedError) || this.refusals >= nodes;
      this.told = permanent && last && this.rejectWaiters(this.lastError, true);
      return 'refused';
    } finally {
      this.attempts.failed(turn);
    }
  }

  /** The addresses to try; functions of the application that are asked for them may never answer. */
  private endpoints(): Promise<readonly Endpoint[]> {
    const { clock, connectTimeout } = this.options;
    const { signal } = this.kill;
    const closed = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(this.closedError()), { once: true }),
    );
    const late = (): Error => notAsked(connectTimeout);
    return inTime(clock, connectTimeout, Promise.race([endpoints(this.options), closed]), late);
  }

  private async live(model: ChannelModel, label: string): Promise<'was-open'> {
    let reason = 'closed';
    const ended = new Promise<string>((resolve) => {
      // Before the first await: without an error listener a lost socket is an uncaught exception.
      model.on('error', (error: Error) => (reason = describeError(error)));
      model.on('close', (error?: Error) => resolve(error ? describeError(error) : reason));
      // Code that destroys the socket does not wait for events that may have been emitted before.
      this.kill.signal.addEventListener('abort', () => resolve(reason), { once: true });
    });
    const blocked = onIdle(model, this.kill.signal, (why) => ((reason = why), this.kill.abort()));
    model.on('blocked', (why: string) => this.setBlocked(true, why));
    model.on('unblocked', () => this.setBlocked(false, ''));
    this.model = model;
    this.ended = ended;
    this.fastPath = FastPath.on(model);
    this.server = serverOf(serverProperties(model));
    this.life++;
    await this.prepare(model, ended);
    this.lastError = undefined;
    this.refusals = 0;
    if (!this.isClosed()) {
      this.state = 'open';
      const direct = this.fastPath !== undefined;
      this.options.onEvent({ kind: 'open', endpoint: label, peer: peerOf(model), life: this.life, direct });
      for (const waiter of this.waiters.splice(0)) waiter.resolve();
    }
    const why = blocked(await ended);
    this.endLife(why);
    if (!this.isClosed()) this.options.onEvent({ kind: 'lost', reason: why });
    return 'was-open';
  }

  private async prepare(model: ChannelModel, lost: Promise<string>): Promise<void> {
    // What was being declared is in the error of that, which comes a moment after the end of the connection.
    const ended = lost.then(async (reason) => (await turn(), reason));
    try {
      const gone = ended.then((reason) => Promise.reject(new ConnectionLostError(reason)));
      gone.catch(() => undefined);
      const { clock, connectTimeout } = this.options;
      const proven = inTime(clock, connectTimeout, verify(model), () => new Error('connect timeout'));
      const prepared = proven.then(() => {
        if (this.fastPath?.isUsed === false) this.fastPath = this.fastPath.release();
        return this.options.prepare?.(this, gone);
      });
      const reason = await Promise.race([prepared, ended]);
      if (reason !== undefined) throw new ConnectionLostError(reason);
    } catch (error) {
      if (error instanceof RabbitError && !(error instanceof ConnectionLostError)) throw error;
      // Why the broker minded is in the end of the connection.
      const reason = await Promise.race([ended, soonAfter()]);
      if (!(error instanceof ConnectionLostError)) throw reason ? new Error(reason, { cause: error }) : error;
      const hint = reason && hintFor(reason);
      if (!hint) throw error;
      const { message } = error;
      // The connection was not lost: the broker ended it, for this.
      throw new ConfigError(
        `${message.split(CHANNEL_LOST)[0]} when the broker closed the connection: ${reason}`,
        hint,
        error,
      );
    }
  }

  private endLife(reason: string): void {
    this.model = this.fastPath = undefined;
    this.blocked = false;
    for (const channel of this.channels) channel.end(reason);
  }

  private setBlocked(blocked: boolean, reason: string): void {
    this.blocked = blocked;
    this.options.onEvent(blocked ? { kind: 'blocked', reason } : { kind: 'unblocked' });
  }

  /** Whether there were some. */
  private rejectWaiters(error: Error, onlyLimited = false): boolean {
    const leaving = this.waiters.filter((waiter) => !onlyLimited || waiter.limited);
    this.waiters = this.waiters.filter((waiter) => !leaving.includes(waiter));
    for (const waiter of leaving) waiter.reject(error);
    return leaving.length > 0;
  }

  // The state changes behind every await; a method keeps the compiler from remembering an old one.
  private isClosed(): boolean {
    return this.state === 'closed';
  }

  private notOpened(timeout: number): Error {
    return (
      this.lastError ??
      new ConnectionLostError(`${this.name} did not connect within ${humanDuration(Math.ceil(timeout))}`)
    );
  }

  private closedError(): ConnectionLostError {
    return new ConnectionLostError(`${this.name} is closed`);
  }
}
