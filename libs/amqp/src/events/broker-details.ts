// What `broker.details()` shows, as data. details.ts reads it.

import type { Headers } from '../message/message.js';
import type { StandardSchema } from '../message/schema.js';
import type { DeclareMode } from '../options/options.js';
import type { HandlerInfo } from '../plugins/plugin.js';

/** A registered handler. */
export interface HandlerDetails extends Omit<HandlerInfo, 'options'> {
  readonly prefetch: number;
  readonly concurrency: number;
  /** Where its messages come from; empty for a queue that is consumed by name. */
  readonly routes: readonly { readonly exchange: string; readonly key: string }[];
  /** The option `schema`. */
  readonly schema: StandardSchema | undefined;
}

/** An exchange that is declared. */
export interface ExchangeDetails {
  readonly name: string;
  /** Undefined for one that is taken as it is. */
  readonly type: string | undefined;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Headers;
  readonly declare: DeclareMode;
  /** The handler or module, for people. */
  readonly declaredBy: string;
}

/** A queue that is declared. */
export interface QueueDetails {
  readonly name: string;
  readonly durable: boolean;
  readonly arguments: Headers;
  /** Further arguments that it may have or not: those with which the broker dead-letters what it would drop. */
  readonly optionalArguments: Headers;
  readonly declare: DeclareMode;
  readonly declaredBy: string;
  /** Exclusive, and gone with its consumer; `name` is the first part of its name. */
  readonly temporary: boolean;
}

/** A binding that is declared. */
export interface BindingDetails {
  readonly source: string;
  readonly destination: { readonly kind: 'queue' | 'exchange'; readonly name: string };
  readonly key: string;
  readonly arguments: Headers;
  readonly declaredBy: string;
}

/** A message that this process holds until its retry or delay is due. */
export interface WaitingDetails {
  /** For `control.runNow`, as long as this process holds it. */
  readonly key: string;
  readonly kind: 'retry' | 'delay';
  /** The queue in which it waits. */
  readonly waitQueue: string;
  readonly messageId: string | undefined;
  /** Where it goes; '' is the default exchange, and `routingKey` then a queue. */
  readonly exchange: string;
  readonly routingKey: string;
  /** In milliseconds since 1970. */
  readonly due: number;
  /** Retries: number of the next attempt. */
  readonly attempt: number | undefined;
  readonly bytes: number;
}

/** What `broker.details()` returns. */
export interface BrokerDetails {
  readonly handlers: readonly HandlerDetails[];
  /** What is declared when it opens; before that, what is known by now. */
  readonly topology: {
    readonly exchanges: readonly ExchangeDetails[];
    readonly queues: readonly QueueDetails[];
    readonly bindings: readonly BindingDetails[];
  };
  /** Calls that wait for their answer, or to be sent. */
  readonly calls: readonly PendingCallDetails[];
  /** The next one first. Those due within five minutes, at most 64 of each wait queue; the others are in the broker. */
  readonly waiting: readonly WaitingDetails[];
}

/** A call that waits for its answer, or to be sent. */
export interface PendingCallDetails {
  readonly kind: 'request' | 'stream' | 'gather';
  /** Undefined for idempotent calls: whoever knows it may get the stored reply. */
  readonly messageId: string | undefined;
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether its request has left. */
  readonly sent: boolean;
  /** When it began, in milliseconds since 1970; of streams without a deadline, the second. */
  readonly since: number;
  /** When its caller gives up, in milliseconds since 1970; undefined for streams that may go on. */
  readonly deadline: number | undefined;
}
