// The two brokers under the calls, each a process that can be killed, started again, and frozen.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Broker } from '../harness/broker.mjs';
import { root } from '../../../tools/run.mjs';

/** For so long a killed broker stays away at least, in milliseconds. */
const AWAY = 500;
const program = join(root, 'libs/embedded/dist/esm/bin.js');
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The embedded broker as a process; its virtual hosts are named when it starts. */
class Embedded {
  key = 'embedded';
  title = 'embedded';
  #vhosts;
  #child;
  #port;

  static async start(vhosts) {
    const broker = new Embedded();
    broker.#vhosts = vhosts;
    await broker.#start(0);
    return broker;
  }

  vhost(name) {
    return `amqp://guest:guest@127.0.0.1:${this.#port}/${name}`;
  }

  async crash() {
    await this.stop();
    await pause(AWAY);
    await this.#start(this.#port);
  }

  freeze() {
    this.#child.kill('SIGSTOP');
  }

  thaw() {
    this.#child.kill('SIGCONT');
  }

  settled() {}

  async stop() {
    const over = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await over;
    running.delete(this.#child);
  }

  async #start(port) {
    const args = ['--port', String(port), ...this.#vhosts.flatMap((name) => ['--vhost', name])];
    this.#child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.add(this.#child);
    let said = '';
    for await (const text of this.#child.stdout.iterator({ destroyOnReturn: false })) {
      said += text;
      const found = /127\.0\.0\.1:(\d+)/.exec(said);
      if (found) {
        this.#port = Number(found[1]);
        this.#child.stdout.resume();
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
  #urls = {};

  static async start(vhosts) {
    const broker = new Rabbit();
    broker.#node = await Broker.start();
    for (const name of vhosts) broker.#urls[name] = await broker.#node.vhost(name);
    return broker;
  }

  version() {
    return this.#node.version();
  }

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

/** Both, with these virtual hosts. */
export const startBrokers = (vhosts) => Promise.all([Embedded.start(vhosts), Rabbit.start(vhosts)]);
