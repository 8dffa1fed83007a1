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

/**
 * @typedef {import('amqplib').ConsumeMessage} ConsumeMessage
 * @typedef {import('amqplib').Options.Publish} Properties
 * @typedef {import('../harness/systems.mjs').System} System
 * @typedef {import('../faults/trial.mjs').Role} Role
 */

/**
 * What was made of a bad input; `clear` is undefined when it cannot be given to this system. `hurt` good messages failed with
 * it, the next one succeeded after `late` ms, or not at all: `hung`.
 *
 * @typedef {{ outcome: string, clear: boolean | undefined, hurt?: number, late?: number, hung?: boolean }} Judgement
 */

/**
 * Sends a body as the answer to a request.
 *
 * @typedef {(body: string, properties?: Properties) => void} Send
 */

/**
 * What the other side of a call does with a request; `value` is how the system would write the good answer.
 *
 * @typedef {(send: Send, value: string) => unknown} Answer
 */

export class Arena {
  /** @type {System} */
  system;
  proxy = new Proxy();
  /**
   * A good publish or call, for systems that say they are ready before they are connected.
   *
   * @type {(() => Promise<unknown>) | undefined}
   */
  warm;
  closed = false;
  /**
   * What came through from a system that publishes.
   *
   * @type {ConsumeMessage[]}
   */
  arrived = [];
  /**
   * Who waits for the reply with that correlation id.
   *
   * @type {Map<string, (message: ConsumeMessage) => void>}
   */
  replies = new Map();
  /**
   * How a system that calls is answered at the moment.
   *
   * @type {Answer}
   */
  answer = () => undefined;
  #settings = {};
  #role;
  #url;
  /** @type {import('amqplib').ChannelModel | undefined} */
  #connection;
  /** @type {import('amqplib').ConfirmChannel | undefined} */
  #channel;
  /** @type {Child | undefined} */
  #child;
  #next = 1;

  /** @param {System} system @param {Role} role @param {string} url */
  constructor(system, role, url) {
    this.system = system;
    this.#role = role;
    this.#url = url;
  }

  /** Bare amqplib, not through the meter. */
  get channel() {
    return open(this.#channel);
  }

  /** The system. */
  get child() {
    return open(this.#child);
  }

  /**
   * Connects, starts the system, and lets `ready` put up what the kind of input needs.
   *
   * @param {(arena: Arena) => Promise<void>} [ready]
   */
  async open(ready) {
    this.#connection = await amqp.connect(this.#url);
    this.#connection.on('error', () => {});
    this.#channel = await this.#connection.createConfirmChannel();
    this.#channel.on('error', () => {});
    this.proxy = await Proxy.before(this.#url);
    this.#settings = {
      ...this.system.settings,
      url: this.proxy.through(this.#url),
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
    await this.#child?.kill();
    await this.proxy.close();
    await this.#connection?.close().catch(() => {});
  }

  /** A fresh process, without what an earlier one left in the queue. */
  async start() {
    await this.#child?.kill();
    if (this.#consumes) await this.channel.deleteQueue('numbered');
    this.#child = new Child(this.system.name, this.#role, this.#settings);
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

  /**
   * The body as this system frames it: as it is, or in the envelope of Nest's transport.
   *
   * @param {unknown} body
   * @param {string} [id]
   */
  framed(body, id) {
    return JSON.stringify(this.system.frame ? this.system.frame(body, id) : body);
  }

  /**
   * Publishes to the system's queue; resolves when the broker has it.
   *
   * @param {string | Buffer} content
   * @param {Properties} [properties]
   */
  send(content, properties = {}) {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
      const done = (/** @type {unknown} */ error) => (error ? reject(error) : resolve());
      const exchange = this.onDefaultExchange ? '' : 'bad';
      this.channel.publish(exchange, 'numbered', Buffer.from(content), properties, done);
    });
  }

  /** @param {string} queue */
  async count(queue) {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  /** @param {string[]} queues */
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

  /**
   * Looks again and again until `condition()` holds; false when it does not within `limit`.
   *
   * @param {() => boolean | Promise<boolean>} condition
   * @param {number} [limit]
   */
  async until(condition, limit = OUTCOME) {
    const end = performance.now() + limit;
    while (performance.now() < end) {
      if (await condition()) return true;
      await pause(50);
    }
    return false;
  }

  /**
   * Asks the process to publish or to call; resolves with its outcome, or undefined when none comes.
   *
   * @param {object} command
   * @param {number} [limit]
   */
  async ask(command, limit = PATIENCE) {
    const id = this.number;
    this.child.tell({ id, ...command });
    const settled = await this.child.wait((event) => event.event === 'settled' && event.id === id, limit);
    return /** @type {import('../harness/child.mjs').Settled<string> | undefined} */ (settled);
  }

  /**
   * Messages of a queue, to `hear`; one consumer for as long as the arena is open.
   *
   * @param {string} queue
   * @param {(message: ConsumeMessage) => unknown} hear
   * @param {import('amqplib').Options.Consume} options
   */
  listen(queue, hear, options) {
    return this.channel.consume(queue, (message) => message && hear(message), options);
  }
}

/**
 * The promise, or undefined after `limit` milliseconds.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {number} [limit]
 * @returns {Promise<T | undefined>}
 */
export async function within(promise, limit = OUTCOME) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    timer = setTimeout(resolve, limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A part that is there once the arena is open.
 *
 * @template T
 * @param {T | undefined} part
 */
function open(part) {
  if (part === undefined) throw new Error('the arena is not open');
  return part;
}
