// How one connection is doing: what its broker object says about itself now, and what has happened to it that
// it does not keep, such as since when it is blocked and why it was lost.

import type { Broker, BrokerEventKind, BrokerEventOf, ConnectionState } from '@warren/amqp';

/** One of the two AMQP connections: for publishing and, where there are handlers, for consuming. */
export interface LinkHealth {
  readonly state: ConnectionState;
  /** For how many milliseconds the broker has been taking no messages (an alarm of memory or disk); absent when it takes them. */
  readonly blockedFor?: number;
  /** Why it is not open, as far as that is known. */
  readonly error?: string;
}

/** The consumer of one queue. */
export interface ConsumerHealth {
  /** Whether the broker said consume-ok, and it is still so. */
  readonly ready: boolean;
  /** Deliveries that are not settled yet. */
  readonly inFlight: number;
  /** Why it does not consume, as far as that is known. */
  readonly error?: string;
}

/** One connection of `RabbitModule.forRoot`. */
export interface RabbitConnectionHealth {
  /** The application is shutting down. */
  readonly closing: boolean;
  /** By their names on the broker: `billing:publish`, `billing:consume`. */
  readonly links: Readonly<Record<string, LinkHealth>>;
  /** By queue. */
  readonly consumers: Readonly<Record<string, ConsumerHealth>>;
  /** `waiting` of `room` places are taken by messages that cannot be sent yet; `unconfirmed` are on their way. */
  readonly publishing: { readonly unconfirmed: number; readonly waiting: number; readonly room: number };
}

const KINDS = [
  'connected',
  'disconnected',
  'connect-failed',
  'blocked',
  'unblocked',
  'consumer-ready',
  'consumer-lost',
  'consumer-failed',
  'start-failed',
  'closing',
] as const satisfies readonly BrokerEventKind[];

/** Watches one broker object from before it connects. */
export class Condition {
  private readonly blockedAt = new Map<string, number>();
  private readonly linkErrors = new Map<string, string>();
  private readonly consumerErrors = new Map<string, string>();
  private closing = false;

  constructor(private readonly broker: Broker) {
    broker.on((event) => this.hear(event), KINDS);
  }

  /** How things stand now. */
  get health(): RabbitConnectionHealth {
    const { connections, consumers, publishing } = this.broker.status();
    const now = performance.now();
    const links = connections.map(({ name, state, blocked }): [string, LinkHealth] => {
      const since = this.blockedAt.get(name) ?? now;
      const error = this.linkErrors.get(name);
      return [
        name,
        {
          state,
          ...(blocked ? { blockedFor: Math.round(now - since) } : {}),
          ...(state !== 'open' && error !== undefined ? { error } : {}),
        },
      ];
    });
    const queues = consumers.map(({ queue, ready, inFlight }): [string, ConsumerHealth] => {
      const error = this.consumerErrors.get(queue);
      return [queue, { ready, inFlight, ...(!ready && error !== undefined ? { error } : {}) }];
    });
    return {
      closing: this.closing,
      links: Object.fromEntries(links),
      consumers: Object.fromEntries(queues),
      publishing: { ...publishing, room: this.broker.settings.publish.room.messages },
    };
  }

  private hear(event: BrokerEventOf<(typeof KINDS)[number]>): void {
    switch (event.kind) {
      case 'connected':
        this.linkErrors.delete(event.connection);
        this.blockedAt.delete(event.connection);
        return;
      case 'disconnected':
        this.linkErrors.set(event.connection, event.reason);
        this.blockedAt.delete(event.connection);
        return;
      case 'connect-failed':
        this.linkErrors.set(event.connection, event.error.message);
        return;
      case 'blocked':
        this.blockedAt.set(event.connection, performance.now());
        return;
      case 'unblocked':
        this.blockedAt.delete(event.connection);
        return;
      case 'consumer-ready':
        this.consumerErrors.delete(event.queue);
        return;
      case 'consumer-lost':
        this.noteConsumer(event.queue, event.reason);
        return;
      case 'consumer-failed':
        this.noteConsumer(event.queue, messageOf(event.error));
        return;
      case 'start-failed':
        for (const { queue, ready } of this.broker.status().consumers)
          if (!ready && !this.consumerErrors.has(queue)) this.noteConsumer(queue, messageOf(event.error));
        return;
      case 'closing':
        this.closing = true;
    }
  }

  // A temporary queue has a new name in each of its lives; the old ones must not pile up.
  private noteConsumer(queue: string, error: string): void {
    const known = new Set(this.broker.status().consumers.map((consumer) => consumer.queue));
    for (const old of this.consumerErrors.keys()) if (!known.has(old)) this.consumerErrors.delete(old);
    this.consumerErrors.set(queue, error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
