// The broker that the demo plays on: an embedded one as a process of its own, or a RabbitMQ that was given. On the
// latter everything has names of the demo's own, and is removed at the end.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { root, run } from '../run.mjs';
import { Child, PATIENCE, until } from './child.mjs';
import { findManagement } from './management.mjs';

/** A user and a vhost of the embedded broker besides guest and `/`. */
const own = { user: 'alice', password: 'wonderland', vhost: 'shop' };

/**
 * Starts the embedded broker on a free port.
 *
 * @param {{ management?: boolean }} [options] with its management API, on another
 */
export async function embedded({ management = false } = {}) {
  const program = join(root, 'libs', 'embedded', 'dist', 'esm', 'bin.js');
  if (!existsSync(program)) throw new Error('libs/embedded is not built.');
  const data = mkdtempSync(join(tmpdir(), 'warren-demo-'));
  const more = management ? ['--management', '0'] : [];
  const start = (/** @type {number | string} */ port) => startEmbedded(program, data, port, more);
  const { process, url } = await start(0);
  return new Broker({
    kind: 'embedded',
    url,
    process,
    data,
    start,
    introduction: `On the embedded broker (process ${process.pid}, port ${new URL(url).port}).`,
  });
}

/** @param {string} program @param {string} data @param {number | string} port @param {readonly string[]} more */
async function startEmbedded(program, data, port, more) {
  const users = ['--user', 'guest:guest', '--user', `${own.user}:${own.password}`];
  const args = ['--port', String(port), '--data', data, ...users, '--vhost', own.vhost, ...more];
  const process = new Child('the embedded broker', [program, ...args]);
  const url = () =>
    process
      .all('line')
      .map(({ text }) => /amqp:\/\/\S+?(?=[\s,;.]*(?:\s|$))/.exec(text ?? '')?.[0])
      .find(Boolean);
  await until(
    [process],
    () => url() !== undefined,
    () => `the embedded broker did not start. ${process.complaints}`,
  );
  return { process, url: /** @type {string} */ (url()) };
}

/**
 * Looks at the RabbitMQ that was given.
 *
 * @param {string} url
 * @param {{ management?: string, restart?: string }} options
 */
export async function given(url, { management, restart }) {
  const broker = new Broker({ kind: 'given', url, restart });
  const product = await broker.product();
  broker.management = await findManagement(management ?? process.env.RABBITMQ_MANAGEMENT_URL, url);
  broker.introduction = `On ${product} at ${new URL(url).host}. Queues and exchanges are called ${broker.name('<name>')} here.`;
  return broker;
}

/** In which the retries of the consumers wait (300 and 600 ms, a fifth less or more), and what is behind them. */
const WAITS = [300, 600]
  .flatMap((delay) => [0.8, 1, 1.2].map((part) => `retry.${Math.round(delay * part)}`))
  .concat('nowhere');

/**
 * @typedef {import('amqplib').Channel} Channel
 * @typedef {{ user: string, password: string, vhost: string }} Access
 */

/** The broker of a demo. */
export class Broker {
  kind;
  url;
  process;
  introduction;
  /** @type {Awaited<ReturnType<typeof findManagement>>} */
  management;
  #restart;
  #data;
  #start;
  /** @type {Set<string>} */
  #names = new Set();
  #prefix = `demo-${randomBytes(3).toString('hex')}`;

  /**
   * @param {{ kind: 'embedded' | 'given', url: string, process?: Child, introduction?: string, restart?: string,
   *   data?: string, start?: (port: number | string) => Promise<{ process: Child, url: string }> }} parts
   */
  constructor({ kind, url, process, introduction, restart, data, start }) {
    this.kind = kind;
    this.url = url;
    this.process = process;
    this.introduction = introduction;
    this.#restart = restart;
    this.#data = data;
    this.#start = start;
  }

  /**
   * The name that stands for the tutorials' one: theirs on the embedded broker, which nobody else uses.
   *
   * @param {string} where
   */
  name(where) {
    const name = this.kind === 'embedded' ? where : `${this.#prefix}.${where}`;
    this.#names.add(name);
    return name;
  }

  /** The options that give the consumers a service of their own on a broker that others use, too. */
  service() {
    return this.kind === 'embedded' ? [] : ['--service', this.#prefix];
  }

  /**
   * A text with the tutorials' names in it again.
   *
   * @param {string} text
   */
  plain(text) {
    return text.replaceAll(`${this.#prefix}.`, '');
  }

  /** Where an embedded broker has its management API; undefined when it has none. */
  get managementUrl() {
    const lines = this.process
      ?.all('line')
      .map(({ text }) => /Management API at (\S+)/.exec(text ?? '')?.[1]);
    return lines?.find(Boolean);
  }

  /** Name and version of the server. */
  product() {
    return this.#ask(async (_channel, { product, version }) => `${product} ${version}`);
  }

  /**
   * How many messages wait in a queue.
   *
   * @param {string} queue
   */
  depth(queue) {
    return this.#ask(async (channel) => (await channel.checkQueue(queue)).messageCount);
  }

  /**
   * The next message of a queue, as amqplib gives it.
   *
   * @param {string} queue
   * @returns {Promise<import('amqplib').ConsumeMessage>}
   */
  next(queue) {
    return this.#ask(async (channel) => {
      /** @type {NodeJS.Timeout | undefined} */
      let timer;
      const message = new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing came to ${queue}`)), PATIENCE);
        const take = (/** @type {import('amqplib').ConsumeMessage | null} */ message) =>
          message && resolve(message);
        channel.consume(queue, take, { noAck: true }).catch(reject);
      });
      return message.finally(() => clearTimeout(timer));
    });
  }

  /** A user and a vhost to try: `{ url, remove }`, or undefined where there is no way to make them. */
  async access() {
    if (this.kind === 'embedded') return { url: this.#urlOf(own), remove: () => undefined };
    if (this.management === undefined) return undefined;
    const made = await this.management.addAccess(
      `${this.#prefix}-${own.vhost}`,
      randomBytes(9).toString('hex'),
    );
    return { url: this.#urlOf(made), remove: made.remove };
  }

  /** Restarts an embedded broker, or another one with the command that was given and waits until it answers; false where there is none. */
  async restart() {
    if (this.kind === 'embedded') {
      // As hard as it can be: the process is killed, and another one begins on its folder.
      await this.process?.kill();
      this.process = (await this.#start?.(new URL(this.url).port))?.process;
      return true;
    }
    if (this.#restart === undefined) return false;
    const [shell, flag] = process.platform === 'win32' ? ['cmd', '/c'] : ['sh', '-c'];
    const { code, output } = await run(shell, [flag, this.#restart], { quiet: true, limit: 2 * PATIENCE });
    if (code !== 0) throw new Error(`the restart command ended with code ${code}: ${output.trim()}`);
    const end = performance.now() + 2 * PATIENCE;
    for (;;) {
      try {
        await this.product();
        return true;
      } catch (error) {
        if (performance.now() > end) throw error;
        await pause(100);
      }
    }
  }

  /** Removes what the scenes declared and ends an embedded broker. Never rejects. */
  async end() {
    if (this.kind === 'given') {
      await this.#ask(async (channel) => {
        for (const name of this.#names) {
          for (const queue of [name, `${name}.dead`]) await channel.deleteQueue(queue);
          await channel.deleteExchange(name);
        }
        for (const name of WAITS.map((wait) => `${this.#prefix}.${wait}`)) {
          await channel.deleteQueue(name);
          await channel.deleteExchange(name);
        }
      }).catch((error) => console.error(`Could not remove what the demo declared: ${error.message}`));
    }
    await this.process?.stop();
    if (this.#data !== undefined) rmSync(this.#data, { recursive: true, force: true });
  }

  /** @param {Access} access */
  #urlOf({ user, password, vhost }) {
    const url = new URL(this.url);
    url.username = user;
    url.password = password;
    url.pathname = `/${encodeURIComponent(vhost)}`;
    return url.href;
  }

  // A connection for each question: there are few, and the broker may be restarted in between.
  /** @template T @param {(channel: Channel, server: Record<string, unknown>) => T | Promise<T>} question */
  async #ask(question) {
    const connection = await connect(this.url, {
      timeout: PATIENCE,
      clientProperties: { connection_name: 'demo' },
    });
    connection.on('error', () => {});
    try {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      return await question(channel, connection.connection.serverProperties);
    } finally {
      await connection.close().catch(() => {});
    }
  }
}
