// What `broker.status()` shows, as data. status.ts reads it.

import type { BrokerCounters, PausedBy } from './events.js';

/** States of a connection. `waiting`: for the next attempt to connect. `closed`: for good. */
export type ConnectionState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

/** One connection to the broker. */
export interface ConnectionStatus {
  /** Its name on the broker: `billing:publish`, `billing:consume`, `billing:reply`. */
  readonly name: string;
  readonly state: ConnectionState;
  /** Whether the broker takes no messages for now (an alarm of memory or disk). */
  readonly blocked: boolean;
  /** Since when, in milliseconds since 1970; undefined when it is not blocked. */
  readonly blockedSince: number | undefined;
  /** Since when it is not open, in milliseconds since 1970; undefined while it is. */
  readonly notOpenSince: number | undefined;
  /** Why it was lost or could not be opened last, without secrets; undefined while it is open. */
  readonly lastError: string | undefined;
}

/** How a consumer is doing. */
export interface ConsumerStatus {
  readonly queue: string;
  /** What it runs, by the names that logs use: classes and methods. */
  readonly handlers: readonly string[];
  /** Whether the broker said consume-ok in this life. */
  readonly ready: boolean;
  /** Since when it is not, in milliseconds since 1970; undefined while it is. */
  readonly notReadySince: number | undefined;
  /** Why it was lost or cannot consume, without secrets; undefined while it is ready, or as long as nothing failed. */
  readonly lastError: string | undefined;
  /** Deliveries that are not settled yet. */
  readonly inFlight: number;
  /** Who paused it and since when, in milliseconds since 1970; undefined while it is not paused. */
  readonly paused: { readonly by: PausedBy; readonly since: number } | undefined;
  /** `open`: no handler starts; `half-open`: one message probes. Undefined without the option `breaker`. */
  readonly breaker: 'closed' | 'open' | 'half-open' | undefined;
  /** Messages that the broker hands over before one is settled. */
  readonly prefetch: number;
  /** Handlers that run at once, or batches. */
  readonly concurrency: number;
  /** Such as `100/s`; undefined without a limit. */
  readonly rate: string | undefined;
  /** Handlers that run now, or batches. */
  readonly running: number;
  /**
   * For how long the oldest message in flight has been published, in ms, by its timestamp, which has seconds. Undefined
   * when there is none; retries, delayed and replayed messages do not count. `running / concurrency` is the utilisation.
   */
  readonly lag: number | undefined;
}

/** What waits, as far as this process knows. */
export interface WaitingStatus {
  /** Messages that this process holds until they are due. */
  readonly messages: number;
  /** When the next of them is due, in milliseconds since 1970; undefined when there is none. */
  readonly nextDue: number | undefined;
  /** Queues in which messages wait and from which this process moves them on. */
  readonly queues: readonly string[];
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
