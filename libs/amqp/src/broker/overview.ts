// Reads the status of a broker object off its parts.

import type { Consumers } from '../inbound/consumers.js';
import type { Connection } from '../link/connection.js';
import type { Counters } from '../model/counters.js';
import type { Deadlines } from '../model/deadlines.js';
import type { Outbound } from '../outbound/outbound.js';
import type { Connections } from './connections.js';
import type { BrokerStatus } from './status.js';

/** What a status is read from. */
export interface StatusParts {
  readonly links: Connections;
  readonly consumers: Consumers | undefined;
  readonly outbound: Outbound;
  readonly deadlines: Deadlines;
  readonly counters: Counters;
  readonly closing: boolean;
}

/** How things stand. */
export function brokerStatus(parts: StatusParts): BrokerStatus {
  const { sender, requester } = parts.outbound;
  const { size, bytes, limit } = sender.waitingRoom;
  return {
    connections: parts.links.status(),
    consumers: parts.consumers?.status() ?? [],
    publishing: sender.pending,
    waitingRoom: { messages: size, bytes, limit },
    pendingCalls: requester.pending,
    timers: parts.deadlines.size,
    closing: parts.closing,
    counters: { ...parts.counters },
  };
}

/** Messages that are ready in queues. Asks the broker. */
export async function backlogOf(connection: Connection, queues: readonly string[]): Promise<number> {
  if (queues.length === 0) return 0;
  return connection.withChannel(async (channel) => {
    const answers = await Promise.all(queues.map((queue) => channel.checkQueue(queue)));
    return answers.reduce((sum, { messageCount }) => sum + messageCount, 0);
  });
}
