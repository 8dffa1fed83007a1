// Types of rabbitmq-cluster.mjs for the tests that lose nodes.
import type { RabbitMQNode } from './rabbitmq.mjs';

/** A private cluster. */
export interface RabbitMQCluster {
  readonly nodes: readonly RabbitMQNode[];
  readonly urls: readonly string[];
  /** Resolves when every node runs and sees all others. */
  whole(): Promise<void>;
  /** Where the leader of a quorum queue is. */
  leader(queue: string, through?: RabbitMQNode, vhost?: string): Promise<RabbitMQNode | undefined>;
  /** Cuts a node off from the others, and undoes that. */
  isolate(node: RabbitMQNode): Promise<void>;
  rejoin(node: RabbitMQNode): Promise<void>;
  stop(): Promise<void>;
}

/** Whether the programs that a cluster needs are on this machine. */
export function canCluster(): boolean;

/** Starts nodes that form a cluster with `pause_minority`. */
export function startCluster(options?: {
  readonly size?: number;
  readonly settings?: readonly string[];
  readonly erlang?: string;
}): Promise<RabbitMQCluster>;
