import { type ConnectionEvent, Connection } from './connection.js';
import type { ConnectionStatus } from '../events/broker-status.js';
import { type Clock, onWall } from '../runtime/clock.js';
import { humanDuration } from '../options/duration.js';
import type { LogFields } from '../runtime/log-events.js';
import { printable, type Log, describeError } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';
import { ConnectAttempts } from './connect-attempts.js';
import type { Counters } from '../events/events.js';
import { NO_SERVER, type Server } from '../message/direct-reply.js';
import type { Settings } from '../options/settings.js';
import { errorFields } from '../errors/error-facts.js';

// What a connection goes through, as log lines and events. One line per change of state; while a broker
// stays away, a line every half minute is enough.

const REPEAT_AFTER = 30_000;

/** Nothing is wrong, but each message costs more. */
const SLOW = " (slow path: every frame goes through amqplib's public functions)";

/** A listener for one connection. */
export function connectionLog(
  connection: string,
  logger: Log,
  events: Events,
  clock: Clock,
): (event: ConnectionEvent) => void {
  let refusedAt = -Infinity;
  return (event) => {
    switch (event.kind) {
      case 'open':
        refusedAt = -Infinity;
        logger.log(`${connection} connected to ${event.endpoint}${event.direct ? '' : SLOW}`, {
          event: 'connected',
          connection,
          endpoint: event.endpoint,
        });
        events.emit({ kind: 'connected', connection, endpoint: event.endpoint, peer: event.peer });
        return;
      case 'lost':
        logger.warn(`${connection} lost its connection (${printable(event.reason)}); reconnecting`, {
          event: 'disconnected',
          connection,
        });
        events.emit({ kind: 'disconnected', connection, reason: event.reason });
        return;
      case 'refused':
        if (clock.monotonic() - refusedAt >= REPEAT_AFTER) {
          refusedAt = clock.monotonic();
          logger.warn(...refusedLine(connection, event));
        }
        events.emit({ kind: 'connect-failed', connection, error: event.error, retryIn: event.retryIn });
        return;
      case 'blocked':
        logger.warn(`${connection} is blocked by the broker (${printable(event.reason)}); publishes wait`, {
          event: 'blocked',
          connection,
        });
        events.emit({ kind: 'blocked', connection, reason: event.reason });
        return;
      case 'unblocked':
        logger.log(`${connection} is unblocked; publishing again`, { event: 'unblocked', connection });
        events.emit({ kind: 'unblocked', connection });
    }
  };
}

function refusedLine(
  connection: string,
  { error, told, retryIn }: Extract<ConnectionEvent, { readonly kind: 'refused' }>,
): [string, LogFields] {
  // The application may end the process when the first attempt fails: then there is no next one.
  const next = told ? '' : `; next attempt in ${humanDuration(retryIn)}`;
  return [
    `${connection}: ${printable(error.message)}${next}`,
    { event: 'connect-failed', connection, ...errorFields(error), retryIn: told ? undefined : retryIn },
  ];
}

/** What a connection is for; the second half of its name. */
type Role = 'publish' | 'consume' | 'reply' | 'first-reply';

/** What connections are made from. */
export interface ConnectionPoolOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly events: Events;
  readonly counters: Counters;
  /** Declares the topology on a new connection, before anything else happens there. */
  readonly prepare: (connection: Connection, lost: Promise<never>) => Promise<void>;
  /** The broker takes messages again. */
  readonly onUnblocked: () => void;
  /** See ConnectionOptions. */
  readonly onChannel: (channel: object) => void;
}

/** What happened to a connection that it does not keep itself. Times are of the monotonic clock. */
interface Past {
  blockedSince?: number;
  notOpenSince?: number;
  lastError?: string;
  opened: boolean;
}

/**
 * The connections of a broker object: one that publishes and calls, one that consumes when there are
 * handlers, and one for answers when there are handlers that answer. An answer goes where its request says,
 * and RabbitMQ before 4.3 closes the connection for some addresses that look right; publishes, consumers and
 * answers to others must not suffer for that, so there it has a fourth one, for first answers, from the
 * first such answer on.
 */
export class ConnectionPool {
  readonly publish: Connection;
  consume: Connection | undefined;
  /** Also made for publishers: it connects when it is first used. */
  readonly reply: Connection;
  /** Connects when it is first used. Other clients can cause its losses, so its state does not count for health. */
  readonly firstReply: Connection;
  private readonly attempts = new ConnectAttempts();
  /** Whether handlers reply, so that the connection for it counts. */
  replies = false;
  private readonly past = new Map<Connection, Past>();

  constructor(private readonly options: ConnectionPoolOptions) {
    this.publish = this.make('publish', options.prepare);
    // Answers go where their requests say, to nothing of ours.
    this.reply = this.make('reply');
    this.firstReply = this.make('first-reply');
  }

  /** The broker at the other end, as far as any connection was open. */
  get server(): Server {
    const { consume, publish, reply } = this;
    // Asked for replies: without a list of the three.
    if (consume && consume.server !== NO_SERVER) return consume.server;
    return reply.server === NO_SERVER ? publish.server : reply.server;
  }

  /** From now on there is one for consuming. */
  forConsuming(): Connection {
    this.consume = this.make('consume', this.options.prepare);
    return this.consume;
  }

  /** Resolves when all that are needed are open; see Connection.opened. */
  async opened(timeout: number | undefined): Promise<void> {
    await Promise.all(this.needed().map((one) => one.opened(timeout)));
  }

  status(): ConnectionStatus[] {
    return this.needed().map((one) => {
      const { blockedSince, notOpenSince, lastError } = this.past.get(one) as Past;
      const { name, state, blocked } = one;
      const shown = (moment: number | undefined): number | undefined =>
        moment === undefined ? undefined : onWall(this.options.clock, moment);
      return {
        name,
        state,
        blocked,
        lastError,
        blockedSince: shown(blockedSince),
        notOpenSince: shown(notOpenSince),
      };
    });
  }

  /** Closes all. Always settles. */
  async close(): Promise<void> {
    const { consume, publish, reply, firstReply } = this;
    const open = [consume, publish, reply, firstReply].filter((one) => one !== undefined);
    await Promise.all(open.map((one) => one.close()));
    // A caller that has just got the error of its publish can handle it before the process may end.
    await new Promise((resolve) => setImmediate(resolve));
  }

  private needed(): Connection[] {
    const { consume, publish, reply, replies: answers } = this;
    return [...(consume ? [consume] : []), publish, ...(answers ? [reply] : [])];
  }

  private make(role: Role, prepare?: ConnectionPoolOptions['prepare']): Connection {
    const { settings, clock, events } = this.options;
    const { service, connectTimeout, reconnect, url, credentials, tls, heartbeat, logger } = settings;
    const name = `${service}:${role}`;
    const report = connectionLog(name, logger, events, clock);
    const past: Past = { notOpenSince: clock.monotonic(), opened: false };
    const made = new Connection({
      onChannel: this.options.onChannel,
      prepare,
      attempts: this.attempts,
      name,
      connectTimeout,
      reconnect,
      url,
      credentials,
      tls,
      heartbeat,
      clock,
      onEvent: (event) => {
        this.note(past, event);
        report(event);
        if (event.kind === 'unblocked') this.options.onUnblocked();
      },
    });
    this.past.set(made, past);
    return made;
  }

  private note(past: Past, event: ConnectionEvent): void {
    const { clock, counters } = this.options;
    switch (event.kind) {
      case 'open':
        if (past.opened) counters.reconnects++;
        past.opened = true;
        past.notOpenSince = past.lastError = undefined;
        return;
      case 'lost':
        counters.connectionsLost++;
        past.notOpenSince = clock.monotonic();
        past.blockedSince = undefined;
        past.lastError = printable(event.reason);
        return;
      case 'refused':
        past.lastError = printable(describeError(event.error));
        return;
      case 'blocked':
        past.blockedSince ??= clock.monotonic();
        return;
      case 'unblocked':
        past.blockedSince = undefined;
    }
  }
}
