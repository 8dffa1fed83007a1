// Whether a caller still waits: its reply address is there as long as it is. Asked before work that waited is begun,
// on a channel of its own, since a "no" closes the channel.

import type { LiveChannel } from '../link/channel.js';
import type { Connection } from '../link/connection.js';
import type { Clock } from '../model/clock.js';
import { isDirect } from './reply-address.js';

/** What it is made from. */
export interface CallersOptions {
  readonly connection: Connection;
  readonly clock: Clock;
}

/** Names of direct addresses that are gone: they are never used again. */
const REMEMBERED = 1_000;

/** See the top of the file. */
export class Callers {
  private readonly gone = new Set<string>();
  private channel: LiveChannel | undefined;
  private asking: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: CallersOptions) {}

  /** Whether nobody listens at a reply address any more. When it cannot be found out, somebody does. */
  isGone(replyTo: string): Promise<boolean> {
    if (this.gone.has(replyTo)) return Promise.resolve(true);
    // One at a time: after a "no" the next question needs another channel.
    const asked = this.asking.then(() => this.ask(replyTo)).catch(() => false);
    this.asking = asked;
    return asked;
  }

  /** Always settles. */
  async close(): Promise<void> {
    await this.asking;
    // Its connection is closed next, in a time that is bounded.
    this.channel = undefined;
  }

  private async ask(replyTo: string): Promise<boolean> {
    if (!this.channel?.alive) this.channel = await this.options.connection.openChannel('plain');
    try {
      await this.channel.declaring.checkQueue(replyTo);
      return false;
    } catch (error) {
      const isGone = (error as { code?: unknown } | undefined)?.code === 404;
      // Queues with a name may come back.
      if (isGone && isDirect(replyTo)) this.remember(replyTo);
      return isGone;
    }
  }

  private remember(replyTo: string): void {
    if (this.gone.size >= REMEMBERED) this.gone.clear();
    this.gone.add(replyTo);
  }
}
