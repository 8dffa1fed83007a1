// Where one system meets one bad input after the other: a virtual host of its own, the system as a process behind a
// proxy, and a client of bare amqplib that sends what no library would and looks what became of it.
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import amqp from 'amqplib';
import { Child } from '../harness/child.mjs';
import { Proxy } from '../harness/proxy.mjs';

/** How long the next good message, call or publish may take before the system counts as hung, in milliseconds. */
export const PATIENCE = 8_000;
/** How long a bad input may take to come to an outcome, in milliseconds. */
export const OUTCOME = 1_500;
/** More bytes a second than this at rest is a loop; heartbeats are a hundredth of it. */
const LOOP = 1_024;

const START = 20_000;

export class Arena {
  system;
  /** Bare amqplib, not through the meter. */
  channel;
  child;
  proxy;
  /** A good publish or call, for systems that say they are ready before they are connected. */
  warm;
  closed = false;
  settings;
  #role;
  #connection;
  #next = 1;

  constructor(system, role, url) {
    this.system = system;
    this.#role = role;
    this.url = url;
  }

  /** Connects, starts the system, and lets `ready` put up what the kind of input needs. */
  async open(ready) {
    this.#connection = await amqp.connect(this.url, { heartbeat: 0 });
    this.#connection.on('error', () => {});
    this.channel = await this.#connection.createConfirmChannel();
    this.channel.on('error', () => {});
    this.proxy = await Proxy.before(this.url);
    this.settings = {
      ...this.system.settings,
      url: this.proxy.through(this.url),
      exchange: 'bad',
      key: 'numbered',
      queue: 'numbered',
      queueType: 'classic',
      prefetch: 10,
      // The default of both peers, which is also how long they wait before they connect again.
      heartbeat: 5,
    };
    const own = this.system.declaresDeadLetters && this.#role === 'consumer' ? [] : ['numbered.dead'];
    for (const queue of [...own, 'victim']) await this.channel.assertQueue(queue, { durable: true });
    await this.channel.assertExchange('bad', 'topic', { durable: true });
    await this.start();
    await ready?.(this);
    await this.warm?.();
  }

  async close() {
    this.closed = true;
    await this.child?.kill();
    await this.proxy?.close();
    await this.#connection?.close().catch(() => {});
  }

  /** A fresh process, without what an earlier one left in the queue. */
  async start() {
    await this.child?.kill();
    if (this.#consumes) await this.channel.deleteQueue('numbered');
    this.child = new Child(this.system.name, this.#role, this.settings);
    const ready = await this.child.wait(({ event }) => event === 'ready', START);
    if (!ready) throw new Error(`${this.system.title} did not start: ${this.child.complaints.slice(0, 500)}`);
    await this.warm?.();
  }

  // Otherwise the queue is ours, and so is its consumer.
  get #consumes() {
    return this.#role === 'consumer' || this.#role === 'rpc-server';
  }

  /** Nest's transport has a queue and no exchange, and so have the calls of Warren. */
  get onDefaultExchange() {
    return this.system.frame !== undefined || (this.system.callsQueues && this.#role === 'rpc-server');
  }

  get number() {
    return this.#next++;
  }

  /** The body as this system frames it: as it is, or in the envelope of Nest's transport. */
  framed(body, id) {
    return JSON.stringify(this.system.frame ? this.system.frame(body, id) : body);
  }

  /** Publishes to the system's queue; resolves when the broker has it. */
  send(content, properties = {}) {
    return new Promise((resolve, reject) => {
      const done = (error) => (error ? reject(error) : resolve());
      const exchange = this.onDefaultExchange ? '' : 'bad';
      this.channel.publish(exchange, 'numbered', Buffer.from(content), properties, done);
    });
  }

  async count(queue) {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  async empty(...queues) {
    for (const queue of queues) await this.channel.purgeQueue(queue);
  }

  /** Kilobytes a second while nobody sends anything; 0 for what heartbeats need. */
  async loop() {
    await pause(300);
    const before = this.proxy.bytes;
    await pause(1_000);
    const rate = this.proxy.bytes - before;
    return rate > LOOP ? Math.round(rate / 1024) : 0;
  }

  /** Looks again and again until `condition()` holds; false when it does not within `limit`. */
  async until(condition, limit = OUTCOME) {
    const end = performance.now() + limit;
    while (performance.now() < end) {
      if (await condition()) return true;
      await pause(50);
    }
    return false;
  }

  /** Asks the process to publish or to call; resolves with its outcome, or undefined when none comes. */
  async ask(command, limit = PATIENCE) {
    const id = this.number;
    this.child.tell({ id, ...command });
    return this.child.wait((event) => event.event === 'settled' && event.id === id, limit);
  }

  /** Messages of a queue, to `hear`; one consumer for as long as the arena is open. */
  listen(queue, hear, options) {
    return this.channel.consume(queue, (message) => message && hear(message), options);
  }
}

/** The promise, or undefined after `limit` milliseconds. */
export async function within(promise, limit = OUTCOME) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, limit)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
