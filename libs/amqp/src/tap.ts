// Reads along what passes an exchange, for people: a queue of its own gets copies, so consumers notice nothing. What comes
// faster than it is read is dropped by the broker, the oldest first.

import { connected } from './dead-letters/browse-session.js';
import type { DeadLetterConnection } from './dead-letters/dead-letter.js';
import type { LiveChannel } from './connection/channel.js';
import type { Connection } from './connection/connection.js';
import { ConfigError, ConnectionLostError } from './errors/errors.js';
import { safeHeaders } from './message/headers.js';
import type { Headers, MessageProperties, ReceivedMessage } from './message/message.js';
import { checkName, outgoingHeaders } from './message/outgoing.js';
import { declareError } from './topology/declare-error.js';

/** Where the broker is, and what to read. */
export interface TapOptions extends DeadLetterConnection {
  /** Default `events`. It must exist. */
  readonly exchange?: string | undefined;
  /** Routing keys; for topic exchanges also patterns. Default `#`: all messages of a topic or fanout exchange. */
  readonly keys?: readonly string[] | undefined;
  /**
   * Headers exchanges: the headers that a message must have, all of them; null for any value. In place of `keys`. Names
   * that begin with `x-` need RabbitMQ 3.10; `x-match` cannot be asked for.
   */
  readonly headers?: Headers | undefined;
  /** Aborting it ends the loop. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when every message from now on will come. */
  readonly onReady?: (() => void) | undefined;
}

/** A copy of a message that passed. */
export interface TappedMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: MessageProperties;
  /** Own keys only, no prototype. */
  readonly headers: Headers;
  readonly content: Buffer;
}

/** Messages that are here and not read yet. */
const PREFETCH = 100;

/** Of the queue: what comes beyond that pushes out the oldest. */
const MOST_MESSAGES = 2_000;
const MOST_BYTES = 16 * 1_024 * 1_024;

/**
 * Messages of an exchange as they pass, until the loop ends or `signal` aborts. The copies come to an exclusive queue of
 * its own with at most 2000 messages and 16 MiB. Rejects with `ConnectionRefusedError`, `TopologyMissingError` (no such
 * exchange), `AccessRefusedError`, `ConnectionLostError`: it does not connect again.
 *
 * @example
 * for await (const { routingKey, content } of tap({ url, keys: ['order.#'] })) console.log(routingKey, content.length);
 */
export async function* tap(options: TapOptions = {}): AsyncGenerator<TappedMessage, void, undefined> {
  const { exchange = 'events', keys = ['#'], headers, signal, onReady } = options;
  if (exchange === '')
    throw new ConfigError('the default exchange cannot be tapped', 'name the exchange, or read a queue');
  checkName('exchange', exchange);
  const wanted = headers && outgoingHeaders(headers);
  if (wanted && 'x-match' in wanted)
    throw new ConfigError('a headers exchange cannot look at the header x-match', 'leave it out');
  const reader = new TapReader(signal);
  // A generator cannot sit inside a callback: the connection is closed when the loop ends.
  let leave: () => void = () => undefined;
  const left = new Promise<void>((resolve) => (leave = resolve));
  let tapping: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    tapping = connected(
      options,
      async (connection) => {
        await reader.open(
          connection,
          exchange,
          wanted ? [{ key: '', wanted }] : keys.map((key) => ({ key })),
        );
        resolve();
        await left;
      },
      'warren-tap',
    );
    tapping.catch(reject);
  });
  try {
    onReady?.();
    for (let message = await reader.next(); message; message = await reader.next()) yield message;
  } finally {
    leave();
    await tapping;
  }
}

interface Binding {
  readonly key: string;
  readonly wanted?: Headers;
}

/** The queue, and what came from it and is not read yet. */
class TapReader {
  private readonly arrived: ReceivedMessage[] = [];
  private channel: LiveChannel | undefined;
  private end: Error | 'aborted' | undefined;
  private wake: () => void = () => undefined;

  constructor(signal: AbortSignal | undefined) {
    if (signal?.aborted) this.end = 'aborted';
    signal?.addEventListener('abort', () => this.stop('aborted'), { once: true });
  }

  async open(connection: Connection, exchange: string, bindings: readonly Binding[]): Promise<void> {
    const channel = await connection.openChannel('plain');
    this.channel = channel;
    void channel.closed.then((reason) =>
      this.stop(new ConnectionLostError(`the connection was lost: ${reason}`)),
    );
    try {
      const queue = await declared(channel, exchange, bindings);
      await channel.prefetch(PREFETCH);
      await channel.consume(queue, { noAck: false, exclusive: true }, (message) => {
        if (message === 'cancelled')
          return this.stop(new ConnectionLostError('the queue of the tap was deleted'));
        this.arrived.push(message);
        this.wake();
      });
    } catch (error) {
      const why = declareError(error, { what: 'exchange', name: exchange, declaredBy: 'the tap' });
      if (!(why instanceof ConnectionLostError)) throw why;
      throw new ConnectionLostError(`the connection was lost while exchange '${exchange}' was tapped`, error);
    }
  }

  /** The next message; undefined when the signal has aborted. What came before is given before the loss is told. */
  async next(): Promise<TappedMessage | undefined> {
    while (this.arrived.length === 0 && this.end === undefined)
      await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.end === 'aborted') return undefined;
    const message = this.arrived.shift();
    if (message === undefined) throw this.end as Error;
    this.channel?.ack(message.deliveryTag);
    const { exchange, routingKey, properties, content } = message;
    return { exchange, routingKey, properties, headers: safeHeaders(properties.headers), content };
  }

  private stop(end: Error | 'aborted'): void {
    this.end ??= end;
    this.wake();
  }
}

/** With `all`, the exchange ignores names that begin with `x-`. */
function matchOf(wanted: Headers): string {
  return Object.keys(wanted).some((name) => name.startsWith('x-')) ? 'all-with-x' : 'all';
}

/** The name of a new queue that gets what the bindings say. It ends with the connection. */
async function declared(
  { declaring }: LiveChannel,
  exchange: string,
  bindings: readonly Binding[],
): Promise<string> {
  await declaring.checkExchange(exchange);
  const { queue } = await declaring.assertQueue('', {
    exclusive: true,
    autoDelete: true,
    durable: false,
    arguments: {
      'x-queue-type': 'classic',
      'x-max-length': MOST_MESSAGES,
      'x-max-length-bytes': MOST_BYTES,
      'x-overflow': 'drop-head',
    },
  });
  for (const { key, wanted } of bindings) {
    await declaring.bindQueue(queue, exchange, key, wanted && { ...wanted, 'x-match': matchOf(wanted) });
  }
  return queue;
}
