// The state of a broker object, without asking the broker: for health checks, metrics and debugging.

import type { Plugins } from './plugins/plugins.js';
import type { Consumers } from './consume/consumers.js';
import type { Connection } from './connection/connection.js';
import type { Counters, BrokerCounters } from './events/events.js';
import type { Deadlines } from './runtime/deadlines.js';
import { declareError, replyCode } from './topology/declare-error.js';
import type { Publishing } from './publishing.js';
import type { ConnectionPool, ConnectionStatus } from './connection/connection-pool.js';
import type { ConsumerStatus } from './consume/readiness.js';
import type { WaitingStatus } from './delay/retry-mover.js';

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

/** Number of ready messages in the queues; a missing queue counts as empty. Queries the broker. */
export async function backlogOf(connection: Connection, queues: readonly string[]): Promise<number> {
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

/** The state of a broker object. */
export interface BrokerStatus {
  /** Time of the query, in milliseconds since 1970. */
  readonly at: number;
  readonly connections: readonly ConnectionStatus[];
  readonly consumers: readonly ConsumerStatus[];
  readonly publishing: { readonly unconfirmed: number; readonly waiting: number };
  /** The publish buffer, where publishes wait while the broker is unreachable or blocked, and its limits. */
  readonly publishBuffer: {
    readonly messages: number;
    readonly bytes: number;
    readonly limit: { readonly messages: number; readonly bytes: number };
  };
  /** Messages that wait for a retry or a delay and are forwarded by this process. */
  readonly waiting: WaitingStatus;
  readonly pendingCalls: number;
  /** Pending deadlines of publishes, calls and handlers. */
  readonly timers: number;
  /** Whether it is draining, closing or closed. */
  readonly closing: boolean;
  readonly counters: BrokerCounters;
  /** What plugins say of themselves, by their names. */
  readonly plugins: Readonly<Record<string, unknown>>;
}
