// Connections and channels as the management API shows them.
import type { Channel } from '../server/channel.js';
import type { Connection } from '../server/connection.js';
import { fromTable } from '../wire/plain.js';
import { DELIVERED, messageNumbers, OCTETS, octets, PUBLISHED } from './counted.js';
import { type Management, NODE } from './management.js';

/** How RabbitMQ calls a connection. */
export function connectionName({ peer }: Pick<Connection, 'peer'>): string {
  return `${peer.host}:${peer.port} -> ${peer.localHost}:${peer.localPort}`;
}

export function connectionView({ rates }: Management, connection: Connection): Record<string, unknown> {
  const { agreed, peer, channels, open } = connection;
  const properties = fromTable(agreed?.clientProperties ?? new Map());
  const name = properties.connection_name;
  return {
    name: connectionName(connection),
    ...(typeof name === 'string' && { user_provided_name: name }),
    node: NODE,
    type: 'network',
    protocol: 'AMQP 0-9-1',
    state: !open ? 'closing' : peer.blocked ? 'blocked' : 'running',
    user: agreed?.user,
    user_who_performed_action: agreed?.user,
    vhost: agreed?.vhost.name,
    auth_mechanism: agreed?.mechanism,
    client_properties: properties,
    host: peer.localHost,
    port: peer.localPort,
    peer_host: peer.host,
    peer_port: peer.port,
    connected_at: peer.since,
    channels: channels.count,
    channel_max: agreed?.channelMax,
    frame_max: agreed?.frameMax,
    timeout: agreed?.heartbeat,
    ssl: false,
    recv_cnt: peer.chunksRead,
    send_pend: connection.outbox.unsent,
    ...rates.withRates(connection, octets(connection), OCTETS),
  };
}

export function channelView({ rates }: Management, channel: Channel): Record<string, unknown> {
  const { connection, number, unacked, prefetch, subscriptions } = channel;
  const name = connectionName(connection);
  const { agreed, peer } = connection;
  return {
    name: `${name} (${number})`,
    number,
    node: NODE,
    state: peer.blocked ? 'blocked' : 'running',
    user: agreed?.user,
    user_who_performed_action: agreed?.user,
    vhost: agreed?.vhost.name,
    connection_details: { name, peer_host: peer.host, peer_port: peer.port },
    confirm: channel.confirms !== undefined,
    transactional: channel.transaction !== undefined,
    consumer_count: subscriptions.size,
    messages_unacknowledged: unacked.size,
    messages_unconfirmed: 0,
    messages_uncommitted: 0,
    acks_uncommitted: 0,
    prefetch_count: prefetch,
    global_prefetch_count: unacked.limit,
    ...rates.stats(channel, messageNumbers(channel.counters), PUBLISHED, DELIVERED),
  };
}
