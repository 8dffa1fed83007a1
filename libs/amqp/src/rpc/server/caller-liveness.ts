import type { LiveChannel } from '../../connection/channel.js';
import type { Connection } from '../../connection/connection.js';
import type { Clock } from '../../runtime/clock.js';
import { isDirectReply } from '../../message/direct-reply.js';

/** Dependencies. */
export interface CallerLivenessOptions {
  /** Over which the broker may be asked about an address. */
  readonly connection: (replyTo: string) => Connection;
  readonly clock: Clock;
}

/** What asks over one connection. */
interface Asker {
  channel: LiveChannel | undefined;
  /** The last question. */
  asking: Promise<unknown>;
}

/** How long a question waits for its connection, in ms. */
const CONNECT = 1_000;

/** Names of direct addresses that are gone: they are never used again. */
const REMEMBERED = 1_000;

/**
 * Whether a caller still waits: its reply address exists as long as it does. Checked before a request that waited is run,
 * on a separate channel, since a negative answer closes the channel.
 */
export class CallerLiveness {
  private readonly gone = new Set<string>();
  private readonly askers = new Map<Connection, Asker>();

  constructor(private readonly options: CallerLivenessOptions) {}

  /** Whether a reply address has no consumer any more. When this cannot be determined, it counts as alive. */
  isGone(replyTo: string): Promise<boolean> {
    if (this.gone.has(replyTo)) return Promise.resolve(true);
    const connection = this.options.connection(replyTo);
    let asker = this.askers.get(connection);
    if (!asker) this.askers.set(connection, (asker = { channel: undefined, asking: Promise.resolve() }));
    // One at a time: after a "no" the next question needs another channel.
    const asked = asker.asking.then(() => this.ask(replyTo, connection, asker)).catch(() => false);
    asker.asking = asked;
    return asked;
  }

  /** Waits for open questions until `expired`: a frozen broker does not answer. Always settles. */
  async close(expired: Promise<void>): Promise<void> {
    await Promise.race([Promise.all([...this.askers.values()].map(({ asking }) => asking)), expired]);
    // Their connections are closed next, in a time that is bounded.
    this.askers.clear();
  }

  private async ask(replyTo: string, connection: Connection, asker: Asker): Promise<boolean> {
    if (!asker.channel?.alive) {
      await connection.opened(CONNECT);
      asker.channel = await connection.openChannel('plain');
    }
    try {
      await asker.channel.declaring.checkQueue(replyTo);
      return false;
    } catch (error) {
      const isGone = (error as { code?: unknown } | undefined)?.code === 404;
      // Queues with a name may come back.
      if (isGone && isDirectReply(replyTo)) this.remember(replyTo);
      return isGone;
    }
  }

  private remember(replyTo: string): void {
    if (this.gone.size >= REMEMBERED) this.gone.clear();
    this.gone.add(replyTo);
  }
}
