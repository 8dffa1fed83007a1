// The private broker and what the measurements do with it themselves: declare, fill, count, delete, with bare amqplib
// in the parent, outside of every window.
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { startRabbitMQ } from '../../tools/rabbitmq.mjs';
import { bodies } from './bodies.mjs';

const SETTLING = 10_000;

export class Stand {
  #node;
  #connection;
  #channel;
  #next = 0;

  static async start() {
    const stand = new Stand();
    stand.#node = await startRabbitMQ({ management: false });
    try {
      stand.#connection = await connect(stand.url, { noDelay: true });
      stand.#connection.on('error', () => {});
      stand.#channel = await stand.#connection.createConfirmChannel();
      stand.#channel.on('error', () => {});
    } catch (error) {
      await stand.stop();
      throw error;
    }
    return stand;
  }

  get url() {
    return this.#node.url;
  }

  /** The version of the broker, as it tells every client. */
  get version() {
    return this.#connection.connection.serverProperties.version;
  }

  async stop() {
    await this.#connection?.close().catch(() => {});
    await this.#node.stop();
  }

  /** A name that no measurement had before. */
  name() {
    return `speed.${this.#next++}`;
  }

  async declare(queue) {
    await this.#channel.assertQueue(queue, { durable: true });
  }

  /** Binds the queue to an exchange with each of the keys. */
  async bind(queue, exchange, keys) {
    await this.#channel.assertExchange(exchange, 'topic');
    for (const key of keys) await this.#channel.bindQueue(queue, exchange, key);
  }

  /**
   * Puts numbered messages there; with keys they go through the exchange, one key after the other.
   *
   * @param {{ queue: string, exchange?: string, keys?: string[], count: number, size: number,
   *   wrap?: (body: unknown, key?: string) => unknown }} what
   */
  async fill({ queue, exchange = '', keys, count, size, wrap = (body) => body }) {
    const make = bodies(size);
    const options = { contentType: 'application/json' };
    for (let n = 0; n < count; n++) {
      const key = keys?.[n % keys.length];
      const content = Buffer.from(JSON.stringify(wrap(make(n), key)));
      if (!this.#channel.publish(exchange, key ?? queue, content, options)) {
        await new Promise((resolve) => this.#channel.once('drain', resolve));
      }
    }
    await this.#channel.waitForConfirms();
    await this.expect(queue, count);
  }

  /** What is ready in the queue. */
  async depth(queue) {
    return (await this.#channel.checkQueue(queue)).messageCount;
  }

  /** Resolves when the queue holds so many; rejects when it still does not after some seconds. */
  async expect(queue, count) {
    const end = performance.now() + SETTLING;
    for (;;) {
      const depth = await this.depth(queue);
      if (depth === count) return;
      if (performance.now() > end) throw new Error(`${depth} messages in the queue, not ${count}`);
      await pause(20);
    }
  }

  /** Rejects unless the oldest message is number 0 as it was to be sent. */
  async checkOldest(queue, { size, persistent, wrap = (body) => body }) {
    const message = await this.#channel.get(queue, { noAck: true });
    const wanted = JSON.stringify(wrap(bodies(size)(0)));
    const sent = message && JSON.stringify(JSON.parse(message.content.toString()));
    if (sent !== wanted) throw new Error('the first message is not what was sent');
    if ((message.properties.deliveryMode === 2) !== persistent) {
      throw new Error(`the messages are ${persistent ? 'not ' : ''}persistent`);
    }
  }

  async remove(queues, exchanges = []) {
    for (const queue of queues) await this.#channel.deleteQueue(queue);
    for (const exchange of exchanges) await this.#channel.deleteExchange(exchange);
  }
}
