import { randomBytes } from 'node:crypto';
import { Connection, type ConnectionOptions } from '../connection/connection.js';
import { PeekCursor } from '../connection/peek-cursor.js';
import type { LiveChannel } from '../connection/channel.js';
import { systemClock, type Clock } from '../runtime/clock.js';
import { ConnectionLostError } from '../errors/errors.js';
import { SILENT } from '../runtime/logger.js';
import { settings, type Settings } from '../options/settings.js';
import { AccessRefusedError, QueueLockedError } from '../errors/topology-errors.js';
import { declareError } from '../topology/declare-error.js';
import { deadLetter, type DeadLetter, type DeadLetterConnection } from './dead-letter.js';

/**
 * Maximum number of messages that were read, did not match and are unacked, unless they are large: see PeekCursor.
 * Messages behind them are not read in this session.
 */
export const MOST_HELD = 10_000;

/** How many letters the broker sends at once when it is not known how many of them are wanted; fewer large ones. */
export const FIRST_LETTERS = 100;

/** Runs `use` with a connection that is closed afterwards. Rejects at once when no node can be reached. */
export async function connected<T>(
  where: DeadLetterConnection,
  use: (connection: Connection) => Promise<T>,
  program = 'warren-dead-letters',
): Promise<T> {
  const { connection, opened } = dialled(where, program);
  try {
    await opened;
    return await use(connection);
  } finally {
    await connection.close();
  }
}

/** Settings of a connection for dead letters only. @throws ConfigError */
export function deadLetterSettings({
  url,
  tls,
  credentials,
  connectTimeout,
  heartbeat,
}: DeadLetterConnection): Settings {
  const given = { url, tls, credentials, connectTimeout, heartbeat };
  return settings({ ...given, service: 'warren-dead-letters', logger: SILENT });
}

function dialled(
  where: DeadLetterConnection,
  program: string,
): { connection: Connection; opened: Promise<unknown> } {
  const { url, tls, credentials, heartbeat, connectTimeout, reconnect } = deadLetterSettings(where);
  const nodes = Array.isArray(url) ? url.length : 1;
  let closeReasons = 0;
  let refuse: (error: Error) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => (refuse = reject));
  const options: ConnectionOptions = {
    url,
    tls,
    credentials,
    heartbeat,
    connectTimeout,
    reconnect,
    clock: systemClock,
    name: `${program}:${randomBytes(3).toString('hex')}`,
    onEvent: (event) => {
      // A user may be waiting: every node is tried once.
      if (event.kind === 'refused' && ++closeReasons >= nodes) refuse(event.error);
    },
  };
  const connection = new Connection(options);
  return { connection, opened: Promise.race([connection.opened(nodes * connectTimeout + 1_000), refused]) };
}

/** Dependencies of a session. */
export interface BrowseOptions {
  readonly queue: string;
  /** Maximum number of unacked messages. */
  readonly cursor: number;
  /** How many the broker sends at once, before any is read. */
  readonly first: number;
  readonly signal: AbortSignal | undefined;
  readonly clock?: Clock;
}

/** Number of ready messages in a queue. */
export async function ready(connection: Connection, queue: string): Promise<number> {
  return explained(queue, () =>
    connection.withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount),
  );
}

/**
 * Reads a dead-letter queue once, on its own connection and channel: the messages that were there at the start, one
 * after the other. At the end, messages that were not removed return to their places.
 */
export class BrowseSession {
  private held = 0;
  private last = 0;

  private constructor(
    /** A confirm channel. */
    readonly channel: LiveChannel,
    /** Messages in the queue at the start. */
    readonly total: number,
    private readonly cursor: PeekCursor,
    private readonly options: BrowseOptions,
  ) {}

  /** Opens a session. @throws TopologyMissingError, AccessRefusedError, QueueLockedError */
  static async begin(connection: Connection, options: BrowseOptions): Promise<BrowseSession> {
    const total = await ready(connection, options.queue);
    const channel = await connection.openChannel('confirm');
    const size = Math.max(1, Math.min(total, options.cursor, MOST_HELD));
    const cursor = new PeekCursor(
      channel,
      options.queue,
      options.clock ?? systemClock,
      total,
      size,
      options.first,
    );
    if (total > 0) await explained(options.queue, () => cursor.open());
    return new BrowseSession(channel, total, cursor, options);
  }

  /** Messages read so far. */
  get seen(): number {
    return this.cursor.taken;
  }

  /** Messages that were in the queue and were not read. */
  get unseen(): number {
    return this.total - this.cursor.taken;
  }

  /** The next message; undefined after the last one, or when the signal has aborted. It stays in the queue. */
  async next(): Promise<DeadLetter | undefined> {
    if (this.options.signal?.aborted) return undefined;
    const message = await this.cursor.next(this.held);
    if (!message) return undefined;
    this.held++;
    this.last = message.deliveryTag;
    const letter = deadLetter(message, this.options.queue, this.cursor.taken);
    this.tags.set(letter, message.deliveryTag);
    return letter;
  }

  /** Removes messages from the queue for good. */
  remove(letters: readonly DeadLetter[]): void {
    if (letters.length === this.held && letters.length > 0) this.cursor.ackUpTo(this.last, letters.length);
    else for (const letter of letters) this.cursor.ack(this.tags.get(letter) as number);
    this.held -= letters.length;
  }

  /** Returns the messages that were not removed. Never rejects. */
  close(): Promise<void> {
    return this.cursor.close();
  }

  private readonly tags = new WeakMap<DeadLetter, number>();
}

async function explained<T>(queue: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const asked = { what: 'queue', name: queue, declaredBy: 'the dead-letter client' } as const;
    const why = declareError(error, asked);
    // For an exclusive consumer, the broker uses the code of missing permissions.
    if (why instanceof AccessRefusedError && /exclusive/.test(String(error)))
      throw new QueueLockedError(queue, error);
    if (why instanceof ConnectionLostError) {
      throw new ConnectionLostError(`the connection was lost while queue '${queue}' was opened`, error);
    }
    throw why;
  }
}
