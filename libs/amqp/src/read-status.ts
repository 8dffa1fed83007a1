// Reads the status of a broker object off its parts.

import type { Consumers } from './consume/consumers.js';
import type { Connection } from './connection/connection.js';
import type { Counters } from './events/counters.js';
import type { Deadlines } from './runtime/deadlines.js';
import { explain, replyCode } from './topology/declare-error.js';
import type { Outbound } from './publishing.js';
import type { Connections } from './connection/connection-pool.js';
import type { BrokerStatus } from './status.js';

/** What a status is read from. */
export interface StatusParts {
  readonly links: Connections;
  readonly consumers: Consumers | undefined;
  readonly outbound: Outbound;
  readonly deadlines: Deadlines;
  readonly counters: Counters;
  readonly closing: boolean;
  /** Now, in milliseconds since 1970. */
  readonly at: number;
}

/** How things stand. */
export function brokerStatus(parts: StatusParts): BrokerStatus {
  const { sender, requester, mover } = parts.outbound;
  const { size, bytes, limit } = sender.waitingRoom;
  return {
    at: parts.at,
    connections: parts.links.status(),
    consumers: parts.consumers?.status() ?? [],
    publishing: sender.pending,
    waitingRoom: { messages: size, bytes, limit },
    waiting: mover.status(),
    pendingCalls: requester.pending,
    timers: parts.deadlines.size,
    closing: parts.closing,
    counters: { ...parts.counters },
  };
}

/** Messages that are ready in queues; one that is gone has none. Asks the broker. */
export async function backlogOf(connection: Connection, queues: readonly string[]): Promise<number> {
  let sum = 0;
  // A queue that is gone costs the channel: the others are asked on the next one.
  for (let left = [...new Set(queues)]; left.length > 0;) {
    await connection.withChannel(async (channel) => {
      try {
        for (; left.length > 0; left = left.slice(1)) sum += (await channel.checkQueue(left[0])).messageCount;
      } catch (error) {
        if (replyCode(error) !== 404)
          throw explain(error, { what: 'queue', name: left[0], askedBy: 'backlog()' });
        left = left.slice(1);
      }
    });
  }
  return sum;
}
