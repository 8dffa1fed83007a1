// What a process counts for its operator, from its start: small numbers that tell whether something goes wrong often.
// They only grow; docs/operating.md and the types say what each means.

/** Counts since the broker object was made. */
export interface BrokerCounters {
  /** Connections that were lost after they had been open. */
  readonly connectionsLost: number;
  /** Connections that were open again after a loss. */
  readonly reconnects: number;
  /** Consumers that were lost: connection or channel gone, queue deleted, cancelled by the broker, or renewed. */
  readonly consumersLost: number;
  /** Outcomes whose channel had died, so that nothing was settled: the broker delivers these messages again. */
  readonly staleSettlements: number;
  /** Retries and dead letters that could not be sent on: their messages went back to their queues. */
  readonly forwardFailures: number;
  /** Messages whose wait for a retry or a delay ended more than five seconds late. */
  readonly retriesLate: number;
  /** Messages that were sent again, since the connection was lost before their confirm. One may count more than once. */
  readonly resent: number;
  /** Messages that the broker refused (nack) and that were kept to be sent again. One may count more than once. */
  readonly nacked: number;
  /** Answers to remote callers that could not be delivered. */
  readonly repliesLost: number;
  /** Replies that came for calls nobody waits for (any more): late, repeated, foreign or unreadable. */
  readonly repliesIgnored: number;
  /** Consumers that the watchdog restarted. */
  readonly consumersRestarted: number;
  /** Exchanges and queues that had been deleted while connected, and were declared again. */
  readonly topologyRestored: number;
}

/** The counters while they count. */
export type Counters = { -readonly [Name in keyof BrokerCounters]: number };

/** All at zero. */
export function counters(): Counters {
  return {
    connectionsLost: 0,
    reconnects: 0,
    consumersLost: 0,
    staleSettlements: 0,
    forwardFailures: 0,
    retriesLate: 0,
    resent: 0,
    nacked: 0,
    repliesLost: 0,
    repliesIgnored: 0,
    consumersRestarted: 0,
    topologyRestored: 0,
  };
}
