// A snapshot of the broker as plain data, which can be sent from a worker.
import type { QueueType } from '../model/queue-settings.js';
import { fromTable, type Plain } from '../wire/plain.js';
import type { Connection } from './connection.js';
import type { ServerContext } from './server-context.js';

/** One consumer of a queue. */
export interface ConsumerSnapshot {
  readonly tag: string;
  /** Id of its connection in `connections`. */
  readonly connection: number;
  readonly ackRequired: boolean;
  /** 0 is no limit. */
  readonly prefetch: number;
  readonly priority: number;
  readonly exclusive: boolean;
}

/** One queue, and how many messages it holds. */
export interface QueueSnapshot {
  readonly vhost: string;
  readonly name: string;
  readonly type: QueueType;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: { readonly [name: string]: Plain };
  /** Messages that wait for a consumer. */
  readonly ready: number;
  /** Messages delivered and not settled. */
  readonly unacked: number;
  readonly consumers: readonly ConsumerSnapshot[];
}

/** One exchange, and where it passes messages on. */
export interface ExchangeSnapshot {
  readonly vhost: string;
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: { readonly [name: string]: Plain };
  readonly bindings: readonly BindingSnapshot[];
}

/** One way out of an exchange. */
export interface BindingSnapshot {
  readonly destination: string;
  readonly kind: 'queue' | 'exchange';
  readonly key: string;
  readonly arguments: { readonly [name: string]: Plain };
}

/** One client that is connected. */
export interface ConnectionSnapshot {
  readonly id: number;
  /** The client's own name for it, if it gave one. */
  readonly name: string | undefined;
  readonly user: string;
  readonly vhost: string;
  /** Address and port of the client. */
  readonly remote: string;
  readonly channels: number;
  /** Whether it is blocked as a publisher. */
  readonly blocked: boolean;
}

/** What `broker.inspect()` answers with. */
export interface BrokerSnapshot {
  readonly vhosts: readonly string[];
  readonly queues: readonly QueueSnapshot[];
  readonly exchanges: readonly ExchangeSnapshot[];
  readonly connections: readonly ConnectionSnapshot[];
  /** Bytes of all messages held, roughly. */
  readonly bytesHeld: number;
}

export function inspect(context: ServerContext, connections: Iterable<Connection>): BrokerSnapshot {
  return {
    vhosts: [...context.vhosts.keys()],
    queues: queues(context),
    exchanges: exchanges(context),
    connections: [...connections].flatMap(describe),
    bytesHeld: context.meter.held,
  };
}

function queues(context: ServerContext): QueueSnapshot[] {
  return [...context.vhosts.values()].flatMap((vhost) =>
    [...vhost.allQueues()].map(({ name, settings, length, unacked, consumers }) => ({
      vhost: vhost.name,
      name,
      type: settings.type,
      durable: settings.durable,
      exclusive: settings.exclusive,
      autoDelete: settings.autoDelete,
      arguments: fromTable(settings.arguments),
      ready: length,
      unacked,
      consumers: consumers.all().map(({ tag, connection, noAck, prefetch, priority, exclusive }) => ({
        tag,
        connection,
        ackRequired: !noAck,
        prefetch,
        priority,
        exclusive,
      })),
    })),
  );
}

function exchanges(context: ServerContext): ExchangeSnapshot[] {
  return [...context.vhosts.values()].flatMap((vhost) =>
    [...vhost.exchanges.all()].map(({ name, settings, bindings }) => ({
      vhost: vhost.name,
      name,
      type: settings.type,
      durable: settings.durable,
      autoDelete: settings.autoDelete,
      internal: settings.internal,
      arguments: fromTable(settings.arguments),
      bindings: [...bindings.values()].map((binding) => ({
        destination: binding.destination.name,
        kind: binding.destination.kind,
        key: binding.key,
        arguments: fromTable(binding.arguments),
      })),
    })),
  );
}

function describe(connection: Connection): ConnectionSnapshot[] {
  const { agreed, id, peer, channels } = connection;
  if (!agreed || !connection.open) return [];
  const name = agreed.clientProperties.get('connection_name');
  return [
    {
      id,
      name: name?.type === 'longstr' ? name.value : undefined,
      user: agreed.user,
      vhost: agreed.vhost.name,
      remote: peer.remote,
      channels: channels.count,
      blocked: peer.blocked,
    },
  ];
}
