// What is counted in a broker, as plain numbers with the names that RabbitMQ gives them, and their sums.
import type { ExchangeCounters, MessageCounters } from '../model/counters.js';
import type { Queue } from '../model/queue.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Administration } from '../server/administration.js';
import type { Connection } from '../server/connection.js';

export type Numbers = Readonly<Record<string, number>>;

export const PUBLISHED = ['publish', 'confirm', 'return_unroutable', 'drop_unroutable'];
export const DELIVERED = [
  ...['deliver', 'deliver_no_ack', 'deliver_get', 'get', 'get_no_ack', 'get_empty', 'redeliver', 'ack'],
];
export const HELD = ['messages', 'messages_ready', 'messages_unacknowledged'];
export const OCTETS = ['recv_oct', 'send_oct'];

export function messageNumbers(...all: readonly MessageCounters[]): Numbers {
  const sums: Record<string, number> = {};
  for (const name of [...PUBLISHED, ...DELIVERED]) sums[name] = 0;
  for (const counters of all) {
    for (const [name, value] of Object.entries(counters)) sums[name] += value as number;
  }
  sums.deliver_get = sums.deliver + sums.deliver_no_ack + sums.get + sums.get_no_ack;
  return sums;
}

export function exchangeNumbers({ publish_in, publish_out }: ExchangeCounters): Numbers {
  return { publish_in, publish_out };
}

export function queueNumbers(queue: Queue): Numbers {
  const { length, unacked } = queue;
  const held = { messages: length + unacked, messages_ready: length, messages_unacknowledged: unacked };
  return { ...messageNumbers(queue.counters), ...held };
}

export function octets({ peer }: Connection): Numbers {
  return { recv_oct: peer.bytesRead, send_oct: peer.bytesWritten };
}

/** All of some virtual hosts; channels that are closed count as well. */
export function totals(vhosts: readonly VirtualHost[], connections: Iterable<Connection>): Numbers {
  const live = [...connections].filter(({ agreed }) => agreed && vhosts.includes(agreed.vhost));
  const channels = live
    .flatMap((connection) => [...connection.channels.all()])
    .filter(({ closed }) => !closed);
  const sums: Record<string, number> = {
    ...messageNumbers(...vhosts.map(({ counters }) => counters), ...channels.map(({ counters }) => counters)),
  };
  const queues = vhosts.flatMap((vhost) => [...vhost.allQueues()]).map(queueNumbers);
  for (const name of HELD) sums[name] = queues.reduce((sum, queue) => sum + queue[name], 0);
  for (const name of OCTETS) sums[name] = live.reduce((sum, connection) => sum + octets(connection)[name], 0);
  return sums;
}

/** Everything that has a rate: the object that it is about, and where it stands. */
export function* everything({ context, connections }: Administration): Iterable<readonly [object, Numbers]> {
  const vhosts = [...context.vhosts.values()];
  yield [context, totals(vhosts, connections)];
  for (const vhost of vhosts) {
    yield [vhost, totals([vhost], connections)];
    yield [vhost.exchanges.counters, exchangeNumbers(vhost.exchanges.counters)];
    for (const queue of vhost.allQueues()) yield [queue, queueNumbers(queue)];
    for (const { counters } of vhost.exchanges.all()) yield [counters, exchangeNumbers(counters)];
  }
  for (const connection of connections) {
    yield [connection, octets(connection)];
    for (const channel of connection.channels.all()) yield [channel, messageNumbers(channel.counters)];
  }
}
