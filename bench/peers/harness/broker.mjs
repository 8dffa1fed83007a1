// The RabbitMQ node under all systems: a private one, because it is killed and restarted, and what only its
// management API can do to one virtual host.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { startRabbitMQ } from '../../../tools/rabbitmq.mjs';

/** @typedef {{ vhost: string }} Place where a system works */

const LIMIT = 60_000;
const USER = 'tested';
/** In no line that a system prints. */
export const PASSWORD = 'never-printed-4711';

export class Broker {
  #node;
  /** @type {Promise<unknown>} */
  #restarting = Promise.resolve();

  static async start() {
    return new Broker(await startRabbitMQ());
  }

  /** @param {import('../../../tools/rabbitmq.mjs').RabbitMQNode} node */
  constructor(node) {
    this.#node = node;
  }

  async stop() {
    await this.#restarting.catch(() => {});
    await this.#node.stop();
  }

  /**
   * A fresh virtual host; resolves with its URL, whose user and password are nowhere else in the world.
   *
   * @param {string} name
   */
  vhost = async (name) => {
    const rights = { configure: '.*', write: '.*', read: '.*' };
    await this.#api('PUT', `/users/${USER}`, { password: PASSWORD, tags: 'administrator' });
    await this.#api('PUT', `/vhosts/${name}`);
    await this.#api('PUT', `/permissions/${name}/guest`, rights);
    await this.#api('PUT', `/permissions/${name}/${USER}`, rights);
    const url = new URL(`${this.#node.url}/${name}`);
    url.username = USER;
    url.password = PASSWORD;
    return url.href;
  };

  /** The version of RabbitMQ. */
  async version() {
    return (await this.#api('GET', '/overview')).rabbitmq_version;
  }

  /** @param {string} name */
  removeVhost = (name) => this.#api('DELETE', `/vhosts/${name}`);

  /**
   * Resolves when its port answers again, which is before its management API does: see `settled`.
   *
   * @param {{ crash: boolean }} how
   */
  async restart({ crash }) {
    this.#restarting = this.#node.restart({ crash });
    this.#restarting.catch(() => {});
    await this.#until(async () => !(await this.#answers()));
    await this.#until(() => this.#answers());
  }

  /** It stands still, and its sockets stay open. */
  pause() {
    this.#node.pause();
  }

  resume() {
    this.#node.resume();
  }

  /** Resolves when everything answers. */
  async settled() {
    await this.#restarting;
  }

  /**
   * Closes the connections of a virtual host, as an operator would.
   *
   * @param {Place} place
   */
  closeConnections = async ({ vhost }) => {
    /** @type {{ name: string }[]} */
    let open = [];
    // The list is some seconds behind, and an error while it is gathered.
    await this.#until(async () => {
      open = await this.#api('GET', `/vhosts/${vhost}/connections`).catch(() => []);
      return open.length >= 2;
    });
    await Promise.all(
      open.map(({ name }) => this.#api('DELETE', `/connections/${encodeURIComponent(name)}`)),
    );
  };

  /**
   * Deletes the queue and puts one like it in its place at once: nothing is lost, but its consumer is cancelled.
   *
   * @param {Place} place
   */
  replaceQueue = async ({ vhost }) => {
    const path = `/queues/${vhost}/numbered`;
    const queue = await this.#api('GET', path);
    const bindings = await this.#api('GET', `${path}/bindings`);
    await this.#api('DELETE', path);
    await this.#api('PUT', path, { durable: queue.durable, arguments: queue.arguments });
    for (const { source, routing_key } of bindings) {
      if (source === '') continue;
      await this.#api('POST', `/bindings/${vhost}/e/${source}/q/numbered`, { routing_key });
    }
  };

  /** @param {Place} place @param {string} [queue] */
  deleteQueue = ({ vhost }, queue = 'numbered') => this.#api('DELETE', `/queues/${vhost}/${queue}`);

  /**
   * Closes the channels that consume, or those that publish; resolves with whether there was one.
   *
   * @param {Place} place
   * @param {'consumer' | 'producer'} which
   */
  closeChannels = async ({ vhost }, which) => {
    const chosen = which === 'consumer' ? '> 0' : '=:= 0';
    // As if the client had acknowledged what it never got: 406, and the channel is closed.
    const closed = await this.#node.rabbitmqctl(
      'eval',
      `[rabbit_channel_common:do(Pid, {'basic.ack', 4711000, false}) || Pid <- rabbit_channel:list(),
        [{vhost, <<"${vhost}">>}, {consumer_count, Count}] <- [rabbit_channel:info(Pid, [vhost, consumer_count])],
        Count ${chosen}].`,
    );
    return closed.includes('ok');
  };

  /**
   * Another password than the programs have, or theirs again. Who is connected stays so.
   *
   * @param {{ right: boolean }} which
   */
  async password({ right }) {
    const password = right ? PASSWORD : 'another';
    await this.#api('PUT', `/users/${USER}`, { password, tags: 'administrator' });
  }

  /**
   * Every connection that publishes is blocked, or none any more.
   *
   * @param {boolean} on
   */
  async alarm(on) {
    await this.#node.rabbitmqctl('set_vm_memory_high_watermark', on ? '0.00001' : '0.4');
  }

  async #answers() {
    const { hostname, port } = new URL(this.#node.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.setTimeout(1_000, () => socket.destroy());
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  /** @param {() => boolean | Promise<boolean>} condition */
  async #until(condition) {
    const end = performance.now() + LIMIT;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error('RabbitMQ did not do what it should within a minute.');
      await pause(25);
    }
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  async #api(method, path, body) {
    const { origin, username, password } = new URL(String(this.#node.managementUrl));
    const response = await fetch(`${origin}/api${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok && !(method === 'DELETE' && response.status === 404)) {
      throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 200)}`);
    }
    return text ? JSON.parse(text) : undefined;
  }
}
