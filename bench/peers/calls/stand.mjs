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

const roles = { server: 'calls-server', client: 'calls-client' };
const dead = { durable: true };

export class Stand {
  system;
  broker;
  server;
  client;
  #vhost;
  #proxies = {};
  #others = [];
  #next = 1;
  #connection;

  constructor(system, broker, vhost) {
    this.system = system;
    this.broker = broker;
    this.#vhost = vhost;
  }

  get url() {
    return this.broker.vhost(this.#vhost);
  }

  async open() {
    for (const side of Object.keys(roles)) this.#proxies[side] = await Proxy.before(this.url);
    await this.fresh();
  }

  async close() {
    await Promise.all([this.server, this.client, ...this.#others].map((child) => child?.kill()));
    await this.#connection?.close().catch(() => {});
    for (const proxy of Object.values(this.#proxies)) await proxy.close();
  }

  /** Both sides anew, and nothing in the queue. */
  async fresh() {
    const before = [this.server, this.client, ...this.#others.splice(0)];
    await Promise.all(before.map((child) => child?.kill()));
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

  async start(side) {
    this[side] = await this.#started(side);
  }

  /** One more instance of the server. */
  async another() {
    this.#others.push(await this.#started('server'));
  }

  forget() {
    this.server.forget();
    this.client.forget();
  }

  /** Resolves with what the caller saw, or with undefined when it saw nothing; `limit` where there is no time-out. */
  call(body, { timeout = 1_500, limit = timeout + GRACE, ...more } = {}) {
    const id = this.#next++;
    this.client.tell({ id, body, timeout, ...more });
    return this.client.wait((event) => event.event === 'settled' && event.id === id, limit);
  }

  /** Begins a call that takes a while; resolves when its handler runs, with a function that waits for its end. */
  async during(body, options) {
    const call = this.call(body, options);
    if (!(await this.heard('handled', 4_000))) throw new Error('the handler did not begin');
    return () => call;
  }

  /** Whether the server said so within `limit`. */
  async heard(event, limit) {
    return this.server.wait((each) => each.event === event, limit);
  }

  /** How many requests the server began. */
  get handled() {
    return this.server.events.filter(({ event }) => event === 'handled').length;
  }

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

  /** Takes the server's place: `answer(send, value)` for each request, `value` as the system would write it. */
  async replace(answer) {
    await this.server.kill();
    this.#connection = await amqp.connect(this.url);
    this.#connection.on('error', () => {});
    const channel = await this.#connection.createChannel();
    channel.on('error', () => {});
    const hear = (message) => {
      if (message === null) return;
      const { replyTo, correlationId } = message.properties;
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
    await this.#connection.close().catch(() => {});
    this.#connection = undefined;
    await this.start('server');
    this.forget();
  }

  /** Work with a bare channel. */
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
