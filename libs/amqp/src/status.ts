// The state of a broker object, without asking the broker: for health checks, metrics and debugging.

import type { Plugins } from './plugins/plugins.js';
import type { Consumers } from './consume/consumers.js';
import type { Connection } from './connection/connection.js';
import type { BrokerStatus } from './events/broker-status.js';
import type { Counters } from './events/events.js';
import type { Deadlines } from './runtime/clock.js';
import { declareError, replyCode } from './topology/declare-error.js';
import type { Publishing } from './publishing.js';
import type { ConnectionPool } from './connection/connection-pool.js';

/** The parts that a status is read from. */
export interface StatusParts {
  readonly connections: ConnectionPool;
  readonly consumers: Consumers | undefined;
  readonly publishing: Publishing;
  readonly deadlines: Deadlines;
  readonly counters: Counters;
  readonly plugins: Plugins;
  readonly closing: boolean;
  /** The current time in milliseconds since 1970. */
  readonly at: number;
}

/** The current status. */
export function brokerStatus(parts: StatusParts): BrokerStatus {
  const { senders, requester, mover } = parts.publishing;
  const { size, bytes, limit } = senders.buffer;
  return {
    at: parts.at,
    connections: parts.connections.status(),
    consumers: parts.consumers?.status() ?? [],
    publishing: senders.pending,
    publishBuffer: { messages: size, bytes, limit },
    waiting: mover.status(),
    pendingCalls: requester.pending,
    timers: parts.deadlines.size,
    closing: parts.closing,
    counters: { ...parts.counters },
    plugins: parts.plugins.status(),
  };
}

/** Number of messages ready in the queues of its handlers, or waiting. Queries the broker. */
export async function totalBacklog(
  { consumers, waiting }: BrokerStatus,
  connection: Connection,
): Promise<number> {
  const queues = [...consumers.map(({ queue }) => queue), ...waiting.queues];
  return (await backlogOf(connection, queues)) + waiting.messages;
}

/** Number of ready messages in the queues; a missing queue counts as empty. Queries the broker. */
async function backlogOf(connection: Connection, queues: readonly string[]): Promise<number> {
  let sum = 0;
  // A missing queue closes the channel: the others are queried on a new one.
  for (let left = [...new Set(queues)]; left.length > 0;) {
    await connection.withChannel(async (channel) => {
      try {
        for (; left.length > 0; left = left.slice(1)) sum += (await channel.checkQueue(left[0])).messageCount;
      } catch (error) {
        if (replyCode(error) !== 404)
          throw declareError(error, { what: 'queue', name: left[0], declaredBy: 'backlog()' });
        left = left.slice(1);
      }
    });
  }
  return sum;
}
