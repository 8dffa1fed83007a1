// What can be said about one publish, send or request, and what comes back from a publish.

import type { Codec } from '../message/codecs/codec.js';
import type { Duration } from './duration.js';
import type { Headers } from '../message/message.js';
import type { ErrorClass } from './options.js';
import type { StandardSchema } from '../message/schema.js';

/** Options of one `publish`, `send`. */
export interface PublishOptions {
  /** Default: the broker's `exchange`. */
  readonly exchange?: string | undefined;
  /** Default: none. Headers exchanges route by them. */
  readonly headers?: Headers | undefined;
  /** Default: the broker's `publish.persistent`, which is true. */
  readonly persistent?: boolean | undefined;
  /** 0 to 255; only queues with `maxPriority` heed it. Default: none. */
  readonly priority?: number | undefined;
  /** The broker drops (or dead-letters) it when it is older. */
  readonly expiration?: Duration | undefined;
  /** Arrives this much later. Rounded up to two significant digits. */
  readonly delay?: Duration | undefined;
  /** Default: a new one. */
  readonly messageId?: string | undefined;
  /** Default: none; of a request, a new one. */
  readonly correlationId?: string | undefined;
  /** The AMQP property `type`, for whoever reads it. Default: none. */
  readonly type?: string | undefined;
  /** Chooses the codec. Default: text/plain for strings, application/octet-stream for bytes, else application/json. */
  readonly contentType?: string | undefined;
  /** Compresses the body. Whoever reads it must know the encoding. Default: none. */
  readonly contentEncoding?: 'gzip' | 'deflate' | 'br' | undefined;
  /**
   * The AMQP property `user-id`, which the broker holds against the user of the connection: readers can trust it.
   * EncodeError when it is another one. Default: none.
   */
  readonly userId?: string | undefined;
  /** Reject with UnroutableError when no queue wants it. Default: true for `send`, false for `publish`. */
  readonly mandatory?: boolean | undefined;
  /** Default: the broker's `publish.timeout`. */
  readonly timeout?: Duration | undefined;
  /**
   * Sends it again, with the same messageId, when the connection is lost between sending and confirm: it may arrive
   * twice then. `false`: PublishOutcomeUnknownError. Default: the broker's `publish.retryUnknown`, which is false.
   */
  readonly retryUnknown?: boolean | undefined;
  /**
   * How long it is sent again, with the same messageId and growing pauses, when the broker refuses it (nack): the broker
   * does not have it then. Others may overtake it. It ends with `timeout`. 0: PublishNackedError at once.
   * Default: the broker's `publish.retryNacked`, which is 5 s.
   */
  readonly retryNacked?: Duration | undefined;
  /** Gives up while it waits; once sent it cannot be taken back. */
  readonly signal?: AbortSignal | undefined;
  /** Encodes with this codec. Default: by content type, then by the payload's type. */
  readonly codec?: Codec | undefined;
}

/** Options of one `request`. */
export interface RequestOptions extends Omit<
  PublishOptions,
  'delay' | 'mandatory' | 'expiration' | 'retryUnknown' | 'retryNacked'
> {
  /** Validates the answer. */
  readonly schema?: StandardSchema | undefined;
  /** Error classes of the handler that are rebuilt here. Others arrive as RpcRemoteError. Default: none. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** The handler may run twice: when the connection is lost, the request is sent again, once. Default false. */
  readonly idempotent?: boolean | undefined;
}

/** Options of one `stream`. `timeout` is the longest silence; a server that only has nothing to say is not silent. */
export interface StreamOptions extends Omit<RequestOptions, 'idempotent'> {
  /** Items that may be on their way or unread, 1 to 100000. Default 64. */
  readonly credit?: number | undefined;
}

/** Options of one `gather`. `timeout` is how long answers are collected. */
export interface GatherOptions extends Omit<RequestOptions, 'idempotent' | 'exchange'> {
  /** Resolves as soon as so many answers are there. Default: waits until the time is over. */
  readonly expect?: number | undefined;
}

/** The answer of one instance. */
export type Gathered<T = unknown> = { readonly value: T } | { readonly error: Error };

/** What the broker said to a publish. */
export interface PublishReceipt {
  /** Whether at least one queue got it. For a delayed message: whether it waits. */
  readonly routed: boolean;
  /** The one given, or the new one. */
  readonly messageId: string;
  /** How often it was sent again, if it was: its confirm had been lost, so it may have arrived before as well. */
  readonly resent?: number | undefined;
  /** How often the broker refused it before it took it, if it did. */
  readonly nacked?: number | undefined;
}
