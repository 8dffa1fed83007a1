// A channel that comes back. The lease opens it, sets it up (consume, confirm mode, reply queue), and
// does so again whenever channel or connection were lost, for as long as it is held.

import { backoff } from './connect-attempts.js';
import { ConnectionLostError } from '../errors/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { LiveChannel } from './channel.js';
import type { Connection } from './connection.js';

/** What a lease is made from. */
export interface RecoveringChannelOptions {
  readonly connection: Connection;
  readonly kind: 'plain' | 'confirm';
  readonly clock: Clock;
  readonly reconnect: { readonly min: number; readonly max: number };
  /** Makes a fresh channel ready for use. A throw closes it and it is tried again, with growing waits. */
  readonly setup?: (channel: LiveChannel) => Promise<void>;
  /** The channel is ready. */
  readonly onReady?: (channel: LiveChannel) => void;
  /** It was ready and is gone. */
  readonly onLost?: (channel: LiveChannel, reason: string) => void;
  /** Setting up failed; it is tried again. */
  readonly onFailed?: (error: unknown) => void;
}

const CLOSE_PATIENCE = 500;

/** Holds one channel at a time. */
export class RecoveringChannel {
  /** The channel while it is ready. */
  current: LiveChannel | undefined;
  private held = false;
  private loop: Promise<void> | undefined;
  private opening: LiveChannel | undefined;
  private wake: (() => void) | undefined;

  constructor(private readonly options: RecoveringChannelOptions) {}

  /** Begins; calling it again does nothing. */
  start(): void {
    if (this.loop) return;
    this.held = true;
    this.loop = this.run();
  }

  /** Gives up the current channel, for that reason, so that a new one is made: for a consumer that was cancelled. */
  renew(reason?: string): void {
    // A cancel may come in one packet with the consume-ok, before the channel counts as ready.
    void this.closeBounded(this.current ?? this.opening, reason);
  }

  /** Ends the lease. Always settles. */
  async close(): Promise<void> {
    this.held = false;
    this.wake?.();
    await this.closeBounded(this.current ?? this.opening);
  }

  private async run(): Promise<void> {
    for (let failures = 0; this.held;) {
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
      await this.pause(backoff(failures, min / 2, max));
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
    this.options.onReady?.(channel);
    const reason = await channel.closed;
    this.current = undefined;
    this.options.onLost?.(channel, reason);
    return 'lost';
  }

  // channel.close() never answers on a frozen peer; the connection's own end comes to the rescue then.
  private async closeBounded(channel: LiveChannel | undefined, reason?: string): Promise<void> {
    if (!channel?.alive) return;
    let cancel = (): void => undefined;
    const timeout = new Promise<void>((resolve) => {
      cancel = this.options.clock.after(CLOSE_PATIENCE, resolve, true);
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
    return this.held;
  }
}
