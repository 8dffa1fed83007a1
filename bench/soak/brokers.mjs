// The broker below a soak run: one private node, or a cluster of three that loses one at a time, each behind a proxy.
import { startCluster } from '../../tools/rabbitmq-cluster.mjs';
import { startRabbitMQ } from '../../tools/rabbitmq.mjs';
import { Proxy } from '../peers/harness/proxy.mjs';

/**
 * @typedef {import('../../tools/rabbitmq.mjs').RabbitMQNode} Node
 * @typedef {import('../../tools/rabbitmq-cluster.mjs').RabbitMQCluster} Cluster
 * @typedef {{ name: string, messages: number, arguments: unknown }} Queue
 */

const USER = 'soak';
/** In no line that is logged. */
export const PASSWORD = 'never-printed-4711';

export class Brokers {
  #cluster;
  #nodes;

  /**
   * `size` is 1 or 3. Which RabbitMQ it is, WARREN_RABBITMQ says, or the machine.
   *
   * @param {{ size: number }} options
   */
  static async start({ size }) {
    const cluster = size > 1 ? await startCluster({ size }) : undefined;
    const brokers = new Brokers(cluster?.nodes ?? [await startRabbitMQ()], cluster);
    const [first] = brokers.#nodes;
    await first.rabbitmqctl('add_user', USER, PASSWORD);
    await first.rabbitmqctl('set_permissions', USER, '.*', '.*', '.*');
    return brokers;
  }

  /** A line to all nodes through proxies of its own; `urls` for a program. */
  async line() {
    const proxies = await Promise.all(this.urls.map((url) => Proxy.before(url)));
    const urls = this.urls.map((url, index) => proxies[index].through(url));
    const all = (/** @type {'cut' | 'cutInside' | 'silence' | 'speak'} */ act) => () =>
      proxies.forEach((proxy) => proxy[act]());
    return {
      urls,
      cut: all('cut'),
      cutInside: all('cutInside'),
      silence: all('silence'),
      speak: all('speak'),
      refuse: (/** @type {boolean} */ on) => proxies.forEach((proxy) => (proxy.refusing = on)),
      close: () => Promise.all(proxies.map((proxy) => proxy.close())),
    };
  }

  /**
   * @param {readonly Node[]} nodes
   * @param {Cluster | undefined} cluster
   */
  constructor(nodes, cluster) {
    this.#nodes = nodes;
    this.#cluster = cluster;
  }

  get urls() {
    return this.#nodes.map(({ url }) => {
      const own = new URL(url);
      own.username = USER;
      own.password = PASSWORD;
      return own.href;
    });
  }

  get isCluster() {
    return this.#cluster !== undefined;
  }

  /**
   * All of it, or with a cluster one node, is taken away for a while.
   *
   * @param {{ crash: boolean, which?: number, away?: number }} how
   */
  async restart({ crash, which = 0, away = 0 }) {
    const node = this.#nodes[which % this.#nodes.length];
    if (away === 0) await node.restart({ crash });
    else {
      await node.crash();
      await new Promise((resolve) => setTimeout(resolve, away));
      await node.start();
    }
    await this.#cluster?.whole();
  }

  /** @param {number} ms @param {number} [which] */
  async freeze(ms, which = 0) {
    const node = this.#nodes[which % this.#nodes.length];
    node.pause();
    await new Promise((resolve) => setTimeout(resolve, ms));
    node.resume();
  }

  /**
   * Every connection that publishes is blocked for a while: an alarm is the whole cluster's.
   *
   * @param {number} ms
   */
  async alarm(ms) {
    const watermark = (/** @type {number} */ part) =>
      `vm_memory_monitor:set_vm_memory_high_watermark(${part})`;
    const code = `${watermark(0.00001)}, timer:sleep(${ms}), ${watermark(0.4)}.`;
    await this.#nodes[0].rabbitmqctl('eval', code);
  }

  async closeConnections() {
    await this.#nodes[0].rabbitmqctl('close_all_connections', '--vhost', '/', 'soak run').catch(() => {});
  }

  /** @returns {Promise<Queue[]>} */
  async queues() {
    const text = await this.#nodes[0].rabbitmqctl(
      'list_queues',
      '--formatter',
      'json',
      'name',
      'messages',
      'arguments',
    );
    return JSON.parse(text);
  }

  async version() {
    return (await this.#nodes[0].rabbitmqctl('version')).trim();
  }

  async stop() {
    if (this.#cluster) await this.#cluster.stop();
    else await Promise.all(this.#nodes.map((node) => node.stop()));
  }
}
