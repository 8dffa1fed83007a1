// A queue and its consumers as the management API shows them.
import type { Consumer } from '../model/consumers.js';
import type { Queue } from '../model/queue.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Connection } from '../server/connection.js';
import { Subscription } from '../server/subscription.js';
import { fromTable } from '../wire/plain.js';
import { DELIVERED, HELD, queueNumbers } from './counted.js';
import { connectionName } from './connection-view.js';
import { type Management, NODE } from './management.js';

export function queueView(management: Management, vhost: VirtualHost, queue: Queue): Record<string, unknown> {
  const { settings, consumers, unacked, bytes, policy } = queue;
  const { rates, context } = management;
  const numbers = queueNumbers(queue);
  const all = consumers.all();
  const since4 = context.traits.comparesTypes;
  const active = settings.single ? all.find((consumer) => consumers.isActive(consumer)) : undefined;
  const quorum = { leader: NODE, members: [NODE], online: [NODE] };
  return {
    name: queue.name,
    vhost: vhost.name,
    type: settings.type,
    durable: settings.durable,
    auto_delete: settings.autoDelete,
    exclusive: settings.exclusive,
    arguments: { ...fromTable(settings.arguments), ...(since4 && { 'x-queue-type': settings.type }) },
    node: NODE,
    state: 'running',
    consumers: all.length,
    consumer_utilisation: all.length > 0 ? 1 : 0,
    consumer_capacity: all.length > 0 ? 1 : 0,
    policy: policy.policy?.name ?? null,
    operator_policy: policy.operator?.name ?? null,
    effective_policy_definition: policy.definition,
    exclusive_consumer_tag: all.find(({ exclusive }) => exclusive)?.tag ?? null,
    single_active_consumer_tag: active?.tag ?? null,
    ...rates.withRates(queue, numbers, HELD),
    message_bytes: bytes.ready + bytes.unacked,
    message_bytes_ready: bytes.ready,
    message_bytes_unacknowledged: bytes.unacked,
    messages_ram: queue.length + unacked,
    message_bytes_ram: bytes.ready + bytes.unacked,
    memory: bytes.ready + bytes.unacked,
    ...rates.stats(queue, numbers, ['publish', ...DELIVERED]),
    ...(settings.quorum && { ...quorum, delivery_limit: shownLimit(settings.deliveryLimit) }),
  };
}

/** One queue alone is shown with its consumers. */
export function queueDetails(
  management: Management,
  vhost: VirtualHost,
  queue: Queue,
): Record<string, unknown> {
  const consumers = queue.consumers.all().map((consumer) => consumerView(vhost, queue, consumer));
  const owner =
    queue.owner && [...management.administration.connections].find((each) => each === queue.owner);
  return {
    ...queueView(management, vhost, queue),
    consumer_details: consumers,
    deliveries: [],
    incoming: [],
    ...(owner && { owner_pid_details: peerDetails(owner) }),
  };
}

export function consumerView(vhost: VirtualHost, queue: Queue, consumer: Consumer): Record<string, unknown> {
  const active = queue.consumers.isActive(consumer);
  return {
    queue: { name: queue.name, vhost: vhost.name },
    consumer_tag: consumer.tag,
    exclusive: consumer.exclusive,
    ack_required: !consumer.noAck,
    prefetch_count: consumer.prefetch,
    active,
    activity_status: active ? (queue.settings.single ? 'single_active' : 'up') : 'waiting',
    ...(consumer instanceof Subscription && {
      arguments: fromTable(consumer.arguments),
      channel_details: channelDetails(consumer),
    }),
  };
}

function channelDetails({ channel }: Subscription): object {
  const { connection, number } = channel;
  const { name, peer_host, peer_port } = peerDetails(connection);
  const user = connection.agreed?.user;
  return {
    connection_name: name,
    name: `${name} (${number})`,
    node: NODE,
    number,
    peer_host,
    peer_port,
    user,
  };
}

export function peerDetails(connection: Pick<Connection, 'peer'>): {
  name: string;
  peer_host: string;
  peer_port: number;
} {
  const { host, port } = connection.peer;
  return { name: connectionName(connection), peer_host: host, peer_port: port };
}

function shownLimit(limit: number): number | string {
  return Number.isFinite(limit) && limit >= 0 ? limit : 'unlimited';
}
