// Types of rabbitmq.mjs for the tests that start a node of their own (broker restarts, durability).

/** A private RabbitMQ node. */
export interface RabbitMQNode {
  readonly url: string;
  readonly managementUrl: string | undefined;
  readonly pid: number | undefined;
  /** Folder of the fetched program that it runs; undefined when it is this machine's own. */
  readonly home?: string;
  /** Stops and starts it on the same ports and data; `crash` kills it instead of asking. */
  restart(options?: { readonly crash?: boolean }): Promise<void>;
  /** Kills it; `start()` brings it back with its data. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT for the whole node. */
  pause(): void;
  resume(): void;
  /** What rabbitmqctl prints. Not for a node in Docker. */
  rabbitmqctl(...args: string[]): Promise<string>;
  readonly nodename: string;
  stop(): Promise<void>;
}

/** Starts a node on free loopback ports and resolves when it answers. Needs the program or a Docker engine. */
export function startRabbitMQ(options?: {
  /** The version that is wanted, `4.3`. Default: the one that the tests run on, else this machine's. */
  readonly line?: string;
  readonly port?: number;
  readonly management?: boolean;
  readonly nodename?: string;
  /** A folder for its data that `stop()` leaves in place. */
  readonly keep?: string;
  /** Lines of rabbitmq.conf. */
  readonly settings?: readonly string[];
  /** Plugins beside management and the consistent hash exchange. */
  readonly plugins?: readonly string[];
  /** More arguments of the Erlang machine: application settings that rabbitmq.conf does not know. */
  readonly erlang?: string;
  /** Nodes of one cluster share these two. */
  readonly cookie?: string;
  readonly epmdPort?: number;
}): Promise<RabbitMQNode>;

/** Path of the `rabbitmq-server` program, or undefined. */
export function findRabbitMQ(): string | undefined;
