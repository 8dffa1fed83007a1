// Which confirm channel a message takes: all share one, but a stream may have its own.

import type { OutgoingMessage } from '../message/message.js';
import type { Server } from '../message/direct-reply.js';
import type { Sender } from './sender.js';

/** What the senders of a connection are made from. */
export interface SendersOptions {
  readonly make: () => Sender;
  /** Queues of this process that are streams, as far as they are known by then. */
  readonly streams: ReadonlySet<string>;
  /** The broker at the other end. */
  readonly server: () => Server;
}

/**
 * The senders of a connection. When the leader of a stream changes, RabbitMQ 3 writes unconfirmed messages again under the
 * confirm numbers of their channel. When these are ahead of what the channel wrote to the stream, because it publishes to other
 * queues too, the new leader takes all that follows for repetitions: it confirms them and drops them. On a channel that
 * publishes to this stream alone, the numbers are the same.
 */
export class Senders {
  /** For everything that is no stream. */
  readonly main: Sender;
  private readonly streams = new Map<string, Sender>();

  constructor(private readonly options: SendersOptions) {
    this.main = options.make();
  }

  of({ exchange, routingKey }: Pick<OutgoingMessage, 'exchange' | 'routingKey'>): Sender {
    if (exchange !== '' || !this.options.streams.has(routingKey)) return this.main;
    let own = this.streams.get(routingKey);
    if (own === undefined) {
      const { product, version } = this.options.server();
      // Before the first connection nobody knows; and no message overtakes another by changing the channel later.
      if (product !== '' && (product !== 'RabbitMQ' || version[0] >= 4)) return this.main;
      own = this.options.make();
      this.streams.set(routingKey, own);
    }
    return own;
  }

  get pending(): Sender['pending'] {
    const all = this.all.map(({ pending }) => pending);
    return { unconfirmed: sum(all, 'unconfirmed'), waiting: sum(all, 'waiting') };
  }

  /** What waits in all of them; `limit` is that of each. */
  get buffer(): Pick<Sender['buffer'], 'size' | 'bytes' | 'limit'> {
    const all = this.all.map(({ buffer }) => buffer);
    return { size: sum(all, 'size'), bytes: sum(all, 'bytes'), limit: this.main.buffer.limit };
  }

  flush(): void {
    for (const sender of this.all) sender.flush();
  }

  async close(expired: Promise<void>): Promise<void> {
    await Promise.all(this.all.map((sender) => sender.close(expired)));
  }

  private get all(): Sender[] {
    return [this.main, ...this.streams.values()];
  }
}

function sum<K extends string>(all: readonly Readonly<Record<K, number>>[], key: K): number {
  return all.reduce((total, each) => total + each[key], 0);
}
