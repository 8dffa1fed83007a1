// The private broker and what the measurements do with it themselves: declare, fill, count, delete, with bare amqplib
// in the parent, outside of every window.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { freePorts } from '../../tools/rabbitmq-ports.mjs';
import { startRabbitMQ } from '../../tools/rabbitmq.mjs';
import { root } from '../../tools/run.mjs';
import { bodies } from './bodies.mjs';

const SETTLING = 10_000;

/** Of the tests: its certificate is its own authority. @param {string} name */
const tlsFile = (name) => join(root, 'test', 'support', 'tls', name);

export class Stand {
  #connection;
  #channel;
  #next = 0;

  /** Makes a process trust the certificate of the broker: variables of its environment. */
  trust = { NODE_EXTRA_CA_CERTS: tlsFile('cert.pem') };

  /**
   * @param {import('../../tools/rabbitmq.mjs').RabbitMQNode} node
   * @param {number} securePort
   * @param {import('amqplib').ChannelModel} connection
   * @param {import('amqplib').ConfirmChannel} channel
   */
  constructor(node, securePort, connection, channel) {
    this.node = node;
    this.secureUrl = `amqps://guest:guest@127.0.0.1:${securePort}`;
    this.#connection = connection;
    this.#channel = channel;
  }

  static async start() {
    const [securePort] = await freePorts(1);
    const node = await startRabbitMQ({
      management: false,
      settings: [
        `listeners.ssl.1 = 127.0.0.1:${securePort}`,
        `ssl_options.cacertfile = ${tlsFile('cert.pem')}`,
        `ssl_options.certfile = ${tlsFile('cert.pem')}`,
        `ssl_options.keyfile = ${tlsFile('key.pem')}`,
        'ssl_options.verify = verify_none',
      ],
    });
    try {
      const connection = await connect(node.url, { noDelay: true });
      connection.on('error', () => {});
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => {});
      return new Stand(node, securePort, connection, channel);
    } catch (error) {
      await node.stop();
      throw error;
    }
  }

  get url() {
    return this.node.url;
  }

  /** The version of the broker, as it tells every client. */
  get version() {
    return this.#connection.connection.serverProperties.version;
  }

  async stop() {
    await this.#connection.close().catch(() => {});
    await this.node.stop();
  }

  /** A name that no measurement had before. */
  name() {
    return `speed.${this.#next++}`;
  }

  /** @param {string} queue @param {string} [type] @param {Record<string, unknown>} [more] */
  async declare(queue, type = 'classic', more = {}) {
    await this.#channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': type, ...more } });
  }

  /**
   * Binds the queue to an exchange with each of the keys.
   *
   * @param {string} queue
   * @param {string} exchange
   * @param {readonly string[]} keys
   */
  async bind(queue, exchange, keys) {
    await this.#channel.assertExchange(exchange, 'topic');
    for (const key of keys) await this.#channel.bindQueue(queue, exchange, key);
  }

  /**
   * Puts numbered messages there; with keys they go through the exchange, one key after the other.
   *
   * @param {{ queues: readonly string[], exchange?: string, keys?: string[], count: number, size: number,
   *   wrap?: (body: unknown, key?: string) => unknown }} what
   */
  async fill({ queues, exchange = '', keys, count, size, wrap = (body) => body }) {
    const make = bodies(size);
    const options = { contentType: 'application/json' };
    for (let n = 0; n < count; n++) {
      const key = keys?.[n % keys.length];
      const content = Buffer.from(JSON.stringify(wrap(make(n), key)));
      if (!this.#channel.publish(exchange, key ?? queues[0], content, options)) {
        await new Promise((resolve) => this.#channel.once('drain', resolve));
      }
    }
    await this.#channel.waitForConfirms();
    await this.expectAll(queues, count);
  }

  /**
   * What is ready in the queue.
   *
   * @param {string} queue
   */
  async depth(queue) {
    return (await this.#channel.checkQueue(queue)).messageCount;
  }

  /**
   * Resolves when the queue holds so many; rejects when it still does not after some seconds.
   *
   * @param {string} queue
   * @param {number} count
   */
  expect(queue, count) {
    return this.expectAll([queue], count);
  }

  /**
   * The same of several queues together.
   *
   * @param {readonly string[]} queues
   * @param {number} count
   */
  async expectAll(queues, count) {
    const end = performance.now() + SETTLING;
    for (;;) {
      let depth = 0;
      for (const queue of queues) depth += await this.depth(queue);
      if (depth === count) return;
      if (performance.now() > end) throw new Error(`${depth} messages in the queue, not ${count}`);
      await pause(20);
    }
  }

  /**
   * Rejects unless the oldest message is number 0 as it was to be sent.
   *
   * @param {string} queue
   * @param {{ size: number, persistent: boolean, wrap?: (body: unknown) => unknown }} what
   */
  async checkOldest(queue, { size, persistent, wrap = (body) => body }) {
    const message = await this.#channel.get(queue, { noAck: true });
    const wanted = JSON.stringify(wrap(bodies(size)(0)));
    const sent = message && JSON.stringify(JSON.parse(message.content.toString()));
    if (sent !== wanted) throw new Error('the first message is not what was sent');
    if (message && (message.properties.deliveryMode === 2) !== persistent) {
      throw new Error(`the messages are ${persistent ? 'not ' : ''}persistent`);
    }
  }

  /** @param {readonly string[]} queues @param {readonly string[]} [exchanges] */
  async remove(queues, exchanges = []) {
    for (const queue of queues) await this.#channel.deleteQueue(queue);
    for (const exchange of exchanges) await this.#channel.deleteExchange(exchange);
  }
}
