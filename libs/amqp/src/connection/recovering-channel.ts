import { backoff } from './connect-attempts.js';
import { ConnectionLostError } from '../errors/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { LiveChannel } from './channel.js';
import type { Connection } from './connection.js';

/** What a recovering channel is made from. */
export interface RecoveringChannelOptions {
  readonly connection: Connection;
  readonly kind: 'plain' | 'confirm';
  readonly clock: Clock;
  readonly reconnect: { readonly min: number; readonly max: number };
  /** Resolves when a channel is wanted. Must not reject. Default: always. */
  readonly wanted?: () => Promise<void>;
  /** Makes a fresh channel ready for use. A throw closes it and it is tried again, with growing waits. */
  readonly setup?: (channel: LiveChannel) => Promise<void>;
  /**
   * Runs before a channel that is ready is closed on purpose: a channel that closes may overtake its last acks. Must
   * settle in a bounded time. What arrives meanwhile returns with the channel: see `LiveChannel.leaving`.
   */
  readonly beforeClose?: (channel: LiveChannel) => Promise<void>;
  /** The channel is ready. */
  readonly onReady?: (channel: LiveChannel) => void;
  /** It was ready and is gone. */
  readonly onLost?: (channel: LiveChannel, reason: string) => void;
  /** Setting up failed; it is tried again. */
  readonly onFailed?: (error: unknown) => void;
}

const CLOSE_TIMEOUT = 500;

/** See `rest`: the first one, and the longest, in ms. */
const [FIRST_REST, LONGEST_REST] = [60_000, 3_600_000];

/**
 * A channel that comes back: it is opened and set up (consume, confirm mode, reply queue), and again whenever channel
 * or connection were lost, until it is closed. There is one at a time.
 */
export class RecoveringChannel {
  /** The channel while it is ready. */
  current: LiveChannel | undefined;
  private over = false;
  /** The next try waits for `restTime`. */
  private resting = false;
  private restTime = 0;
  private loop: Promise<void> | undefined;
  private opening: LiveChannel | undefined;
  private wake: (() => void) | undefined;
  private ending: { channel: LiveChannel; ready: Promise<void>; reason: string | undefined } | undefined;

  constructor(private readonly options: RecoveringChannelOptions) {}

  /** Begins; calling it again, or after `close`, does nothing. */
  start(): void {
    if (this.loop || this.over) return;
    this.loop = this.run();
  }

  /** Gives up the current channel, for that reason, so that a new one is made: for a consumer that was cancelled. */
  renew(reason?: string): void {
    void this.end(reason);
  }

  /** For `onFailed`: the next try is made in a minute, each time after twice as long, up to an hour. */
  rest(): void {
    this.resting = true;
    this.restTime = Math.min(Math.max(FIRST_REST, this.restTime * 2), LONGEST_REST);
  }

  /** The channel that is ready, or is made ready. */
  get underWay(): LiveChannel | undefined {
    return this.current ?? this.opening;
  }

  /** Closes the channel for good. Always settles. */
  async close(): Promise<void> {
    this.over = true;
    this.wake?.();
    await this.end();
  }

  private async run(): Promise<void> {
    for (let failures = 0; this.isHeld();) {
      await this.options.wanted?.();
      if (!this.isHeld()) return;
      try {
        await this.options.connection.opened();
      } catch {
        return;
      }
      if (!this.isHeld()) return;
      const outcome = await this.hold();
      failures = outcome === 'lost' ? 0 : failures + 1;
      if (!this.isHeld()) return;
      // After a loss of the whole connection its own waits apply; a channel that keeps dying must not spin.
      const { min, max } = this.options.reconnect;
      await this.pause(this.resting ? this.restTime : backoff(failures, min / 2, max));
      this.resting = false;
    }
  }

  private async hold(): Promise<'lost' | 'failed'> {
    let channel: LiveChannel | undefined;
    try {
      channel = await this.options.connection.openChannel(this.options.kind);
      this.opening = channel;
      if (!this.isHeld()) throw new ConnectionLostError('not needed any more');
      const died = channel.closed.then(async (reason) => {
        // What refused the set-up says why it did; that comes a moment later than the end of the channel.
        await new Promise((resolve) => setImmediate(resolve));
        throw new ConnectionLostError(reason);
      });
      await Promise.race([this.options.setup?.(channel), died]);
    } catch (error) {
      this.opening = undefined;
      if (this.isHeld()) this.options.onFailed?.(error);
      await this.closeBounded(channel);
      return 'failed';
    }
    this.opening = undefined;
    if (!channel.alive) return 'failed';
    this.current = channel;
    this.restTime = 0;
    this.options.onReady?.(channel);
    const closed = await channel.closed;
    this.current = undefined;
    // Why it was given up says more than what became of it.
    const reason = (this.ending?.channel === channel ? this.ending.reason : undefined) ?? closed;
    this.ending = undefined;
    this.options.onLost?.(channel, reason);
    return 'lost';
  }

  private async end(reason?: string): Promise<void> {
    // A cancel may come in one packet with the consume-ok, before the channel counts as ready.
    const channel = this.current ?? this.opening;
    const { beforeClose } = this.options;
    if (channel !== undefined && channel === this.current && beforeClose !== undefined) {
      if (this.ending?.channel !== channel) {
        channel.leaving = true;
        this.ending = { channel, ready: beforeClose(channel), reason };
      }
      await this.ending?.ready;
    }
    await this.closeBounded(channel, reason);
  }

  // channel.close() never answers on a frozen peer; the connection's own end comes to the rescue then.
  private async closeBounded(channel: LiveChannel | undefined, reason?: string): Promise<void> {
    if (!channel?.alive) return;
    let cancel = (): void => undefined;
    const timeout = new Promise<void>((resolve) => {
      cancel = this.options.clock.after(CLOSE_TIMEOUT, resolve, true);
    });
    await Promise.race([channel.close(reason), timeout]);
    cancel();
    // A caller that waits for this channel continues even if its close is never confirmed.
    channel.end('the broker did not confirm its close in time');
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(ms, resolve);
      this.wake = () => (cancel(), resolve());
    });
  }

  private isHeld(): boolean {
    return !this.over;
  }
}
