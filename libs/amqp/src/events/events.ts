// The events that listeners receive, as data. emitter.ts emits them; docs/events.md has the table.

import type { Delivery, Verdict } from '../message/delivery.js';

// Counters of a process since its start, for operators. They only grow; see also docs/operating.md.

/** Counters since the broker object was created. */
export interface BrokerCounters {
  /** Connections that were lost after they had been open. */
  readonly connectionsLost: number;
  /** Connections that were opened again after a loss. */
  readonly reconnects: number;
  /** Consumers that were lost: connection or channel gone, queue deleted, cancelled by the broker, or renewed. */
  readonly consumersLost: number;
  /** Outcomes that could not be settled because their channel was closed: the broker delivers these messages again. */
  readonly staleSettlements: number;
  /** Retries and dead letters that could not be forwarded: their messages went back to their queues. */
  readonly forwardFailures: number;
  /** Retried or delayed messages that were more than five seconds late. */
  readonly retriesLate: number;
  /** Messages sent again because the connection was lost before their confirm. A message may count more than once. */
  readonly resent: number;
  /** Messages that the broker nacked and that were kept to be sent again. A message may count more than once. */
  readonly nacked: number;
  /** Replies to remote callers that could not be delivered. */
  readonly repliesLost: number;
  /** Replies without a pending call: late, repeated, unrelated or unreadable. */
  readonly repliesIgnored: number;
  /** Consumers that the watchdog restarted. */
  readonly consumersRestarted: number;
  /** Exchanges and queues that had been deleted while connected, and were declared again. */
  readonly topologyRestored: number;
}

/** The counters, writable. */
export type Counters = { -readonly [Name in keyof BrokerCounters]: number };

/** New counters, all zero. */
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

/** How a publish ended. */
export type PublishOutcome = 'confirmed' | 'returned' | 'nacked' | 'timeout' | 'unknown' | 'refused';

/** The other end of a socket: a node of the broker, or what stands before it. */
export interface Peer {
  /** IP address. */
  readonly address: string;
  readonly port: number;
}

/** What happens to a connection. `connection` is its name on the broker: `billing:publish`, `billing:consume`. */
export type ConnectionBrokerEvent =
  /**
   * A connection is open, and everything is declared on it. `endpoint` is host, port and virtual host; `peer` the IP address
   * and port that it leads to.
   */
  | {
      readonly kind: 'connected';
      readonly connection: string;
      readonly endpoint: string;
      readonly peer: Peer | undefined;
    }
  /** An open connection was lost; Warren reconnects. */
  | { readonly kind: 'disconnected'; readonly connection: string; readonly reason: string }
  /** A connection could not be opened; the next attempt is in `retryIn` ms. */
  | {
      readonly kind: 'connect-failed';
      readonly connection: string;
      readonly error: Error;
      readonly retryIn: number;
    }
  /** The broker blocks publishing: a memory or disk alarm. */
  | { readonly kind: 'blocked'; readonly connection: string; readonly reason: string }
  /** The broker accepts messages again. */
  | { readonly kind: 'unblocked'; readonly connection: string };

/** Who paused a consumer: the option `paused`, a call in this process, or one for all instances of the service. */
export type PausedBy = 'start' | 'control' | 'everywhere';

/** What happens to the consumer of a queue. */
export type ConsumerBrokerEvent =
  /** The broker confirmed the consumer of a queue (consume-ok). */
  | { readonly kind: 'consumer-ready'; readonly queue: string }
  /** A consumer was lost; Warren restarts it. */
  | { readonly kind: 'consumer-lost'; readonly queue: string; readonly reason: string }
  /** A queue cannot be consumed yet; Warren tries again. */
  | { readonly kind: 'consumer-failed'; readonly queue: string; readonly error: unknown }
  /** The watchdog found a stalled consumer and restarts it. */
  | { readonly kind: 'consumer-restarted'; readonly queue: string; readonly reason: string }
  /** A consumer has not been ready for a long time. Emitted once a minute. */
  | { readonly kind: 'consumer-not-ready'; readonly queue: string; readonly reason: string }
  /** A consumer was told to pause; `by`: by a call in this process, or by one for all instances of the service. */
  | {
      readonly kind: 'consumer-paused';
      readonly queue: string;
      readonly handlers: readonly string[];
      readonly by: PausedBy;
    }
  /** A paused consumer was told to go on. */
  | { readonly kind: 'consumer-resumed'; readonly queue: string; readonly handlers: readonly string[] }
  /** Prefetch, concurrency or rate of a consumer were changed at run time. */
  | {
      readonly kind: 'consumer-changed';
      readonly queue: string;
      readonly handlers: readonly string[];
      readonly prefetch: number;
      readonly concurrency: number;
      readonly rate: string | undefined;
    }
  /** A breaker opened, or its probe failed (`probed`): no handler of the queue starts for `pause` ms. */
  | {
      readonly kind: 'breaker-open';
      readonly handler: string;
      readonly queue: string;
      readonly error: unknown;
      readonly pause: number;
      readonly probed: boolean;
    }
  /** One message runs as a probe, or the next one will. */
  | { readonly kind: 'breaker-half-open'; readonly handler: string; readonly queue: string }
  /** A probe succeeded, `ms` after the breaker opened: messages run again. */
  | {
      readonly kind: 'breaker-closed';
      readonly handler: string;
      readonly queue: string;
      readonly ms: number;
    };

/** What happens to a delivery. */
export type DeliveryBrokerEvent =
  /** A delivery has its verdict, `ms` after it entered the handler's pipeline. */
  | {
      readonly kind: 'handled';
      readonly handler: string;
      readonly queue: string;
      readonly delivery: Delivery;
      readonly verdict: Verdict;
      readonly ms: number;
    }
  /** A verdict was applied; `onTime: false`: the channel was closed, so the broker delivers the message again. */
  | {
      readonly kind: 'settled';
      readonly queue: string;
      readonly delivery: Delivery;
      readonly onTime: boolean;
    }
  /** A retry or a dead letter could not be forwarded; the message goes back to its queue. */
  | {
      readonly kind: 'forward-failed';
      readonly queue: string;
      readonly delivery: Delivery;
      readonly error: unknown;
    }
  /** A handler ignored its `timeout`: it ended `ms` after it began, and what it returned or threw was ignored. */
  | {
      readonly kind: 'handler-late';
      readonly handler: string;
      readonly queue: string;
      readonly delivery: Delivery;
      readonly timeout: number;
      readonly ms: number;
    }
  /** A request was not run: its caller left, its deadline had passed, or its reply address is gone. */
  | {
      readonly kind: 'call-skipped';
      readonly handler: string;
      readonly queue: string;
      readonly delivery: Delivery;
      readonly reason: 'left' | 'late' | 'gone';
    };

/** What happens to a message that is sent. */
export type PublishingBrokerEvent =
  /** A publish has its outcome. */
  | {
      readonly kind: 'published';
      readonly exchange: string;
      readonly routingKey: string;
      readonly messageId: string;
      readonly payload: unknown;
      readonly outcome: PublishOutcome;
    }
  /** The broker returned a message as unroutable. Replies, retries and dead letters too. */
  | {
      readonly kind: 'returned';
      readonly exchange: string;
      readonly routingKey: string;
      readonly messageId: string | undefined;
    }
  /** Number of retried or delayed messages that were late, by up to `ms`: emitted when it begins and when it is over. */
  | { readonly kind: 'retries-late'; readonly messages: number; readonly ms: number; readonly over: boolean }
  /** A publish was rejected because the publish buffer is full. Emitted at most once a second. */
  | { readonly kind: 'publish-buffer-full'; readonly waiting: number; readonly bytes: number }
  /** A reply without a pending call was ignored: late, repeated, unrelated or unreadable. */
  | { readonly kind: 'reply-ignored'; readonly correlationId: string };

/** An exchange or queue that was missing. */
export interface MissingTopology {
  readonly what: 'exchange' | 'queue';
  readonly name: string;
}

/** What happens to the broker object as a whole. */
export type LifeBrokerEvent =
  /** Exchanges or queues were deleted while this process was connected; they were declared again with all bindings. */
  | { readonly kind: 'topology-restored'; readonly missing: readonly MissingTopology[] }
  /** With `startup: 'background'`: the start failed with an error that needs a change by an operator. */
  | { readonly kind: 'start-failed'; readonly error: unknown }
  /** The broker object is closing: no more messages are consumed. */
  | { readonly kind: 'closing' }
  /** The broker object is closed; this is the last event. */
  | { readonly kind: 'closed' };

/** All events. */
export type BrokerEvent =
  ConnectionBrokerEvent | ConsumerBrokerEvent | DeliveryBrokerEvent | PublishingBrokerEvent | LifeBrokerEvent;

/** The kinds of events. */
export type BrokerEventKind = BrokerEvent['kind'];

/** The event of one kind; of all kinds for `'*'`. */
export type BrokerEventOf<K extends BrokerEventKind | '*'> = K extends '*'
  ? BrokerEvent
  : Extract<BrokerEvent, { readonly kind: K }>;
