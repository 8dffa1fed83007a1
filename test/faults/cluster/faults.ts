// What can become of the nodes of a cluster. Each leaves it whole again.

import type { RabbitMQCluster } from '../../../tools/rabbitmq-cluster.mjs';
import type { RabbitMQNode } from '../../../tools/rabbitmq.mjs';
import { eventOf } from '../../support/warren.js';
import type { Flow } from './flow.js';

/** One thing that goes wrong while messages flow. */
export interface ClusterFault {
  readonly name: string;
  /** Fast enough for every run of the tests. */
  readonly quick: boolean;
  /** Both directions must move again this many ms after the fault. */
  readonly within: number;
  /** How long what was confirmed may take to end somewhere, in ms. Default a minute. */
  readonly patience?: number;
  /** Does it, and says when the world is as bad as it gets; `mend` undoes it. */
  readonly strike: (cluster: RabbitMQCluster, flow: Flow) => Promise<void>;
  readonly mend: (cluster: RabbitMQCluster) => Promise<void>;
}

const back = async (cluster: RabbitMQCluster): Promise<void> => {
  for (const node of cluster.nodes) await node.start();
  await cluster.whole();
};

/** All of them. */
export const clusterFaults: readonly ClusterFault[] = [
  {
    name: 'the node that both connections are on, and the leader of the queue, is killed',
    quick: true,
    within: 20_000,
    strike: async (cluster, { rabbit }) => {
      const lost = eventOf(rabbit, 'disconnected');
      await cluster.nodes[0].crash();
      await lost;
    },
    mend: back,
  },
  {
    name: 'a node that nobody is connected to is killed',
    quick: false,
    within: 20_000,
    strike: (cluster) => cluster.nodes[2].crash(),
    mend: back,
  },
  {
    name: 'the leader of the queue is killed',
    quick: false,
    within: 20_000,
    strike: async (cluster, { queue }) => (await leaderOf(cluster, queue)).crash(),
    mend: back,
  },
  {
    name: 'the node of the leader stands still',
    quick: false,
    within: 40_000,
    strike: async (cluster, { queue }) => (await leaderOf(cluster, queue)).pause(),
    mend: async (cluster) => {
      for (const node of cluster.nodes) node.resume();
      await cluster.whole();
    },
  },
  {
    name: 'the node of the leader is cut off from the two others',
    quick: false,
    within: 20_000,
    // What a waiting queue handed over while the nodes did not hear each other, RabbitMQ hands over again after three
    // minutes without a confirm.
    patience: 280_000,
    strike: async (cluster, { queue }) => {
      cut = await leaderOf(cluster, queue);
      await cluster.isolate(cut);
    },
    mend: async (cluster) => {
      if (cut) await cluster.rejoin(cut);
      await cluster.whole();
    },
  },
  {
    name: 'all nodes are restarted, one after the other',
    quick: false,
    within: 20_000,
    strike: async (cluster, flow) => {
      for (const node of cluster.nodes) {
        await node.restart();
        await cluster.whole();
        await flow.progress();
      }
    },
    mend: () => Promise.resolve(),
  },
];

let cut: RabbitMQNode | undefined;

async function leaderOf(cluster: RabbitMQCluster, queue: string): Promise<RabbitMQNode> {
  const leader = await cluster.leader(queue);
  if (!leader) throw new Error(`No leader of '${queue}' was found.`);
  return leader;
}
