// What the broker object of one connection says about itself, in the words of a health check: plain data that
// can be sent as JSON, with nothing in it that is not worth looking at.

import type { Broker, ConnectionState, ConsumerStatus, PausedBy } from '@warren/amqp';

/** One of the AMQP connections of a connection: for publishing, for consuming, for answers. */
export interface ConnectionHealth {
  readonly state: ConnectionState;
  /** For how many ms it has not been open; absent while it is. */
  readonly notOpenFor?: number;
  /** For how many ms the broker has been taking no messages (an alarm of memory or disk); absent while it takes them. */
  readonly blockedFor?: number;
  /** Why it is not open, as far as that is known. */
  readonly error?: string;
}

/** The consumer of one queue. */
export interface ConsumerHealth {
  /** Whether the consumer has its consume-ok. */
  readonly ready: boolean;
  /** What it runs: classes and methods. */
  readonly handlers: readonly string[];
  /** Deliveries that are not settled yet. */
  readonly inFlight: number;
  /** For how many ms it has not been ready; absent while it is. */
  readonly notReadyFor?: number;
  /** Why it does not consume, as far as that is known. */
  readonly error?: string;
  /** Who paused it: the option `paused`, a call in this process, or one for all instances; absent while it is not paused. */
  readonly paused?: PausedBy;
  /** For how many ms it has been paused; absent while it is not. */
  readonly pausedFor?: number;
  /** `open` or `half-open` while its breaker lets no message, or one, run; absent otherwise. */
  readonly breaker?: 'open' | 'half-open';
}

/** One connection of `RabbitModule.forRoot`. */
export interface RabbitConnectionHealth {
  /** The application is shutting down. */
  readonly closing: boolean;
  /** By their names on the broker: `billing:publish`, `billing:consume`, `billing:reply`. */
  readonly connections: Readonly<Record<string, ConnectionHealth>>;
  /** By queue. */
  readonly consumers: Readonly<Record<string, ConsumerHealth>>;
  /** Publishes on their way that are not confirmed yet. */
  readonly unconfirmed: number;
  /** Where publishes wait while the broker is away or blocked; `taken` is the share that is in use, from 0 to 1. */
  readonly publishBuffer: { readonly messages: number; readonly bytes: number; readonly taken: number };
}

/** How a connection is doing now. */
export function connectionHealth(broker: Broker): RabbitConnectionHealth {
  const { at, connections, consumers, publishing, publishBuffer, closing } = broker.status();
  const since = (time: number | undefined): number | undefined =>
    time === undefined ? undefined : Math.max(0, at - time);
  const links = connections.map(
    ({ name, state, blockedSince, notOpenSince, lastError }): [string, ConnectionHealth] => [
      name,
      known({ state, notOpenFor: since(notOpenSince), blockedFor: since(blockedSince), error: lastError }),
    ],
  );
  const queues = consumers.map((consumer): [string, ConsumerHealth] => [
    consumer.queue,
    consumerHealth(consumer, since),
  ]);
  const { messages, bytes, limit } = publishBuffer;
  return {
    closing,
    connections: Object.fromEntries(links),
    consumers: Object.fromEntries(queues),
    unconfirmed: publishing.unconfirmed,
    publishBuffer: {
      messages,
      bytes,
      taken: Math.max(share(messages, limit.messages), share(bytes, limit.bytes)),
    },
  };
}

function consumerHealth(
  { ready, handlers, inFlight, notReadySince, lastError: error, paused, breaker }: ConsumerStatus,
  since: (time: number | undefined) => number | undefined,
): ConsumerHealth {
  return known({
    ready,
    handlers,
    inFlight,
    notReadyFor: since(notReadySince),
    error,
    paused: paused?.by,
    pausedFor: since(paused?.since),
    breaker: breaker === 'closed' ? undefined : breaker,
  });
}

function share(used: number, limit: number): number {
  return used === 0 ? 0 : Math.round((100 * used) / limit) / 100;
}

/** Without what is undefined. */
function known<T extends object>(facts: T): T {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as T;
}
