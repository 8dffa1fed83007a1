import { randomBytes } from 'node:crypto';
import { Connection, type ConnectionOptions } from '../connection/connection.js';
import { Window } from '../connection/peek-cursor.js';
import type { LiveChannel } from '../connection/channel.js';
import { systemClock, type Clock } from '../runtime/clock.js';
import { ConnectionLostError } from '../errors/errors.js';
import type { BrokerOptions } from '../options/options.js';
import { SILENT } from '../runtime/logger.js';
import { settings, type Settings } from '../options/settings.js';
import { AccessRefusedError, QueueLockedError } from '../errors/topology-errors.js';
import { explain } from '../topology/declare-error.js';
import { deadLetter, type DeadLetter } from './dead-letter.js';

/** Where the broker is. */
export type DeskConnection = Pick<
  BrokerOptions,
  'url' | 'tls' | 'credentials' | 'connectTimeout' | 'heartbeat'
>;

/** Letters looked at and kept that may be unsettled at once. What lies behind them is not seen in this visit. */
export const MOST_HELD = 10_000;

/** Runs `use` with a connection that is closed afterwards. Rejects at once when no node can be reached. */
export async function connected<T>(
  where: DeskConnection,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { connection, opened } = dialled(where);
  try {
    await opened;
    return await use(connection);
  } finally {
    await connection.close();
  }
}

/** The settings of a connection that is for the desk alone. @throws ConfigError */
export function deskSettings({ url, tls, credentials, connectTimeout, heartbeat }: DeskConnection): Settings {
  const given = { url, tls, credentials, connectTimeout, heartbeat };
  return settings({ ...given, service: 'warren-dead-letters', logger: SILENT });
}

function dialled(where: DeskConnection): { connection: Connection; opened: Promise<unknown> } {
  const { url, tls, credentials, heartbeat, connectTimeout, reconnect } = deskSettings(where);
  const nodes = Array.isArray(url) ? url.length : 1;
  let refusals = 0;
  let refuse: (error: Error) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => (refuse = reject));
  const options: ConnectionOptions = {
    ...{ url, tls, credentials, heartbeat, connectTimeout, reconnect, clock: systemClock },
    name: `warren-dead-letters:${randomBytes(3).toString('hex')}`,
    onEvent: (event) => {
      // Somebody sits before it: every node is asked once.
      if (event.kind === 'refused' && ++refusals >= nodes) refuse(event.error);
    },
  };
  const connection = new Connection(options);
  return { connection, opened: Promise.race([connection.opened(nodes * connectTimeout + 1_000), refused]) };
}

/** What a visit is made from. */
export interface VisitOptions {
  readonly queue: string;
  /** At most so many unsettled at once. */
  readonly window: number;
  readonly signal: AbortSignal | undefined;
  readonly clock?: Clock;
}

/** How many messages a queue holds that nobody has taken. */
export async function ready(connection: Connection, queue: string): Promise<number> {
  return explained(queue, () =>
    connection.withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount),
  );
}

/**
 * One visit to a dead-letter queue: a connection and a channel of its own, the letters that were there when
 * it began, one after the other, and at the end everything that was not settled back in its place.
 */
export class Visit {
  private held = 0;
  private last = 0;

  private constructor(
    /** A confirm channel. */
    readonly channel: LiveChannel,
    /** Letters that were there when it began. */
    readonly total: number,
    private readonly window: Window,
    private readonly options: VisitOptions,
  ) {}

  /** Begins. @throws TopologyMissingError, AccessRefusedError, QueueLockedError */
  static async begin(connection: Connection, options: VisitOptions): Promise<Visit> {
    const total = await ready(connection, options.queue);
    const channel = await connection.openChannel('confirm');
    const size = Math.max(1, Math.min(total, options.window, MOST_HELD));
    const window = new Window(channel, options.queue, options.clock ?? systemClock, total, size);
    if (total > 0) await explained(options.queue, () => window.open());
    return new Visit(channel, total, window, options);
  }

  /** Looked at so far. */
  get seen(): number {
    return this.window.taken;
  }

  /** Those that were there and were not looked at. */
  get unseen(): number {
    return this.total - this.window.taken;
  }

  /** The next letter, undefined after the last one or when the signal has aborted. It stays where it is. */
  async next(): Promise<DeadLetter | undefined> {
    if (this.options.signal?.aborted) return undefined;
    const message = await this.window.next(this.held);
    if (!message) return undefined;
    this.held++;
    this.last = message.deliveryTag;
    const letter = deadLetter(message, this.options.queue, this.window.taken);
    this.tags.set(letter, message.deliveryTag);
    return letter;
  }

  /** Takes letters out of the queue for good. */
  remove(letters: readonly DeadLetter[]): void {
    if (letters.length === this.held && letters.length > 0) this.window.ackUpTo(this.last, letters.length);
    else for (const letter of letters) this.window.ack(this.tags.get(letter) as number);
    this.held -= letters.length;
  }

  /** Hands back what was not removed. Never rejects. */
  close(): Promise<void> {
    return this.window.close();
  }

  private readonly tags = new WeakMap<DeadLetter, number>();
}

async function explained<T>(queue: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const asked = { what: 'queue', name: queue, askedBy: 'the dead-letter desk' } as const;
    const why = explain(error, asked);
    // An exclusive consumer is refused with the code of missing permissions.
    if (why instanceof AccessRefusedError && /exclusive/.test(String(error)))
      throw new QueueLockedError(queue, error);
    if (why instanceof ConnectionLostError) {
      throw new ConnectionLostError(`the connection was lost while queue '${queue}' was opened`, error);
    }
    throw why;
  }
}
