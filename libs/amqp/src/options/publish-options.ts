// Options of one publish, send or request, and the result of a publish.

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
  /** 0 to 255; only queues with `maxPriority` use it. Default: none. */
  readonly priority?: number | undefined;
  /** The broker drops (or dead-letters) the message when it is older. Default: none. */
  readonly expiration?: Duration | undefined;
  /** Delivers the message after this time, rounded up to two significant digits. Default: none. */
  readonly delay?: Duration | undefined;
  /** Default: a new one. */
  readonly messageId?: string | undefined;
  /** Default: none; for a request, a new one. No two requests should have the same. */
  readonly correlationId?: string | undefined;
  /** The AMQP property `type`, for consumers. Default: none. */
  readonly type?: string | undefined;
  /** Chooses the codec. Default: text/plain for strings, application/octet-stream for bytes, else application/json. */
  readonly contentType?: string | undefined;
  /** Compresses the body; consumers must support the encoding. Default: none. */
  readonly contentEncoding?: 'gzip' | 'deflate' | 'br' | undefined;
  /**
   * The AMQP property `user-id`, which the broker compares with the user of the connection, so consumers can trust it.
   * EncodeError when it is another user. Default: none.
   */
  readonly userId?: string | undefined;
  /** Rejects with UnroutableError when it is not routed to any queue. Default: true for `send`, false for `publish`. */
  readonly mandatory?: boolean | undefined;
  /** Default: the broker's `publish.timeout`. */
  readonly timeout?: Duration | undefined;
  /**
   * Sends it again, with the same messageId, when the connection is lost before the confirm: it may then arrive
   * twice. `false`: PublishOutcomeUnknownError. Default: the broker's `publish.retryUnknown`, which is false.
   */
  readonly retryUnknown?: boolean | undefined;
  /**
   * How long it is sent again, with the same messageId and growing pauses, when the broker nacks it, that is, does not
   * have it. Other messages may overtake it. Limited by `timeout`. 0: PublishNackedError at once.
   * Default: the broker's `publish.retryNacked`, which is 5 s.
   */
  readonly retryNacked?: Duration | undefined;
  /** Aborts a publish that still waits; a sent message cannot be recalled. */
  readonly signal?: AbortSignal | undefined;
  /** Encodes with this codec. Default: by content type, then by the payload's type. */
  readonly codec?: Codec | undefined;
}

/** Options of one `request`. */
export interface RequestOptions extends Omit<
  PublishOptions,
  'delay' | 'mandatory' | 'expiration' | 'retryUnknown' | 'retryNacked'
> {
  /** Validates the reply. */
  readonly schema?: StandardSchema | undefined;
  /** Error classes of the handler that are rebuilt here. Others arrive as RpcRemoteError. Default: none. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** Whether the handler may run twice: if the connection is lost, the request is sent again once. Default false. */
  readonly idempotent?: boolean | undefined;
}

/** Options of one `stream`. `timeout` is the longest time without any message; an idle server sends keep-alives. */
export interface StreamOptions extends Omit<RequestOptions, 'idempotent'> {
  /** Items that may be in transit or unread, 1 to 100000. Default 64. */
  readonly credit?: number | undefined;
}

/** Options of one `gather`. `timeout` is how long replies are collected. */
export interface GatherOptions extends Omit<RequestOptions, 'idempotent' | 'exchange'> {
  /** Number of replies after which it resolves, and the other instances are told to stop. Default: waits for the whole timeout. */
  readonly expect?: number | undefined;
}

/** The reply of one instance. */
export type Gathered<T = unknown> = { readonly value: T } | { readonly error: Error };

/** Result of a confirmed publish. */
export interface PublishReceipt {
  /** Whether at least one queue got it. For a delayed message: whether the wait queue got it. */
  readonly routed: boolean;
  /** The given id, or the generated one. */
  readonly messageId: string;
  /** How often it was sent again, if it was: its confirm was lost, so it may have arrived more than once. */
  readonly resent?: number | undefined;
  /** How often the broker nacked it before it accepted it, if it did. */
  readonly nacked?: number | undefined;
}
