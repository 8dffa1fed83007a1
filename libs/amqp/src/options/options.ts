// The types of all options. Defaults and checks are in option-table.ts, from which docs/options.md is
// generated; settings.ts turns options into the values the code works with.

import type { CredentialsOption, FleetOptions, TlsOptions, UrlOption } from './connection-options.js';
import type { Duration } from './duration.js';
import type { FlowOptions } from './rate.js';
import type { Codec } from '../message/codecs/codec.js';
import type { HeaderMatch } from '../message/headers.js';
import type { Headers } from '../message/message.js';
import type { OrderBy } from './order-by.js';
import type { StandardSchema } from '../message/schema.js';
import type { BrokerLogger } from '../runtime/logger.js';
import type { HandlerPluginOptions, Plugin } from '../plugins/plugin.js';

/** Constructors, for `retry.on` and `retry.not`. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** Delays that grow up to `max`: each is the previous one times `factor` (above 1), or plus `step`. */
export type GrowingDelays =
  | {
      /** Delay before the second attempt. */
      readonly first: Duration;
      /** Each delay is the previous one times this number, which is above 1. */
      readonly factor: number;
      /** Longest delay. */
      readonly max: Duration;
    }
  | {
      /** Delay before the second attempt. */
      readonly first: Duration;
      /** Each delay is the previous one plus this. */
      readonly step: Duration;
      /** Longest delay. */
      readonly max: Duration;
    };

/** Retry policy for errors of handlers. */
export interface RetryOptions {
  /** Maximum number of attempts, the first included. Default 5. */
  readonly attempts?: number | undefined;
  /**
   * Delays before the second, third, ... attempt: one for all, an array whose last one repeats, or growing ones, as
   * `{ first, factor, max }` or `{ first, step, max }`. Default 1s, 5s, 30s, 2m.
   */
  readonly delays?: Duration | readonly Duration[] | GrowingDelays | undefined;
  /** Whether each delay varies by up to 20 %, so that failures are not retried all at once. Default true. */
  readonly jitter?: boolean | undefined;
  /** Only these errors are retried; others are dead-lettered at once. Default: all. */
  readonly on?: readonly ErrorClass[] | undefined;
  /** These errors are dead-lettered at once. Default: none. */
  readonly not?: readonly ErrorClass[] | undefined;
}

/** Type of named durable queues: replicated, classic, or the broker's default. */
export type QueueType = 'quorum' | 'classic' | 'default';

/** `create` declares it, `check` only checks that it exists (with any arguments), `skip` does nothing. */
export type DeclareMode = 'create' | 'check' | 'skip';

/** How long replies are kept for repeated requests, and where. */
export interface IdempotentOptions {
  /** How long a reply is kept. */
  readonly ttl: Duration;
  /** Default: the memory of this process, at most 10000 replies and 16 MiB. */
  readonly store?: ReplyStore | undefined;
}

/** Stores replies by key, for all instances. If it throws or takes longer than 2 s, that is logged, and the handler runs. */
export interface ReplyStore {
  /** The reply stored for this key; undefined when there is none, or its time is over. */
  get(key: string): StoredReply | undefined | Promise<StoredReply | undefined>;
  /** Stores the reply for `ttlMs` milliseconds. */
  set(key: string, reply: StoredReply, ttlMs: number): void | Promise<void>;
}

/** A reply as it was sent. */
export interface StoredReply {
  /** Body of the reply. */
  readonly content: Buffer;
  /** Content type of the reply; undefined when it has none. */
  readonly contentType: string | undefined;
  /** Digest of the request, 43 characters. A store must return it; another request with the same id is refused. */
  readonly request: string;
}

/** Which messages are dead-lettered besides those that a handler fails on. */
export interface DeadLetterOptions {
  /**
   * Whether queues are declared so that the broker dead-letters to `<queue>.dead` what it would drop: messages that were
   * returned too often (RabbitMQ 4: 20 times) or expired, and the oldest of a full queue. `false`: the queue gets no
   * arguments for it, for queues that other programs declare as well. Default true.
   */
  readonly broker?: boolean | undefined;
}

/** What log lines have. */
export interface LogOptions {
  /** Which failed attempts are logged with a stack; dead letters always have it. Default: the first and the last. */
  readonly stack?: 'first-and-last' | 'every' | 'never' | undefined;
}

/** Options of RPC, for callers and servers. */
export interface RpcOptions {
  /** How long a caller waits by default. Default 10s. */
  readonly timeout?: Duration | undefined;
  /** `direct`: RabbitMQ's direct reply-to; `queue`: an exclusive reply queue of this process. Default `direct`. */
  readonly reply?: 'direct' | 'queue' | undefined;
  /** Whether callers get the message of errors that are neither RpcException nor HttpException. Default false. */
  readonly exposeErrors?: boolean | undefined;
  /** Maximum number of pending calls. Default 10000. */
  readonly maxPending?: number | undefined;
  /**
   * Where replies may go besides direct reply-to and queues that only their caller reads: those of this library
   * (`<service>.replies.<random>`) and those that RabbitMQ named (`amq.gen-...`). Prefixes of queue names, or `any`
   * queue except the one the request came from: then any caller can have messages written to queues that it may not write
   * to itself. Default: none.
   */
  readonly replyTo?: 'any' | readonly string[] | undefined;
}

/** Defaults of `publish` and `send`, and the buffer for messages while the broker is unreachable or blocked. */
export interface PublishDefaults {
  /** Default true: messages survive a restart of the broker in durable queues. */
  readonly persistent?: boolean | undefined;
  /** Time within which the promise settles. Default 10s. */
  readonly timeout?: Duration | undefined;
  /**
   * Whether a publish is sent again, with the same messageId, when the connection is lost before the confirm:
   * it may then arrive twice. Default false: such a publish rejects with PublishOutcomeUnknownError.
   */
  readonly retryUnknown?: boolean | undefined;
  /**
   * How long a publish is sent again, with growing pauses, when the broker nacks it: a quorum queue does so while it elects
   * a leader, for a second or two, a full queue with `overflow: reject-publish` until it has space. Limited by
   * the publish's timeout. 0: PublishNackedError at once. Default 5s.
   */
  readonly retryNacked?: Duration | undefined;
  /**
   * Limits of the publish buffer. Default 10000 messages, 64 MiB. On RabbitMQ 3 what is sent to a stream that this process
   * declares has a channel, and a buffer with these limits, of its own.
   */
  readonly buffer?:
    | {
        /** Maximum number of messages. Default 10000. */
        readonly messages?: number | undefined;
        /** Maximum size of their bodies, in bytes. Default 64 MiB. */
        readonly bytes?: number | undefined;
      }
    | undefined;
}

/** Options of a broker connection. All have defaults. */
export interface BrokerOptions {
  /** Default: the environment variable RABBITMQ_URL, else amqp://guest:guest@localhost:5672. */
  readonly url?: UrlOption | undefined;
  /** Names the connections; first part of generated queue names. Default: the application's package name. */
  readonly service?: string | undefined;
  /** Durable topic exchange of `subscribe` and `publish`. Default `events`. */
  readonly exchange?: string | undefined;
  /** Type of named durable queues. Default `quorum`. */
  readonly queueType?: QueueType | undefined;
  /** Unacked messages per consumer, 1 to 65535. Default 32. */
  readonly prefetch?: number | undefined;
  /** Handlers running at once per consumer. Default: the prefetch. */
  readonly concurrency?: number | undefined;
  /** Retry policy. Default: 5 attempts after 1s, 5s, 30s, 2m with jitter. `false`: dead-letter at once. */
  readonly retry?: RetryOptions | false | undefined;
  /** Dead letters of all handlers that have them. */
  readonly deadLetter?: DeadLetterOptions | undefined;
  /** Calls: timeouts, limits, where replies may go. Defaults: see its members. */
  readonly rpc?: RpcOptions | undefined;
  /** Defaults of `publish` and `send`, and limits of the publish buffer. Defaults: see its members. */
  readonly publish?: PublishDefaults | undefined;
  /** `require`: opening fails when the broker is not reachable in time. `background`: it keeps trying. Default `require`. */
  readonly startup?: 'require' | 'background' | undefined;
  /** How long `startup: 'require'` tries. Default 30s. */
  readonly startupTimeout?: Duration | undefined;
  /** How long running handlers may take to finish when closing. Default 10s. */
  readonly shutdown?: Duration | undefined;
  /** `false`: this process only publishes. Default true. */
  readonly consumers?: boolean | undefined;
  /** What log lines have. */
  readonly log?: LogOptions | undefined;
  /** Where log lines go: `log`, `warn`, `error`, and `debug` if there is one. Default: the console, or Nest's logger. */
  readonly logger?: BrokerLogger | undefined;
  /** Additional codecs, tried before the built-in ones. */
  readonly codecs?: readonly Codec[] | undefined;
  /** Extensions, the outermost first: objects with a name and functions around publishes and deliveries. */
  readonly plugins?: readonly Plugin[] | undefined;
  /**
   * Whether this process answers questions that are published to the exchange `warren.control`: what it runs, what its
   * journal knows of a message. It costs an exclusive queue and a channel. Whoever may publish there may ask. Default false.
   */
  readonly fleet?: boolean | FleetOptions | undefined;
  /**
   * Whether messages that a handler sends carry the correlation id of the message that it handles, and in `x-causation-id`
   * its message id. Default true.
   */
  readonly correlation?: boolean | undefined;
  /** Headers that every message takes over from the one that is being handled when it is sent. Default: none. */
  readonly propagate?: readonly string[] | undefined;
  /** Options of TLS, for `amqps:` URLs. Default: Node's. */
  readonly tls?: TlsOptions | undefined;
  /** User and password, or a function that returns them for each connect. Default: those of the URL. */
  readonly credentials?: CredentialsOption | undefined;
  /** Interval; after two missed heartbeats the connection counts as lost. Default 10s; 0 disables them. */
  readonly heartbeat?: Duration | undefined;
  /** How long one attempt to connect may take. Default 5s. */
  readonly connectTimeout?: Duration | undefined;
  /**
   * Delays between attempts to connect: doubled from `min` to `max`, each randomly between half and all of it. While the
   * broker is unreachable one connection tries, and the others follow as soon as it succeeds. Default 200ms to 1s.
   */
  readonly reconnect?:
    | {
        /** Shortest delay. Default 200ms. */
        readonly min?: Duration | undefined;
        /** Longest delay. Default 1s. */
        readonly max?: Duration | undefined;
      }
    | undefined;
  /**
   * How often consumers and topology are checked: a consumer that stopped silently is restarted, and one that has not been
   * ready for a minute is reported. Exchanges, queues and bindings that were deleted are declared again. Default 10s;
   * 0: never.
   */
  readonly watchdog?: Duration | undefined;
  /** Larger bodies are not sent, and dead-lettered undecoded when received. In bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * Maximum decompressed size of a body in bytes; above 1 MiB also at most 200 times its own size. Larger bodies are
   * dead-lettered undecoded. Default 4 MiB.
   */
  readonly maxUnfoldedBytes?: number | undefined;
  /**
   * Total bytes of the bodies that the handlers of one consumer work on at the same time; a compressed one counts with its
   * maximum decompressed size. Other messages wait until handlers are done, regardless of `concurrency`; a single body may
   * be larger. Batches are split to fit. Default 128 MiB.
   */
  readonly maxDecodedBytes?: number | undefined;
  /** Maximum number of objects and arrays in a JSON body; larger ones are dead-lettered undecoded. Default 100000. */
  readonly maxJsonContainers?: number | undefined;
  /**
   * RabbitMQ's `consumer_timeout`, how long a consumer may hold a message: handlers that may run longer are a boot error,
   * since the broker would deliver the message again meanwhile. Default 30m, like RabbitMQ; 0: no limit.
   */
  readonly consumerTimeout?: Duration | undefined;
}

/** An exchange by name (must exist), or with its properties (is declared). */
export type ExchangeOption = string | ExchangeOptions;

/** An exchange to declare. */
export interface ExchangeOptions {
  /** Name of the exchange. */
  readonly name: string;
  /** `direct`, `fanout`, `topic`, `headers`, or a plugin's type such as `x-consistent-hash`. Default `topic`. */
  readonly type?: 'direct' | 'fanout' | 'topic' | 'headers' | (string & {}) | undefined;
  /** Default true. */
  readonly durable?: boolean | undefined;
  /** Default false. */
  readonly autoDelete?: boolean | undefined;
  /** Only other exchanges may publish to it. Default false. */
  readonly internal?: boolean | undefined;
  /** The exchange that gets messages which this exchange cannot route. */
  readonly alternateExchange?: string | undefined;
  /** Other arguments of the declaration (`x-...`). Default: none. */
  readonly arguments?: Headers | undefined;
  /** Whether it is declared, only checked, or neither. Default `create`. */
  readonly declare?: DeclareMode | undefined;
}

/** A queue to declare without a handler (`forFeature`), or the queue part of a handler's options. */
export interface QueueOptions {
  /** Name of the queue, at most 255 bytes. */
  readonly name: string;
  /** `quorum`, `classic`, `stream`, or `default`, which leaves it to the broker. Default: the connection's `queueType`. */
  readonly queueType?: QueueType | 'stream' | undefined;
  /** Whether it survives a restart of the broker; `false` makes it a classic queue. Default true. */
  readonly durable?: boolean | undefined;
  /** Makes it a priority queue with priorities up to this, 1 to 255; classic queues only. Default: none. */
  readonly maxPriority?: number | undefined;
  /** How long messages stay in it; then the broker dead-letters or drops them. Default: no limit. */
  readonly messageTtl?: Duration | undefined;
  /** Maximum number of messages; the oldest are dead-lettered or dropped. Default: no limit. */
  readonly maxLength?: number | undefined;
  /** Only one consumer at a time is active; the next takes over when it leaves. Default false. */
  readonly singleActive?: boolean | undefined;
  /** Other arguments of the declaration (`x-...`), as another program declared them. Default: none. */
  readonly arguments?: Headers | undefined;
  /** Whether it is declared, only checked, or neither. Default `create`. */
  readonly declare?: DeclareMode | undefined;
}

/** A binding: which messages a queue (or exchange) receives from an exchange. */
export interface BindingOptions {
  /** The exchange: a name (it must exist), or its properties to declare it. */
  readonly exchange: ExchangeOption;
  /** One routing key or pattern. Default: '' (fanout, headers). */
  readonly key?: string | undefined;
  /** Several routing keys or patterns, instead of `key`. Default: none. */
  readonly keys?: readonly string[] | undefined;
  /** For headers exchanges: all or any of these headers. */
  readonly match?: HeaderMatch | undefined;
}

/** A binding without a handler (`forFeature`). */
export interface FreeBindingOptions extends BindingOptions {
  /** The queue that receives, or ... */
  readonly queue?: string | undefined;
  /** ... the exchange that receives. */
  readonly to?: string | undefined;
}

/** Options of a handler. Which of them apply depends on the kind of handler; see docs/options.md. */
export interface HandlerOptions extends FlowOptions {
  /** Queue it consumes. Default: what the decorator names; `@Subscribe`: `<service>.<Class>.<method>`. */
  readonly queue?: string | undefined;
  /** Exchange to which the patterns are bound: a name, or its properties to declare it. Default: the connection's `exchange` for `@Subscribe`; none for others. */
  readonly exchange?: ExchangeOption | undefined;
  /** Bindings of its queue, besides those of the decorator. Default: none. */
  readonly bindings?: readonly BindingOptions[] | undefined;
  /** Type of its queue; `default` leaves it to the broker. Default: the connection's `queueType`; `classic` for RPC. */
  readonly queueType?: QueueType | 'stream' | undefined;
  /** Whether its queue survives a restart of the broker; `false` makes it a classic queue. Default true. */
  readonly durable?: boolean | undefined;
  /** Unacked messages of this consumer, 1 to 65535. Default: the connection's, which is 32. */
  readonly prefetch?: number | undefined;
  /** Handlers of this consumer that run at once, at most the `prefetch`. Default: the connection's, else the `prefetch`. */
  readonly concurrency?: number | undefined;
  /**
   * Messages with the same key run one after the other, others concurrently. Not with `ack: 'none'` or `batch`. A failed
   * message that waits for its next attempt is overtaken. Default: no order.
   */
  readonly orderBy?: OrderBy | undefined;
  /**
   * `auto`: acked when the handler returns. `manual`: the handler settles. `none`: the broker removes it on delivery; when
   * 10000 messages or `maxDecodedBytes` wait for the handler, consuming pauses until half are handled. Default `auto`.
   */
  readonly ack?: 'auto' | 'manual' | 'none' | undefined;
  /** Retry policy for errors of this handler; `false` dead-letters at once. Default: the connection's; `false` for RPC. */
  readonly retry?: RetryOptions | false | undefined;
  /**
   * `false`: messages that fail for good are dropped with an error in the log instead of being dead-lettered.
   * `{ broker: false }`: they are dead-lettered, but messages that the broker drops are not. Default true; false for RPC.
   */
  readonly deadLetter?: boolean | DeadLetterOptions | undefined;
  /** Maximum run time of the handler; then its signal aborts and the run counts as failed. Default: none. */
  readonly timeout?: Duration | undefined;
  /** The handler gets up to `size` messages at once, at most `wait` after the first. Default: one message at a time. */
  readonly batch?:
    | {
        /** Maximum number of messages, 1 to 65535. Raises the connection's `prefetch`; above the handler's own: a boot error. */
        readonly size: number;
        /** How long it waits for more messages after the first. Default 1s. */
        readonly wait?: Duration | undefined;
      }
    | undefined;
  /** Makes its queue a priority queue with priorities up to this, 1 to 255; classic queues only. Default: none. */
  readonly maxPriority?: number | undefined;
  /** How long messages stay in its queue; then they are dead-lettered. Default: no limit. */
  readonly messageTtl?: Duration | undefined;
  /** Maximum number of messages in its queue; the oldest are dead-lettered. Default: no limit. */
  readonly maxLength?: number | undefined;
  /** Only one consumer at a time is active; the next takes over when it leaves. Default false. */
  readonly singleActive?: boolean | undefined;
  /** Consumer priority: higher gets messages first. Default 0. */
  readonly priority?: number | undefined;
  /** Reads a stream queue, from an offset. Default: the queue is no stream. */
  readonly stream?:
    | {
        /**
         * Where reading begins: `first`, `last`, `next`, a number, a Date, or a RabbitMQ interval: a number with `s`, `m`,
         * `h`, `D` (days), `M` (months) or `Y`, such as `'1h'`.
         */
        readonly offset: 'first' | 'last' | 'next' | number | Date | (string & {});
      }
    | undefined;
  /** Whether its queue is declared, only checked, or neither. Default `create`. */
  readonly declare?: DeclareMode | undefined;
  /** Validates the payload (zod, valibot, arktype and others); messages that do not fit are dead-lettered. Default: none. */
  readonly schema?: StandardSchema | undefined;
  /** Decodes (and for RPC encodes) with this codec, regardless of the content type. */
  readonly codec?: Codec | undefined;
  /** Every instance gets a copy in a classic queue of its own; nothing is kept while it is down. For RPC: callers `gather` the replies of all. */
  readonly broadcast?: boolean | undefined;
  /** RPC: error classes that are sent to callers unmasked, with their fields. Default: none. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** RPC: validates the reply. */
  readonly response?: StandardSchema | undefined;
  /** RPC: `skip` does not run a request that waited if its caller is gone. Default `run`. */
  readonly ifCallerGone?: 'run' | 'skip' | undefined;
  /** RPC: a repeated request (same message id) gets the stored reply. Default: it runs again. */
  readonly idempotent?: IdempotentOptions | undefined;
  /** Options for plugins, by the name of the plugin. */
  readonly plugins?: HandlerPluginOptions | undefined;
  /** Other arguments of its queue (`x-...`), as another program declared them. Default: none. */
  readonly arguments?: Headers | undefined;
}
