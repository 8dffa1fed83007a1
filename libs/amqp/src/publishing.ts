import type { Clock, Deadlines } from './runtime/clock.js';
import type { CodecLookup } from './message/codecs/codec.js';
import { CodecRegistry } from './message/codecs/codecs.js';
import type { Counters } from './events/events.js';
import type { BrokerHooks, Settings } from './options/settings.js';
import type { Connection } from './connection/connection.js';
import type { ConnectionPool } from './connection/connection-pool.js';
import type { LateRetries } from './events/late-retries.js';
import type { Events } from './events/emitter.js';
import type { Plugins } from './plugins/plugins.js';
import { possibleWaits } from './options/retry-policy.js';
import { callsExchange, type HandlerPlan } from './topology/handler-plan.js';
import type { ExchangeSpec } from './topology/specs.js';
import type { Server } from './message/direct-reply.js';
import { ReplyConnections } from './rpc/server/reply-connections.js';
import { ExchangeCache, type WantedTopology } from './publish/exchange-cache.js';
import { waitName, waitStep } from './topology/retry-topology.js';
import type { TopologyBuilder } from './topology/topology-builder.js';
import { Publisher, Senders } from './publish/publisher.js';
import { RetryMover, type Wait } from './delay/retry-mover.js';
import { FleetAsker } from './fleet/asker.js';
import { Requester } from './rpc/client/requester.js';
import { closeReasons, Sender } from './publish/sender.js';

/** A healthy broker confirms a publish within milliseconds, however long the handlers took before. */
export const LEAST_FLUSH = 1_000;

/** Dependencies of the publishing side. */
export interface PublishingOptions {
  readonly connection: Connection;
  /** For replies of handlers. */
  readonly replies: Connection;
  /** For first replies, to addresses that may be harmful. */
  readonly firstReplies: Connection;
  /** The broker on the other side. */
  readonly server: () => Server;
  readonly counters: Counters;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly codecs: CodecLookup;
  readonly events: Events;
  /** What is known of exchanges and queues, by name. */
  readonly declared: Pick<TopologyBuilder, 'exchange' | 'streams'>;
  readonly topology: WantedTopology;
  /** Shorter in tests. */
  readonly shortenWait: (ms: number) => number;
  /** See BrokerHooks. */
  readonly grace: number | undefined;
  readonly upkeep: number | undefined;
  readonly late: LateRetries;
  readonly plugins: Plugins;
}

/** Everything that publishes: publisher, sender and requester on one connection, and their common end. */
export class Publishing {
  readonly senders: Senders;
  readonly publisher: Publisher;
  readonly requester: Requester;
  readonly fleet: FleetAsker;
  readonly replies: ReplyConnections;
  readonly mover: RetryMover;
  private readonly exchangeCache: ExchangeCache;

  constructor(private readonly options: PublishingOptions) {
    const { events, counters } = options;
    events.on(() => counters.repliesIgnored++, ['reply-ignored']);
    events.on(() => counters.forwardFailures++, ['forward-failed']);
    const forbidden = closeReasons(options);
    this.senders = new Senders({
      ...options,
      streams: options.declared.streams,
      make: () =>
        new Sender({
          ...options,
          closeReasons: forbidden,
          onRefused: (closeReason) => this.exchangeCache.refused(closeReason),
        }),
    });
    const describe = (name: string): ExchangeSpec | undefined =>
      callsExchange(name) ?? options.declared.exchange(name);
    this.exchangeCache = new ExchangeCache({
      ...options,
      describe,
      service: options.settings.service,
      closeReasons: forbidden,
      onWait: (step, back, anew) => this.mover.hold({ step, back }, anew),
    });
    const { senders, exchangeCache: destinations } = this;
    this.mover = new RetryMover({ ...options, exchangeCache: destinations });
    this.requester = new Requester({ ...options, exchangeCache: destinations, closeReasons: forbidden });
    this.fleet = new FleetAsker({ ...options, exchangeCache: destinations, closeReasons: forbidden });
    this.publisher = new Publisher({ ...options, senders, exchangeCache: destinations });
    this.replies = new ReplyConnections({
      ...options,
      connection: options.replies,
      first: options.firstReplies,
    });
  }

  /** Forwards messages that wait for a retry of these handlers, including those of earlier processes of the service. */
  moveRetries(handlers: readonly Pick<HandlerPlan, 'retry' | 'back'>[]): void {
    const { shortenWait, settings } = this.options;
    const waits = new Map<string, Wait>();
    for (const { retry, back } of handlers) {
      for (const wait of possibleWaits(retry)) {
        const step = waitStep(shortenWait(wait));
        waits.set(waitName(settings.service, step, back), { step, back });
      }
    }
    this.mover.expect([...waits.values()]);
  }

  /** The broker accepts messages again. */
  flush(): void {
    this.senders.unblocked();
    this.mover.flush();
    this.requester.flush();
    this.fleet.flush();
    this.replies.flush();
  }

  /** What closing waits for, in words; undefined for nothing. */
  waitsFor(): string | undefined {
    const { unconfirmed, waiting } = this.senders.pending;
    const messages = unconfirmed + waiting;
    return messages === 0 ? undefined : `the broker to confirm ${messages} published messages`;
  }

  /** Waits until `expired` for pending work, then ends it. Always settles. */
  async close(expired: Promise<void>): Promise<void> {
    await Promise.all([this.senders.close(expired), this.replies.close(expired), this.mover.close(expired)]);
    await Promise.all([this.requester.close(), this.fleet.close()]);
  }
}

/** What a broker object has of it already. */
type Shared = Omit<
  PublishingOptions,
  'connection' | 'replies' | 'firstReplies' | 'server' | 'codecs' | 'shortenWait' | 'grace' | 'upkeep'
> & { readonly connections: ConnectionPool; readonly internals: BrokerHooks };

/** The publishing side of a broker object. */
export function publishingOf({ connections, internals, ...shared }: Shared): Publishing {
  const { settings, plugins } = shared;
  return new Publishing({
    ...shared,
    connection: connections.publish,
    replies: connections.reply,
    firstReplies: connections.firstReply,
    server: () => connections.server,
    codecs: new CodecRegistry(() => [...settings.codecs, ...plugins.codecs], settings),
    shortenWait: internals.shortenWait ?? ((ms) => ms),
    grace: internals.grace,
    upkeep: internals.upkeep,
  });
}
