// One system on one broker: a server and a client, each behind a proxy of its own, so that either can be cut off, and
// a bare client for what no library would send.
import { setTimeout as pause } from 'node:timers/promises';
import amqp from 'amqplib';
import { Child } from '../harness/child.mjs';
import { Proxy } from '../harness/proxy.mjs';

/** Nobody starts slower than this on a busy machine, in milliseconds. */
const START = 30_000;
/** So much later than its time-out a call counts as never settled. */
const GRACE = 3_000;
/** A good call must work again within this. */
const WELL = 12_000;
export const QUEUE = 'numbered';

/**
 * @typedef {import('../harness/systems.mjs').System} System
 * @typedef {import('./brokers.mjs').CallBroker} CallBroker
 * @typedef {import('./sides.mjs').CallOptions} CallOptions
 * @typedef {import('./behaviours.mjs').Asked | import('./behaviours.mjs').Items} Body
 * @typedef {keyof typeof roles} Side
 */

/**
 * What a situation may look at: `any`, since each kind of call has an outcome of its own.
 *
 * @typedef {import('../harness/child.mjs').Settled<any>} Settled
 */

/**
 * Answers a request in the place of the server; `value` is as the system would write it.
 *
 * @typedef {(send: (body: string, properties?: import('amqplib').Options.Publish) => unknown, value: string) => unknown} Replacement
 */

const roles = { server: 'calls-server', client: 'calls-client' };
const dead = { durable: true };

export class Stand {
  /** @type {System} */
  system;
  /** @type {CallBroker} */
  broker;
  /** @type {{ server?: Child, client?: Child }} */
  #sides = {};
  #vhost;
  #proxies = /** @type {Record<Side, Proxy>} */ ({});
  /** @type {Child[]} */
  #others = [];
  #next = 1;
  /** @type {import('amqplib').ChannelModel | undefined} */
  #connection;

  /** @param {System} system @param {CallBroker} broker @param {string} vhost */
  constructor(system, broker, vhost) {
    this.system = system;
    this.broker = broker;
    this.#vhost = vhost;
  }

  get url() {
    return this.broker.vhost(this.#vhost);
  }

  get server() {
    return this.#there('server');
  }

  get client() {
    return this.#there('client');
  }

  async open() {
    for (const side of /** @type {Side[]} */ (Object.keys(roles)))
      this.#proxies[side] = await Proxy.before(this.url);
    await this.fresh();
  }

  async close() {
    await Promise.all([...Object.values(this.#sides), ...this.#others].map((child) => child.kill()));
    await this.#connection?.close().catch(() => {});
    for (const proxy of Object.values(this.#proxies)) await proxy.close();
  }

  /** Both sides anew, and nothing in the queue. */
  async fresh() {
    const before = [...Object.values(this.#sides), ...this.#others.splice(0)];
    await Promise.all(before.map((child) => child.kill()));
    await this.#connection?.close().catch(() => {});
    this.#connection = undefined;
    await this.raw(async (channel) => {
      await channel.deleteQueue(QUEUE);
      await channel.assertQueue(`${QUEUE}.dead`, dead);
      await channel.assertExchange('calls', 'topic', { durable: true });
    });
    await Promise.all([this.start('server'), this.start('client')]);
    await this.well();
  }

  /** @param {Side} side */
  async start(side) {
    this.#sides[side] = await this.#started(side);
  }

  /** One more instance of the server. */
  async another() {
    this.#others.push(await this.#started('server'));
  }

  forget() {
    this.server.forget();
    this.client.forget();
  }

  /**
   * Resolves with what the caller saw, or with undefined when it saw nothing; `limit` where there is no time-out.
   *
   * @param {Body} body
   * @param {CallOptions & { limit?: number }} [options]
   */
  call(body, { timeout = 1_500, limit = timeout + GRACE, ...more } = {}) {
    const id = this.#next++;
    this.client.tell({ id, body, timeout, ...more });
    const settled = this.client.wait((event) => event.event === 'settled' && event.id === id, limit);
    return /** @type {Promise<Settled | undefined>} */ (settled);
  }

  /**
   * Begins a call that takes a while; resolves when its handler runs, with a function that waits for its end.
   *
   * @param {Body} body
   * @param {CallOptions} [options]
   */
  async during(body, options) {
    const call = this.call(body, options);
    if (!(await this.heard('handled', 4_000))) throw new Error('the handler did not begin');
    return () => call;
  }

  /**
   * What the server said of that within `limit`.
   *
   * @param {string} event
   * @param {number} limit
   */
  async heard(event, limit) {
    return this.server.wait((each) => each.event === event, limit);
  }

  /** How many requests the server began. */
  get handled() {
    return this.server.events.filter(({ event }) => event === 'handled').length;
  }

  /** @param {Side} side */
  cut(side) {
    this.#proxies[side].cut();
  }

  /** Milliseconds until a call works as it should; null when none does. */
  async well() {
    const began = performance.now();
    while (performance.now() - began < WELL) {
      if (this.client.ended || this.server.ended) return null;
      if ((await this.call({ do: 'value' }, { timeout: 2_000 }))?.ok) return performance.now() - began;
      await pause(100);
    }
    return null;
  }

  /**
   * Takes the server's place.
   *
   * @param {Replacement} answer
   */
  async replace(answer) {
    await this.server.kill();
    this.#connection = await amqp.connect(this.url);
    this.#connection.on('error', () => {});
    const channel = await this.#connection.createChannel();
    channel.on('error', () => {});
    /** @param {import('amqplib').ConsumeMessage | null} message */
    const hear = (message) => {
      if (message === null) return;
      const { replyTo, correlationId } = message.properties;
      /** @param {string} body @param {import('amqplib').Options.Publish} [properties] */
      const send = (body, properties) =>
        channel.sendToQueue(replyTo, Buffer.from(body), {
          contentType: 'application/json',
          correlationId,
          ...properties,
        });
      const value = this.system.answer?.('good') ?? 'good';
      answer(send, JSON.stringify(value));
    };
    await channel.consume(QUEUE, hear, { noAck: true });
  }

  /** The server in its place again. */
  async restore() {
    await this.#connection?.close().catch(() => {});
    this.#connection = undefined;
    await this.start('server');
    this.forget();
  }

  /**
   * Work with a bare channel.
   *
   * @param {(channel: import('amqplib').Channel) => Promise<unknown>} work
   */
  async raw(work) {
    const connection = await amqp.connect(this.url);
    connection.on('error', () => {});
    try {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      return await work(channel);
    } finally {
      await connection.close().catch(() => {});
    }
  }

  /** @param {Side} side */
  #there(side) {
    const child = this.#sides[side];
    if (child === undefined) throw new Error(`the ${side} was not started`);
    return child;
  }

  /** @param {Side} side */
  async #started(side) {
    const settings = {
      ...this.system.settings,
      url: this.#proxies[side].through(this.url),
      exchange: 'calls',
      key: QUEUE,
      queue: QUEUE,
      queueType: 'classic',
      prefetch: 10,
      heartbeat: 4,
    };
    const child = new Child(this.system.name, roles[side], settings);
    const ready = await child.wait(({ event }) => event === 'ready', START);
    if (!ready) throw new Error(`${this.system.title}: no ${side}: ${child.complaints.slice(0, 800)}`);
    return child;
  }
}
