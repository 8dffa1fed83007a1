// What a user can configure, as types with their meaning. Defaults and checks are in option-table.ts,
// which also makes docs/options.md; settings.ts turns options into the numbers the code works with.

import type { Duration } from './duration.js';
import type { Codec } from '../message/codecs/codec.js';
import type { HeaderMatch } from '../message/headers.js';
import type { Headers } from '../message/message.js';
import type { OrderBy } from './order-by.js';
import type { StandardSchema } from '../message/schema.js';
import type { BrokerLogger } from '../runtime/logger.js';

/** Constructors, for `retry.on` and `retry.not`. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** Waits that grow up to `max`: each is the one before times `factor` (above 1), or plus `step`. */
export type GrowingDelays =
  | { readonly first: Duration; readonly factor: number; readonly max: Duration }
  | { readonly first: Duration; readonly step: Duration; readonly max: Duration };

/** What a thrown error leads to. */
export interface RetryOptions {
  /** How often the handler may see the message in all. Default 5. */
  readonly attempts?: number | undefined;
  /**
   * Waits before the second, third, ... attempt: one for all, a list of which the last one repeats, or growing ones, as
   * `{ first, factor, max }` or `{ first, step, max }`. Default 1s, 5s, 30s, 2m.
   */
  readonly delays?: Duration | readonly Duration[] | GrowingDelays | undefined;
  /** Spread each wait by up to 20 % so that failures do not come back all at once. Default true. */
  readonly jitter?: boolean | undefined;
  /** Only these errors are tried again; others are dead-lettered at once. Default: all. */
  readonly on?: readonly ErrorClass[] | undefined;
  /** These errors are dead-lettered at once. Default: none. */
  readonly not?: readonly ErrorClass[] | undefined;
}

/** One URL, the nodes of one cluster, or a function that finds them anew for each connect. */
export type UrlOption =
  string | readonly string[] | (() => string | readonly string[] | Promise<string | readonly string[]>);

/** User and password, or a function that fetches them anew for each connect (rotating secrets). */
export type CredentialsOption = Credentials | (() => Credentials | Promise<Credentials>);

/** User name and password; wins over what the URL says. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Passed to `tls.connect` for `amqps:` URLs. Certificates are verified unless you say otherwise here. */
export interface TlsOptions {
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly pfx?: string | Buffer | undefined;
  readonly passphrase?: string | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

/** Named durable queues: replicated, plain, or whatever the broker's policy says. */
export type QueueType = 'quorum' | 'classic' | 'default';

/** `create` declares, `check` only looks that it is there (its arguments do not matter), `skip` does nothing. */
export type DeclareMode = 'create' | 'check' | 'skip';

/** How long replies are kept for repeated requests, and where. */
export interface IdempotentOptions {
  /** How long a reply is kept. */
  readonly ttl: Duration;
  /** Default: the memory of this process, 10000 replies and 16 MiB at most. */
  readonly store?: ReplyStore | undefined;
}

/** Keeps replies by key, for instances that share their answers. What it throws is logged, and the handler runs. */
export interface ReplyStore {
  get(key: string): StoredReply | undefined | Promise<StoredReply | undefined>;
  set(key: string, reply: StoredReply, ttlMs: number): void | Promise<void>;
}

/** A reply as it went out. */
export interface StoredReply {
  readonly content: Buffer;
  readonly contentType: string | undefined;
  /** Digest of the request that it answers: 43 characters. A store must hand it back; another request with the same id is refused. */
  readonly request: string;
}

/** What becomes a dead letter beside what a handler fails at. */
export interface DeadLetterOptions {
  /**
   * Whether queues are declared so that the broker dead-letters to `<queue>.dead` what it would drop: messages that came
   * back too often (RabbitMQ 4: 20 times) or expired, and the oldest of a queue that is full. `false`: the queue gets no
   * arguments for it, as for queues that other programs declare as well. Default true.
   */
  readonly broker?: boolean | undefined;
}

/** RPC, both sides. */
export interface RpcOptions {
  /** How long a caller waits unless it says otherwise. Default 10s. */
  readonly timeout?: Duration | undefined;
  /** `direct`: RabbitMQ's direct reply-to; `queue`: an exclusive reply queue of this process. Default `direct`. */
  readonly reply?: 'direct' | 'queue' | undefined;
  /** Whether callers get the message of errors that are neither RpcException nor HttpException. Default false. */
  readonly exposeErrors?: boolean | undefined;
  /** Calls that may be under way at once. Default 10000. */
  readonly maxPending?: number | undefined;
  /**
   * Where replies may go besides direct reply-to and queues that only their caller reads: those of this library
   * (`<service>.replies.<random>`) and those that RabbitMQ named (`amq.gen-...`). Beginnings of queue names, or `any`
   * queue except the one the request came from: then whoever may call also has messages written to queues that he may not
   * write to. Default: none.
   */
  readonly replyTo?: 'any' | readonly string[] | undefined;
}

/** Defaults of `publish` and `send`, and the room where they wait while the broker is away or blocked. */
export interface PublishDefaults {
  /** Default true: messages survive a restart of the broker in durable queues. */
  readonly persistent?: boolean | undefined;
  /** Until when the promise settles. Default 10s. */
  readonly timeout?: Duration | undefined;
  /**
   * Whether a publish is sent again, with the same messageId, when the connection is lost between sending and confirm:
   * it may arrive twice then. Default false: such a publish rejects with PublishOutcomeUnknownError.
   */
  readonly retryUnknown?: boolean | undefined;
  /**
   * How long a publish is sent again, with growing pauses, when the broker refuses it (nack): a quorum queue that elects
   * its leader does so for a second or two, a full queue with `overflow: reject-publish` until it has room. It ends with
   * the publish's timeout. 0: PublishNackedError at once. Default 5s.
   */
  readonly retryNacked?: Duration | undefined;
  /** Default 10000 messages, 64 MiB. */
  readonly buffer?:
    { readonly messages?: number | undefined; readonly bytes?: number | undefined } | undefined;
}

/** Options of a broker connection. All have defaults. */
export interface BrokerOptions {
  /** Default: the environment's RABBITMQ_URL, else amqp://guest:guest@localhost:5672. */
  readonly url?: UrlOption | undefined;
  /** Names the connections; first part of generated queue names. Default: the application's package name. */
  readonly service?: string | undefined;
  /** Durable topic exchange of `subscribe` and `publish`. Default `events`. */
  readonly exchange?: string | undefined;
  /** Default `quorum`. */
  readonly queueType?: QueueType | undefined;
  /** Unacked messages per consumer, 1 to 65535. Default 32. */
  readonly prefetch?: number | undefined;
  /** Handlers running at once per consumer. Default: the prefetch. */
  readonly concurrency?: number | undefined;
  /** Default: 5 attempts after 1s, 5s, 30s, 2m with jitter. `false`: dead-letter at once. */
  readonly retry?: RetryOptions | false | undefined;
  /** Dead letters of all handlers that have some. */
  readonly deadLetter?: DeadLetterOptions | undefined;
  readonly rpc?: RpcOptions | undefined;
  readonly publish?: PublishDefaults | undefined;
  /** `require`: opening fails when the broker is not there in time. `background`: it goes on trying. Default `require`. */
  readonly startup?: 'require' | 'background' | undefined;
  /** How long `startup: 'require'` tries. Default 30s. */
  readonly startupTimeout?: Duration | undefined;
  /** How long running handlers may take to finish when closing. Default 10s. */
  readonly shutdown?: Duration | undefined;
  /** `false`: this process only publishes. Default true. */
  readonly consumers?: boolean | undefined;
  readonly logger?: BrokerLogger | undefined;
  /** More codecs, asked before the built-in ones. */
  readonly codecs?: readonly Codec[] | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly credentials?: CredentialsOption | undefined;
  /** Two missed ones and the connection counts as lost. Default 10s; 0 switches them off. */
  readonly heartbeat?: Duration | undefined;
  /** How long one attempt to connect may take. Default 5s. */
  readonly connectTimeout?: Duration | undefined;
  /**
   * Waits between attempts to connect: doubled from `min` to `max`, each cut by chance to between half and all of it. While
   * the broker is away one connection tries, and the others follow as soon as it is answered. Default 200ms to 1s.
   */
  readonly reconnect?:
    { readonly min?: Duration | undefined; readonly max?: Duration | undefined } | undefined;
  /**
   * How often it is asked whether each consumer still has its queue: one that is gone without a word is brought back, and
   * one that has not been ready for a minute is reported. Exchanges, queues and bindings that somebody deleted are declared
   * again. Default 10s; 0: never.
   */
  readonly watchdog?: Duration | undefined;
  /** Bodies above this are not sent, and dead-lettered unread when they come. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * Bytes that a compressed body may unfold to; above 1 MiB also at most 200 times its own size. More is dead-lettered
   * unread. Default 4 MiB.
   */
  readonly maxUnfoldedBytes?: number | undefined;
  /**
   * Bytes that the bodies which the handlers of one consumer work on at the same time may come to; a compressed one counts
   * with what it may unfold to. A message beyond that waits until others are done, however high `concurrency` is; one alone
   * may be larger. Batches are cut so that they fit. Default 128 MiB.
   */
  readonly maxDecodedBytes?: number | undefined;
  /** Objects and arrays that a JSON body may hold: more is dead-lettered unread. Default 100000. */
  readonly maxJsonContainers?: number | undefined;
  /**
   * How long the broker lets a consumer hold a message (RabbitMQ's `consumer_timeout`): handlers that may run longer are
   * refused at boot, since the broker would deliver the message again meanwhile. Default 30m, as RabbitMQ's own; 0: for ever.
   */
  readonly consumerTimeout?: Duration | undefined;
}

/** An exchange by name (taken as it is), or with what it must look like (declared). */
export type ExchangeOption = string | ExchangeOptions;

/** An exchange to declare. */
export interface ExchangeOptions {
  readonly name: string;
  /** `direct`, `fanout`, `topic`, `headers`, or a plugin's type such as `x-consistent-hash`. Default `topic`. */
  readonly type?: 'direct' | 'fanout' | 'topic' | 'headers' | (string & {}) | undefined;
  /** Default true. */
  readonly durable?: boolean | undefined;
  /** Default false. */
  readonly autoDelete?: boolean | undefined;
  /** Only other exchanges may publish to it. Default false. */
  readonly internal?: boolean | undefined;
  /** Gets what this exchange cannot route. */
  readonly alternateExchange?: string | undefined;
  readonly arguments?: Headers | undefined;
  readonly declare?: DeclareMode | undefined;
}

/** A queue to declare without a handler (`forFeature`), or the queue part of a handler's options. */
export interface QueueOptions {
  readonly name: string;
  readonly queueType?: QueueType | 'stream' | undefined;
  readonly durable?: boolean | undefined;
  readonly maxPriority?: number | undefined;
  readonly messageTtl?: Duration | undefined;
  readonly maxLength?: number | undefined;
  readonly singleActive?: boolean | undefined;
  readonly arguments?: Headers | undefined;
  readonly declare?: DeclareMode | undefined;
}

/** What a queue (or exchange) receives from an exchange. */
export interface BindingOptions {
  readonly exchange: ExchangeOption;
  /** One routing key or pattern. Default: '' (fanout, headers). */
  readonly key?: string | undefined;
  readonly keys?: readonly string[] | undefined;
  /** For headers exchanges: all or any of these headers. */
  readonly match?: HeaderMatch | undefined;
}

/** A binding between two things named elsewhere (`forFeature`). */
export interface FreeBindingOptions extends BindingOptions {
  /** The queue that receives, or ... */
  readonly queue?: string | undefined;
  /** ... the exchange that receives. */
  readonly to?: string | undefined;
}

/** Options of a handler. Which of them make sense depends on the kind of handler; see docs/options.md. */
export interface HandlerOptions {
  readonly queue?: string | undefined;
  readonly exchange?: ExchangeOption | undefined;
  readonly bindings?: readonly BindingOptions[] | undefined;
  readonly queueType?: QueueType | 'stream' | undefined;
  readonly durable?: boolean | undefined;
  readonly prefetch?: number | undefined;
  readonly concurrency?: number | undefined;
  /**
   * Messages with the same key run one after the other, others at the same time. Needs `ack` and no `batch`. A failed one
   * that waits for its next attempt is overtaken. Default: no order.
   */
  readonly orderBy?: OrderBy | undefined;
  /**
   * `auto`: acked when the handler returns. `manual`: the handler settles. `none`: the broker forgets at delivery; when 10000
   * messages or `maxDecodedBytes` wait for the handler, the queue is not consumed until half is handled. Default `auto`.
   */
  readonly ack?: 'auto' | 'manual' | 'none' | undefined;
  readonly retry?: RetryOptions | false | undefined;
  /**
   * `false`: what fails for good is dropped with an error in the log instead of being dead-lettered. `{ broker: false }`:
   * what fails is dead-lettered, what the broker drops is not. Default true; false for RPC.
   */
  readonly deadLetter?: boolean | DeadLetterOptions | undefined;
  /** Longest run of the handler. Default: none. */
  readonly timeout?: Duration | undefined;
  /** The handler gets up to `size` messages at once, at the latest `wait` after the first. Wait default 1s. */
  readonly batch?: { readonly size: number; readonly wait?: Duration | undefined } | undefined;
  readonly maxPriority?: number | undefined;
  readonly messageTtl?: Duration | undefined;
  readonly maxLength?: number | undefined;
  /** One consumer at a time, the next takes over when it goes. */
  readonly singleActive?: boolean | undefined;
  /** Higher gets messages first. Default 0. */
  readonly priority?: number | undefined;
  /**
   * Reads a stream queue from an offset: `first`, `last`, `next`, a number, a Date, or an interval of RabbitMQ: a number
   * with `s`, `m`, `h`, `D` (days), `M` (months) or `Y`, such as `'1h'`.
   */
  readonly stream?:
    { readonly offset: 'first' | 'last' | 'next' | number | Date | (string & {}) } | undefined;
  readonly declare?: DeclareMode | undefined;
  readonly schema?: StandardSchema | undefined;
  /** Reads (and for RPC writes) with this codec whatever the content type says. */
  readonly codec?: Codec | undefined;
  /** Every instance gets its copy; nothing is kept while it is away. For RPC: callers `gather` the answers of all. */
  readonly broadcast?: boolean | undefined;
  /** RPC: error classes that callers know; they travel with their fields, unmasked. Default: none. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** RPC: checks what the handler answers. */
  readonly response?: StandardSchema | undefined;
  /** RPC: `skip` does not run a request that waited and whose caller is gone by then. Default `run`. */
  readonly ifCallerGone?: 'run' | 'skip' | undefined;
  /** RPC: a repeated request (same message id) is answered from the stored reply. Default: it runs again. */
  readonly idempotent?: IdempotentOptions | undefined;
  readonly arguments?: Headers | undefined;
}
