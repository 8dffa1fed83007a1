// The extension interface: what a plugin may be, and what it is given.

import type { BrokerStatus } from '../events/broker-status.js';
import type { BrokerEventKind, BrokerEventOf } from '../events/events.js';
import type { Codec } from '../message/codecs/codec.js';
import type { Delivery, Verdict } from '../message/delivery.js';
import type { Clock } from '../runtime/clock.js';
import type { MaybePromise } from '../runtime/maybe-promise.js';
import type { BrokerLogger } from '../runtime/logger.js';
import type { Headers, MessageProperties } from '../message/message.js';

/**
 * An extension of a broker object: a name and any of the members below. Given with the option `plugins`; the first one is
 * outermost. `publish`, `delivery` and `batch` are called once, at the start; the functions that they return run for
 * each message, so what is the same for all messages belongs outside of them.
 *
 * @example
 * const tenant: Plugin = {
 *   name: 'tenant',
 *   publish: (next) => (message) => next(message.with({ headers: { 'x-tenant': currentTenant() } })),
 * };
 */
export interface Plugin {
  /** Names it in errors, log lines and `status()`. Unique among the plugins of a broker object. */
  readonly name: string;
  /**
   * Around every message that leaves: publishes, sends, calls, replies, retries, dead letters, replays. The function that
   * it returns calls `next` exactly once and returns what that returns. What it throws before that is the error of
   * the publish, as `PluginError`; a retry, a dead letter or a replay is then sent without its changes.
   */
  publish?(next: PublishNext): PublishNext;
  /**
   * Around every attempt at a message, everything that the handler does and its reply included. `next` never rejects:
   * failures are verdicts. The function that it returns may return another verdict, without calling `next` as well.
   * What it throws fails the attempt as an error of the handler would, as `PluginError`; `Retry`, `Reject` and `Drop`
   * mean what they mean in a handler.
   */
  delivery?(next: DeliveryNext, handler: HandlerInfo): DeliveryNext;
  /** Around every run of a handler with `batch`. Without it `delivery` is around each message of the batch. */
  batch?(next: BatchNext, handler: HandlerInfo): BatchNext;
  /** Tried after those of the option `codecs` and before the built-in ones. */
  readonly codecs?: readonly Codec[];
  /** Before the broker object connects. When it throws, opening fails with `PluginError`. */
  start?(host: PluginHost): void | Promise<void>;
  /** When everything has left and the connections are closed; at most for what is left of `shutdown`. */
  stop?(): void | Promise<void>;
  /** What `broker.status().plugins` shows of it: plain data, counters for example. */
  status?(): Readonly<Record<string, unknown>>;
  /** What the log line of a failed attempt says of it, in brackets; nothing when undefined. */
  logSuffix?(delivery: Delivery): string | undefined;
  /**
   * Gets each channel of the client library before it is used: for tracing tools that know how to meet others there.
   * What a channel is may change with any version.
   */
  channel?(channel: object): void;
}

/** Sends a message on, and settles as the publish does. */
export type PublishNext = (message: PublishContext) => Promise<PublishResult>;

/** Handles a delivery: what becomes of it. */
export type DeliveryNext = (delivery: Delivery) => MaybePromise<Verdict>;

/** Handles a batch: what becomes of each delivery, in their order. */
export type BatchNext = (deliveries: readonly Delivery[]) => Promise<readonly Verdict[]>;

/**
 * What a message is sent for. `publish`: to an exchange. `send`: to a queue. `request`, `stream`, `gather`: the request of
 * a call. `reply`: a reply, or one item of a streamed one. `retry`: a failed message to its wait queue. `dead-letter`:
 * to its dead-letter queue. `replay`: from there back to its queue.
 */
export type PublishKind =
  'publish' | 'send' | 'request' | 'stream' | 'gather' | 'reply' | 'retry' | 'dead-letter' | 'replay';

/**
 * A message on its way out. Immutable: `with` returns the changed one, which is what a plugin gives to `next`. Where it
 * goes, and what the library itself needs of its properties, cannot be changed.
 */
export interface PublishContext {
  /** What it is sent for. */
  readonly kind: PublishKind;
  /** '' is the default exchange. */
  readonly exchange: string;
  /** For the default exchange: the queue. */
  readonly routingKey: string;
  /** The key of the event contract that it was published by, such as `order.{id}.created`; undefined without one. */
  readonly template: string | undefined;
  /** What the application gave, not encoded. Undefined for replies, retries, dead letters and replays. */
  readonly payload: unknown;
  /** The body. Of a retry, a dead letter or a replay it is the one that was received, as it was received. */
  readonly content: Buffer;
  /** Its AMQP properties, `headers` and `messageId` among them. */
  readonly properties: MessageProperties;
  /** The delivery that is answered, retried or dead-lettered. */
  readonly delivery: Delivery | undefined;
  /** Of a streamed reply: the number of the item, from 1. */
  readonly part: number | undefined;
  /** `request` with the option `idempotent`: whoever knows its message id may get the stored reply, so do not show it. */
  readonly idempotent: boolean;
  /** The same message with changes. Throws `EncodeError` for what cannot go over the wire, or is too large. */
  with(changes: MessageChanges): PublishContext;
}

/** What a plugin may change of a message that leaves. */
export interface MessageChanges {
  readonly content?: Buffer;
  /** Merged into those of the message; `undefined` removes one. */
  readonly headers?: Headers;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly type?: string;
}

/** How a publish ended well. */
export interface PublishResult {
  /** The id that it was sent with. */
  readonly messageId: string;
  /** Whether a queue got it; true for calls, which were answered. */
  readonly routed: boolean;
  /** How often it was sent again since the connection was lost before its confirm. Default 0. */
  readonly resent?: number;
  /** How often the broker nacked it before. Default 0. */
  readonly nacked?: number;
  /** `request`: the decoded reply. A plugin may return another one. */
  readonly value?: unknown;
  /** `gather`: number of replies. `stream`: number of items that were received. */
  readonly replies?: number;
}

/** The handler that a plugin is around. */
export interface HandlerInfo {
  /** As in logs and events: `OrderHandlers.place`. */
  readonly id: string;
  /** The option `service`. */
  readonly service: string;
  /** Which decorator it has. */
  readonly kind: 'consume' | 'subscribe' | 'rpc';
  /** The queue that it consumes. */
  readonly queue: string;
  /** The queue ends with its connection: `broadcast`. */
  readonly temporary: boolean;
  /** Its routing keys or patterns, without those of a queue that is consumed by name. */
  readonly patterns: readonly string[];
  /** It gets batches. */
  readonly batch: boolean;
  /** Maximum number of attempts. */
  readonly attempts: number;
  /** Where its failures end, if anywhere. */
  readonly deadQueue: string | undefined;
  /** The handler's option `plugins[name]` for this plugin. */
  readonly options: unknown;
}

/** What a plugin gets when it starts. */
export interface PluginHost {
  /** The option `service`. */
  readonly service: string;
  /** Of the broker object: `default`, or the name of the connection. */
  readonly connection: string;
  /** `wall()`, `monotonic()` and `after(ms, callback)`: the machine's time, in tests that move it the time of the test. */
  readonly clock: Clock;
  /** The application's logger. Never throws. */
  readonly logger: BrokerLogger;
  /** Calls `listener` for events of these kinds, or of all; returns a function that removes it. */
  on<K extends BrokerEventKind>(
    listener: (event: BrokerEventOf<K>) => void,
    kinds?: readonly K[],
  ): () => void;
  /** As `broker.status()`. */
  status(): BrokerStatus;
  /** Answers questions of other processes, as `broker.fleet.answer` does. Without the option `fleet` none arrives. */
  readonly fleet: {
    answer(kind: string, handler: FleetHandler): () => void;
  };
  /** What the broker object declares: its own exchanges and queues, those of its handlers included. */
  readonly topology: { readonly exchanges: readonly string[]; readonly queues: readonly string[] };
}

/** A question, as its handler sees it. */
export interface FleetQuestion {
  readonly kind: string;
  /** The service that asks, as its property `appId` says. */
  readonly from: string | undefined;
  /** The user that asks, if the question names it: verified by the broker. */
  readonly userId: string | undefined;
  /** How long the asker waits for the answer, in ms. */
  readonly timeout: number;
  /** Aborts when that time is over. */
  readonly signal: AbortSignal;
}

/**
 * Answers a question of another process. The payload may be anything that is JSON. The value that it returns is sent as
 * JSON; when it throws, the asker learns only that it failed.
 */
export type FleetHandler = (payload: unknown, question: FleetQuestion) => unknown;

/**
 * Options of handlers for plugins, by the name of the plugin. A plugin's package adds its own by declaration merging:
 * `declare module '@warren/amqp' { interface HandlerPluginOptions { opentelemetry?: ... } }`.
 */
export interface HandlerPluginOptions {
  readonly [plugin: string]: unknown;
}
