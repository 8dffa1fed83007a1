// What the checks of the corpus are written in: a connection with one confirm channel, names of its own, and the
// broker's refusals as text. Plain amqplib underneath, nothing of the library.
import {
  connect,
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  type GetMessage,
  type Options,
} from 'amqplib';
import type { ConnectOptions, TestBroker } from '../support/brokers.js';
import { collector, nextEvent, within, type Collector } from '../support/events.js';

let names = 0;

/** A name that no other test uses. */
export const fresh = (kind: string): string => `${kind}-${++names}`;

export interface TestConsumer {
  readonly queue: string;
  readonly tag: string;
  /** Deliveries; null stands for the broker's cancel. */
  readonly got: Collector<ConsumeMessage | null>;
  /** Bodies of the next deliveries. */
  bodies(count: number): Promise<string[]>;
  /** The next delivery. */
  message(): Promise<ConsumeMessage>;
}

export class Session {
  private constructor(
    readonly connection: ChannelModel,
    readonly channel: ConfirmChannel,
  ) {}

  static async open(broker: TestBroker, options?: ConnectOptions): Promise<Session> {
    const connection = await broker.connect(options);
    return new Session(connection, await confirmChannel(connection));
  }

  /** Another channel of the same connection. */
  async sibling(): Promise<Session> {
    return new Session(this.connection, await confirmChannel(this.connection));
  }

  /** Declares a queue with a fresh name; durable, because RabbitMQ 4 may refuse others that are not exclusive. */
  async queue(options: Options.AssertQueue = {}): Promise<string> {
    return (await this.channel.assertQueue(fresh('queue'), options)).queue;
  }

  /** Declares an exchange with a fresh name; not durable unless told. */
  async exchange(type: string, options: Options.AssertExchange = {}): Promise<string> {
    return (await this.channel.assertExchange(fresh('exchange'), type, { durable: false, ...options }))
      .exchange;
  }

  /** A queue bound to an exchange with each of the keys. */
  async bound(exchange: string, keys: readonly string[], args?: object): Promise<string> {
    const queue = await this.queue();
    for (const key of keys) await this.channel.bindQueue(queue, exchange, key, args);
    return queue;
  }

  /** Publishes and waits for the confirm; rejects when the broker nacks. */
  publish(exchange: string, key: string, body: string | Buffer, options?: Options.Publish): Promise<void> {
    const confirmed = new Promise<void>((resolve, reject) => {
      const done = (error: Error | null): void => (error ? reject(error) : resolve());
      this.channel.publish(exchange, key, Buffer.from(body), options, done);
    });
    return within(confirmed, `the confirm of '${key}' to '${exchange}'`);
  }

  /** Publishes the bodies to a queue, in order, and waits for the confirms. */
  async send(queue: string, bodies: readonly string[], options?: Options.Publish): Promise<void> {
    await Promise.all(bodies.map((body) => this.publish('', queue, body, options)));
  }

  /** Takes one message off a queue and acks it. */
  async get(queue: string): Promise<GetMessage | false> {
    return this.channel.get(queue, { noAck: true });
  }

  /** Takes everything off a queue; the bodies in order. */
  async drain(queue: string): Promise<string[]> {
    const bodies: string[] = [];
    for (let message = await this.get(queue); message; message = await this.get(queue))
      bodies.push(text(message));
    return bodies;
  }

  async consume(queue: string, options?: Options.Consume): Promise<TestConsumer> {
    const got = collector<ConsumeMessage | null>(`deliveries from '${queue}'`);
    const { consumerTag } = await this.channel.consume(queue, got.push, options);
    return {
      queue,
      tag: consumerTag,
      got,
      bodies: async (count) => (await got.take(count)).map(text),
      message: async () => (await got.one()) as ConsumeMessage,
    };
  }

  /** Collects what the broker returns to this channel. */
  returns(): Collector<ConsumeMessage> {
    const returned = collector<ConsumeMessage>('returned messages');
    this.channel.on('return', returned.push as (message: unknown) => void);
    return returned;
  }
}

async function confirmChannel(connection: ChannelModel): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  return channel;
}

/** Body of a message as text; 'cancelled' for the broker's cancel. */
export function text(message: { readonly content: Buffer } | null): string {
  return message === null ? 'cancelled' : message.content.toString();
}

/** The reply with which the broker closes the channel after `act`: `404 NOT_FOUND - no queue 'x' in vhost 'V'`. */
export async function channelRefusal(channel: Channel, act: () => unknown): Promise<string> {
  return refusal(nextEvent<Error>(channel, 'error', 'the broker to close the channel'), act);
}

/** The same for the whole connection. */
export async function connectionRefusal(connection: ChannelModel, act: () => unknown): Promise<string> {
  return refusal(nextEvent<Error>(connection, 'error', 'the broker to close the connection'), act);
}

/** Connects and gives the reply with which the broker refuses. */
export async function handshakeRefusal(url: string, options?: object): Promise<string> {
  const error = await connect(url, { noDelay: true, timeout: 10_000, ...options }).then(
    (connection) => connection.close().then(() => new Error('The broker accepted the connection.')),
    (reason: unknown) => reason as Error,
  );
  return reply(error);
}

async function refusal(closed: Promise<Error>, act: () => unknown): Promise<string> {
  // The call that provokes it may reject as well; the reply is the same one.
  const [error] = await Promise.all([closed, Promise.resolve(act()).catch(() => undefined)]);
  return reply(error);
}

// amqplib: `Channel closed by server: 404 (NOT-FOUND) with message "NOT_FOUND - no queue ..."`. Each broker and
// file has a vhost of its own, so its name is taken out.
function reply(error: Error): string {
  const parts = /: (\d{3}) \([A-Z-]+\) with message "([^]*)"/.exec(error.message);
  if (!parts) return error.message;
  return `${parts[1]} ${parts[2]}`.replace(/vhost '[^']*'/g, "vhost 'V'");
}
