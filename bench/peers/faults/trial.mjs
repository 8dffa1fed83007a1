// One system in one fault: its processes behind a proxy of their own, in a virtual host of their own. What ends by
// itself is counted as a crash and started again, as whatever watches over processes would.
import { setTimeout as pause } from 'node:timers/promises';
import amqp from 'amqplib';
import { Child } from '../harness/child.mjs';
import { Proxy } from '../harness/proxy.mjs';
import { Ledger } from './ledger.mjs';

/**
 * @typedef {import('../harness/systems.mjs').System} System
 * @typedef {'consumer' | 'producer' | 'rpc-server' | 'rpc-client' | 'calls-server' | 'calls-client'} Role
 * @typedef {import('amqplib').Channel} Channel
 */

/**
 * What is sent: messages or calls, how many, how many a second.
 *
 * @typedef {{ calls?: boolean, rate?: number, count?: number, size?: number, timeout?: number }} Stream
 */

/**
 * What a trial has beyond the others: handlers that fail, senders behind a proxy of their own, further settings.
 *
 * @typedef {{ failing?: boolean, apart?: boolean, retry?: { attempts: number, delays?: number }, [setting: string]: unknown }} Extra
 */

/** Nobody starts slower than this on a busy machine, in milliseconds. */
const START = 60_000;
/** Messages a second; the same for all. */
export const RATE = 100;
/** Of heartbeats in seconds: the same for all. */
const HEARTBEAT = 4;
const ENOUGH = 1_000_000;
const LONGEST_END = 15_000;

export class Trial {
  /** @type {System} */
  system;
  ledger = new Ledger();
  proxy = new Proxy();
  /** Before the side that sends, when a fault is to hit that side alone; else the same as `proxy`. */
  senders = this.proxy;
  /**
   * What the processes wrote to their logs as a warning or worse; the beginning is what matters.
   *
   * @type {string[]}
   */
  logs = [];
  /**
   * Figures that a fault adds.
   *
   * @type {{ meanwhile?: number }}
   */
  more = {};
  /**
   * The role of the process that handles, in trials of a schedule.
   *
   * @type {Role}
   */
  worker = 'consumer';
  /**
   * What the first process that ended by itself had written.
   *
   * @type {string | undefined}
   */
  crash;
  /** Processes by their role. */
  children = /** @type {Record<Role, Child>} */ ({});
  /** @type {string} */
  #url;
  #settings = {};
  #ending = false;
  /** @type {Role | undefined} */
  #mortal;
  /** @type {Child[]} */
  #all = [];
  /** @type {Stream | undefined} */
  #stream;
  #next = 1;
  #asked = 0;

  /** @param {System} system @param {string} url */
  constructor(system, url) {
    this.system = system;
    this.#url = url;
  }

  get vhost() {
    return new URL(this.#url).pathname.slice(1);
  }

  /**
   * The proxy and what foreign programs have to declare; no process yet.
   *
   * @param {Extra} [extra]
   */
  async open(extra = {}) {
    this.proxy = await Proxy.before(this.#url);
    this.senders = extra.apart ? await Proxy.before(this.#url) : this.proxy;
    this.ledger = new Ledger({ attempts: extra.failing ? extra.retry?.attempts : undefined });
    this.#settings = {
      ...this.system.settings,
      exchange: 'faults',
      key: 'numbered',
      queue: 'numbered',
      queueType: 'classic',
      prefetch: 10,
      heartbeat: HEARTBEAT,
      ...extra,
    };
    await this.#raw(async (channel) => {
      if (!this.system.declaresDeadLetters) await channel.assertQueue('numbered.dead', { durable: true });
      await channel.assertExchange('faults', 'topic', { durable: true });
    });
  }

  /**
   * Starts a process for a role; `wait` until it says that it is ready.
   *
   * @param {Role} role
   * @param {boolean} [wait]
   */
  async start(role, wait = true) {
    const sends = role === 'producer' || role === 'rpc-client';
    /** @param {any} line */
    const hear = (line) => {
      if (line.event === 'log' && this.logs.length < 2_000) this.logs.push(String(line.text));
      if (sends) this.ledger.sending(line);
      else this.ledger.handling(line);
    };
    const url = (sends ? this.senders : this.proxy).through(this.#url);
    const child = new Child(this.system.name, role, { ...this.#settings, url }, hear);
    if (role === this.#mortal) child.expected = 'and again';
    this.children[role] = child;
    this.#all.push(child);
    void child.over.then(() => this.#ended(role, child, sends));
    if (!wait) return;
    const ready = await child.wait(({ event }) => event === 'ready', START);
    if (!ready)
      throw new Error(`${this.system.title}: the ${role} did not start: ${child.complaints.slice(0, 800)}`);
  }

  /**
   * Numbered messages or calls from now on.
   *
   * @param {Stream} [what]
   */
  stream(what = {}) {
    this.#stream = { rate: RATE, count: ENOUGH, ...what };
    this.#streamOn();
  }

  stopStream() {
    this.#stream = undefined;
    for (const child of this.#senders) child.tell({ stream: { count: 0 } });
  }

  /**
   * Does something while no message is on its way; `strict` does nothing, when it does not come to that.
   *
   * @param {() => unknown} work
   * @param {{ strict?: boolean }} [how]
   */
  async inPause(work, { strict = false } = {}) {
    const stream = this.#stream;
    this.stopStream();
    const still = () => this.ledger.pending === 0 && this.ledger.everythingHandled;
    if ((await this.until(still, 5_000)) || !strict) {
      // Handled is not yet acked.
      await pause(200);
      await work();
    }
    this.stream(stream);
  }

  /**
   * Looks until `condition()` holds; false when it does not within `limit` milliseconds.
   *
   * @param {() => boolean | Promise<boolean>} condition
   * @param {number} limit
   */
  async until(condition, limit) {
    const end = performance.now() + limit;
    while (performance.now() < end) {
      if (await condition()) return true;
      await pause(25);
    }
    return false;
  }

  /** Ends the processes, whatever they are doing, and takes what is left in the queue. */
  async finish() {
    this.#ending = true;
    await Promise.all(Object.values(this.children).map((child) => child.kill()));
    for (const child of this.#all) this.ledger.leaks += child.leaks;
    await this.#empty('numbered', (n) => this.ledger.left(n));
    await this.#empty('numbered.dead', (n) => this.ledger.dead(n));
    await this.proxy.close();
    if (this.senders !== this.proxy) await this.senders.close();
  }

  /**
   * An end that was asked for is no crash.
   *
   * @param {Role} role
   * @param {{ startAgain?: boolean }} [how]
   */
  expectEnd(role, { startAgain = false } = {}) {
    this.children[role].expected = startAgain ? 'and again' : 'for good';
  }

  /**
   * Sends a signal and waits for the end; kills what has not ended after 15 s.
   *
   * @param {Role} role
   * @param {NodeJS.Signals} signal
   */
  async end(role, signal) {
    const child = this.children[role];
    this.expectEnd(role);
    const began = performance.now();
    child.signal(signal);
    const inTime = await this.until(() => child.ended, LONGEST_END);
    await child.kill();
    if (!inTime) return { ms: null };
    // A process that a signal ends says so instead of a code.
    return { ms: Math.round(performance.now() - began), code: child.exit.code ?? child.exit.signal };
  }

  /**
   * From now on each of its processes may end by itself, and is started again.
   *
   * @param {Role} role
   */
  expectDeaths(role) {
    this.#mortal = role;
    this.expectEnd(role, { startAgain: true });
  }

  /**
   * One call, or one publish, that should work; its outcome.
   *
   * @param {number} timeout
   */
  goodCall(timeout) {
    return this.#ask('rpc-client', { call: { n: 0 }, timeout }, timeout + 2_000);
  }

  goodPublish() {
    return this.#ask('producer', { publish: { n: 0 } }, 10_000);
  }

  /**
   * Another connection has the queue for itself, for so long; who wants it finds it locked.
   *
   * @param {number} ms
   */
  async holdQueue(ms) {
    this.proxy.refusing = true;
    this.proxy.cut();
    await this.removeQueue();
    await this.#raw(async (channel) => {
      await channel.assertQueue('numbered', { exclusive: true, durable: true });
      this.proxy.refusing = false;
      await pause(ms);
    });
  }

  removeQueue() {
    return this.#raw((channel) => channel.deleteQueue('numbered'));
  }

  /** @param {Role} role @param {object} command @param {number} limit */
  #ask(role, command, limit) {
    const id = `good-${this.#asked++}`;
    this.children[role].tell({ id, ...command });
    return this.children[role].wait((event) => event.event === 'settled' && event.id === id, limit);
  }

  get #senders() {
    return [this.children.producer, this.children['rpc-client']].filter((child) => child !== undefined);
  }

  #streamOn() {
    // Far apart, so that a producer that crashed goes on with numbers that were never used.
    const from = this.#next;
    this.#next += ENOUGH;
    for (const child of this.#senders) child.tell({ stream: { ...this.#stream, from } });
  }

  /** @param {Role} role @param {Child} child @param {boolean} sends */
  #ended(role, child, sends) {
    if (sends) this.ledger.gone();
    if (this.#ending || child.expected === 'for good') return;
    if (child.expected === undefined) {
      this.ledger.crashes += 1;
      this.crash ??= child.complaints.slice(0, 1_000);
    }
    void this.start(role, false).then(() => {
      if (sends && this.#stream)
        void this.children[role].wait(({ event }) => event === 'ready', START).then(() => this.#streamOn());
    });
  }

  /** @param {string} queue @param {(n: number) => void} found */
  #empty(queue, found) {
    return this.#raw(async (channel) => {
      for (;;) {
        const message = await channel.get(queue, { noAck: true });
        if (!message) return;
        found(numberOf(message.content));
      }
    });
  }

  // The queue may be gone, and its absence is an answer.
  /** @param {(channel: Channel) => Promise<unknown>} work */
  async #raw(work) {
    const connection = await amqp.connect(this.#url);
    connection.on('error', () => {});
    try {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      await work(channel).catch((error) => {
        if (error.code !== 404) throw error;
      });
    } finally {
      await connection.close().catch(() => {});
    }
  }
}

/**
 * The number in a body, in the envelope of Nest's transport or without it.
 *
 * @param {Buffer} content
 */
function numberOf(content) {
  const body = JSON.parse(content.toString());
  return body.n ?? body.data?.n;
}
