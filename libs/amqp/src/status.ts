// What can be asked about a broker object at any time, without asking the broker: for health checks, metrics and
// whoever looks at a process that does not do what it should.

import type { ConsumerStatus } from './consume/readiness.js';
import type { ConnectionStatus } from './connection/connection-pool.js';
import type { BrokerCounters } from './events/counters.js';
import type { WaitingStatus } from './delay/retry-mover.js';

/** How a broker object is doing. */
export interface BrokerStatus {
  /** When it was asked, in milliseconds since 1970. */
  readonly at: number;
  readonly connections: readonly ConnectionStatus[];
  readonly consumers: readonly ConsumerStatus[];
  readonly publishing: { readonly unconfirmed: number; readonly waiting: number };
  /** The room where publishes wait while the broker is away or blocked, and its limits. */
  readonly waitingRoom: {
    readonly messages: number;
    readonly bytes: number;
    readonly limit: { readonly messages: number; readonly bytes: number };
  };
  /** Messages that wait for a retry or a delay, as far as this process moves them on. */
  readonly waiting: WaitingStatus;
  readonly pendingCalls: number;
  /** Deadlines that are set: of publishes, calls and handlers. */
  readonly timers: number;
  /** It drains or closes, or has done so. */
  readonly closing: boolean;
  readonly counters: BrokerCounters;
}
