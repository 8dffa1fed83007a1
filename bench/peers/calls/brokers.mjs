// The two brokers under the calls, each a process that can be killed, started again, and frozen.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Broker } from '../harness/broker.mjs';
import { root } from '../../../tools/run.mjs';

/**
 * @typedef {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} Program
 * @typedef {Embedded | Rabbit} CallBroker
 */

/** For so long a killed broker stays away at least, in milliseconds. */
const AWAY = 500;
const program = join(root, 'libs/embedded/dist/esm/bin.js');
/** @type {Set<Program>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The embedded broker as a process; its virtual hosts are named when it starts. */
class Embedded {
  key = 'embedded';
  title = 'embedded';
  #vhosts;
  /** @type {Program | undefined} */
  #child;
  #port = 0;

  /** @param {readonly string[]} vhosts */
  static async start(vhosts) {
    const broker = new Embedded(vhosts);
    await broker.#start(0);
    return broker;
  }

  /** @param {readonly string[]} vhosts */
  constructor(vhosts) {
    this.#vhosts = vhosts;
  }

  /** @param {string} name */
  vhost(name) {
    return `amqp://guest:guest@127.0.0.1:${this.#port}/${name}`;
  }

  async crash() {
    await this.stop();
    await pause(AWAY);
    await this.#start(this.#port);
  }

  freeze() {
    this.#child?.kill('SIGSTOP');
  }

  thaw() {
    this.#child?.kill('SIGCONT');
  }

  settled() {}

  async stop() {
    const child = this.#child;
    if (!child) return;
    const over = once(child, 'exit');
    child.kill('SIGKILL');
    await over;
    running.delete(child);
  }

  /** @param {number} port */
  async #start(port) {
    const args = ['--port', String(port), ...this.#vhosts.flatMap((name) => ['--vhost', name])];
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    running.add(child);
    let said = '';
    for await (const text of child.stdout.iterator({ destroyOnReturn: false })) {
      said += text;
      const found = /127\.0\.0\.1:(\d+)/.exec(said);
      if (found) {
        this.#port = Number(found[1]);
        child.stdout.resume();
        return;
      }
    }
    throw new Error(`the embedded broker did not start: ${said}`);
  }
}

/** A private node. */
class Rabbit {
  key = 'rabbitmq';
  title = 'RabbitMQ';
  #node;
  /** @type {Record<string, string>} */
  #urls = {};

  /** @param {readonly string[]} vhosts */
  static async start(vhosts) {
    const broker = new Rabbit(await Broker.start());
    for (const name of vhosts) broker.#urls[name] = await broker.#node.vhost(name);
    return broker;
  }

  /** @param {Broker} node */
  constructor(node) {
    this.#node = node;
  }

  version() {
    return this.#node.version();
  }

  /** @param {string} name */
  vhost(name) {
    return this.#urls[name];
  }

  crash() {
    return this.#node.restart({ crash: true });
  }

  freeze() {
    this.#node.pause();
  }

  thaw() {
    this.#node.resume();
  }

  settled() {
    return this.#node.settled();
  }

  stop() {
    return this.#node.stop();
  }
}

/**
 * Both, with these virtual hosts.
 *
 * @param {readonly string[]} vhosts
 */
export const startBrokers = (vhosts) => Promise.all([Embedded.start(vhosts), Rabbit.start(vhosts)]);
