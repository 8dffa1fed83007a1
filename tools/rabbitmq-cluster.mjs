// A private cluster of RabbitMQ for tests: nodes of rabbitmq.mjs that share one cookie and one epmd, all on loopback.
// Killing, freezing and cutting off a node is what it is for.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { freePorts } from './rabbitmq-ports.mjs';
import { findEpmd, findRabbitMQ } from './rabbitmq-program.mjs';
import { startRabbitMQ } from './rabbitmq.mjs';

const FORM_LIMIT = 300_000;

/** Whether a cluster can be started here: it needs the program, a container is not enough. */
export function canCluster() {
  return findRabbitMQ() !== undefined && findEpmd() !== undefined;
}

/**
 * Starts `size` nodes and resolves when all of them see each other. Nothing of it stays when it rejects.
 *
 * @param {{ size?: number, settings?: readonly string[], erlang?: string }} [options]
 */
export async function startCluster({ size = 3, settings = [], erlang } = {}) {
  const epmd = findEpmd();
  if (!canCluster() || epmd === undefined)
    throw new Error('A cluster needs the programs rabbitmq-server and epmd on this machine.');
  const [epmdPort] = await freePorts(1);
  const id = randomBytes(4).toString('hex');
  const names = Array.from({ length: size }, (_, index) => `warren-${id}-${index + 1}@localhost`);
  const cookie = randomBytes(16).toString('hex');
  const mapper = spawn(epmd, ['-address', '127.0.0.1', '-port', String(epmdPort)], { stdio: 'ignore' });
  mapper.on('error', () => {});
  const killMapper = () => void mapper.kill('SIGKILL');
  process.once('exit', killMapper);
  const formation = [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`),
    'cluster_partition_handling = pause_minority',
    ...settings,
  ];
  const started = await Promise.allSettled(
    names.map((nodename) =>
      startRabbitMQ({ nodename, cookie, epmdPort, management: false, settings: formation, erlang }),
    ),
  );
  const nodes = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const cluster = new Cluster(nodes, async () => {
    killMapper();
    process.off('exit', killMapper);
  });
  try {
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    await cluster.whole();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/** @typedef {Cluster} RabbitMQCluster */
/** @typedef {import('./rabbitmq.mjs').RabbitMQNode} RabbitMQNode */

class Cluster {
  /** @type {readonly RabbitMQNode[]} */
  nodes;
  #end;

  /**
   * @param {readonly RabbitMQNode[]} nodes
   * @param {() => Promise<void>} end
   */
  constructor(nodes, end) {
    this.nodes = nodes;
    this.#end = end;
  }

  /** URLs of all nodes, in their order. */
  get urls() {
    return this.nodes.map(({ url }) => url);
  }

  /** Resolves when every node runs and sees all others. */
  async whole() {
    const end = Date.now() + FORM_LIMIT;
    for (;;) {
      const seen = await this.nodes[0]
        .rabbitmqctl('eval', 'length(rabbit_nodes:all_running()).')
        .catch((error) => error.message);
      if (Number(seen) === this.nodes.length) return;
      if (Date.now() > end)
        throw new Error(`The cluster did not form: ${seen} of ${this.nodes.length} nodes.`);
      await wait(200);
    }
  }

  /**
   * The node on which the leader of a quorum queue is; asks `through`, which must run.
   *
   * @param {string} queue
   * @param {RabbitMQNode} through
   * @param {string} vhost
   */
  async leader(queue, through = this.nodes[0], vhost = '/') {
    const name = `rabbit_misc:r(<<"${vhost}">>, queue, <<"${queue}">>)`;
    const lookUp = `{ok, Q} = rabbit_amqqueue:lookup(${name}), {_, N} = amqqueue:get_pid(Q), N.`;
    const found = (await through.rabbitmqctl('eval', lookUp)).replaceAll("'", '');
    return this.nodes.find(({ nodename }) => nodename === found);
  }

  /**
   * Cuts one node off from all others; its clients still reach it. They notice at once, as with a closed route.
   *
   * @param {RabbitMQNode} node
   */
  async isolate(node) {
    const others = 'rabbit_nodes:all() -- [node()]';
    await node.rabbitmqctl(
      'eval',
      `[begin erlang:set_cookie(N, cut), erlang:disconnect_node(N) end || N <- ${others}].`,
    );
  }

  /**
   * Undoes isolate().
   *
   * @param {RabbitMQNode} node
   */
  async rejoin(node) {
    const others = this.nodes.filter((one) => one !== node).map(({ nodename }) => `'${nodename}'`);
    await node.rabbitmqctl(
      'eval',
      `[erlang:set_cookie(N, erlang:get_cookie()) || N <- [${others}]], [net_kernel:connect_node(N) || N <- [${others}]].`,
    );
  }

  /** Ends all nodes and their epmd. */
  async stop() {
    for (const node of this.nodes) node.resume();
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.#end();
  }
}
