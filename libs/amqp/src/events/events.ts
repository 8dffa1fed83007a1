// Everything that a listener can be told, as data: one kind for each thing an operator, a metric or a
// test may want to know. listeners.ts tells them, docs/events.md has the table.

import type { Delivery, Verdict } from '../message/delivery.js';

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

/** How a publish ended. */
export type PublishOutcome = 'confirmed' | 'returned' | 'nacked' | 'timeout' | 'unknown' | 'refused';

/** What happens to a connection. `connection` is its name on the broker: `billing:publish`, `billing:consume`. */
export type ConnectionBrokerEvent =
  /** A connection is open, and everything is declared on it. `endpoint` is host, port and virtual host. */
  | { readonly kind: 'connected'; readonly connection: string; readonly endpoint: string }
  /** A connection was open and is lost; it is brought back. */
  | { readonly kind: 'disconnected'; readonly connection: string; readonly reason: string }
  /** A connection could not be opened; the next attempt is in `retryIn` ms. */
  | {
      readonly kind: 'connect-failed';
      readonly connection: string;
      readonly error: Error;
      readonly retryIn: number;
    }
  /** The broker takes no messages for now: an alarm of memory or disk. */
  | { readonly kind: 'blocked'; readonly connection: string; readonly reason: string }
  /** It takes them again. */
  | { readonly kind: 'unblocked'; readonly connection: string };

/** What happens to the consumer of a queue. */
export type ConsumerBrokerEvent =
  /** The broker said consume-ok for a queue. */
  | { readonly kind: 'consumer-ready'; readonly queue: string }
  /** A consumer was there and is lost; it is brought back. */
  | { readonly kind: 'consumer-lost'; readonly queue: string; readonly reason: string }
  /** A queue cannot be consumed yet; it is tried again. */
  | { readonly kind: 'consumer-failed'; readonly queue: string; readonly error: unknown }
  /** The watchdog found a stalled consumer and restarts it. */
  | { readonly kind: 'consumer-restarted'; readonly queue: string; readonly reason: string }
  /** A consumer is not ready for a long time. Told once a minute. */
  | { readonly kind: 'consumer-not-ready'; readonly queue: string; readonly reason: string };

/** What happens to a delivery. */
export type DeliveryBrokerEvent =
  /** A delivery has its verdict; `ms` from its arrival at the handler's pipeline. */
  | {
      readonly kind: 'handled';
      readonly handler: string;
      readonly queue: string;
      readonly delivery: Delivery;
      readonly verdict: Verdict;
      readonly ms: number;
    }
  /** A verdict was carried out; `onTime: false`: the channel had died and the broker delivers it again. */
  | {
      readonly kind: 'settled';
      readonly queue: string;
      readonly delivery: Delivery;
      readonly onTime: boolean;
    }
  /** A retry or a dead letter could not be sent on; the message goes back to its queue. */
  | {
      readonly kind: 'forward-failed';
      readonly queue: string;
      readonly delivery: Delivery;
      readonly error: unknown;
    }
  /** A handler ignored its `timeout`: it ended `ms` after it began, and what it returned or threw was not used. */
  | {
      readonly kind: 'handler-late';
      readonly handler: string;
      readonly queue: string;
      readonly delivery: Delivery;
      readonly timeout: number;
      readonly ms: number;
    }
  /** A request was not run: its caller left, its time was over, or its reply address is gone. */
  | {
      readonly kind: 'call-skipped';
      readonly handler: string;
      readonly queue: string;
      readonly delivery: Delivery;
      readonly reason: 'left' | 'late' | 'gone';
    };

/** What happens to a message that is sent. */
export type PublishingBrokerEvent =
  /** A publish ended, one way or another. */
  | {
      readonly kind: 'published';
      readonly exchange: string;
      readonly routingKey: string;
      readonly messageId: string;
      readonly payload: unknown;
      readonly outcome: PublishOutcome;
    }
  /** The broker handed a message back: no queue wanted it. Answers, retries and dead letters too. */
  | {
      readonly kind: 'returned';
      readonly exchange: string;
      readonly routingKey: string;
      readonly messageId: string | undefined;
    }
  /** So many retried or delayed messages were late, by up to `ms`: told when it begins and when it is over. */
  | { readonly kind: 'retries-late'; readonly messages: number; readonly ms: number; readonly over: boolean }
  /** A publish was refused, because this many messages wait already. Told at most once a second. */
  | { readonly kind: 'publish-buffer-full'; readonly waiting: number; readonly bytes: number }
  /** A reply that nobody waits for (any more): late, repeated, foreign or unreadable. */
  | { readonly kind: 'reply-ignored'; readonly correlationId: string };

/** An exchange or queue that should be there and was not. */
export interface MissingTopology {
  readonly what: 'exchange' | 'queue';
  readonly name: string;
}

/** What happens to the broker object as a whole. */
export type LifeBrokerEvent =
  /** Somebody had deleted exchanges or queues of this process while it was connected; they and all bindings are back. */
  | { readonly kind: 'topology-restored'; readonly missing: readonly MissingTopology[] }
  /** With `startup: 'background'`: something stands in the way that a person must change. */
  | { readonly kind: 'start-failed'; readonly error: unknown }
  /** The broker object begins to end: nothing new is consumed. */
  | { readonly kind: 'closing' }
  /** The broker object has ended; nothing happens after this. */
  | { readonly kind: 'closed' };

/** Everything that can be heard. */
export type BrokerEvent =
  ConnectionBrokerEvent | ConsumerBrokerEvent | DeliveryBrokerEvent | PublishingBrokerEvent | LifeBrokerEvent;

/** The kinds of events. */
export type BrokerEventKind = BrokerEvent['kind'];

/** The event of one kind; of all kinds for `'*'`. */
export type BrokerEventOf<K extends BrokerEventKind | '*'> = K extends '*'
  ? BrokerEvent
  : Extract<BrokerEvent, { readonly kind: K }>;
