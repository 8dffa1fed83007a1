// What programs see of the fleet: the running instances of all services that have the option `fleet`.

import type { FleetHandler } from '../plugins/plugin.js';
import type { Duration } from '../options/duration.js';
import type { ConnectionState } from '../events/broker-status.js';
import type { PausedBy } from '../events/events.js';

/** One broker object of a running process. All of it is what that process says of itself. */
export interface FleetInstance {
  /** Random, another one after each start. */
  readonly id: string;
  /** The option `service`. */
  readonly service: string;
  /** The name of the connection: `default`, if it has no other. */
  readonly connection: string;
  /** Name of the machine. */
  readonly host: string;
  readonly pid: number;
  /** Version of Warren. */
  readonly version: string;
  /** The option `fleet.version`, else the environment variable `npm_package_version`, if there is one. */
  readonly applicationVersion?: string;
  /** ISO 8601, by its clock. */
  readonly startedAt: string;
}

/**
 * Why an instance has no value. `unknown`: it does not answer this kind of questions. `refused`: the question was too
 * large, or none. `failed`: its handler failed, which is in its log. `too-large`: its answer.
 */
export type FleetErrorCode = 'unknown' | 'refused' | 'failed' | 'too-large';

/** The answer of one instance. */
export type FleetAnswer<T = unknown> = { readonly from: FleetInstance } & (
  | { readonly value: T; readonly error?: undefined }
  | {
      readonly value?: undefined;
      /** A newer version of Warren may have further codes. */
      readonly error: { readonly code: FleetErrorCode | (string & {}); readonly message: string };
    }
);

/** What came of a question. */
export interface FleetAnswers<T = unknown> {
  /** One of each instance, in the order of their services and start times. */
  readonly answers: readonly FleetAnswer<T>[];
  /**
   * Whether all answered, as far as that can be known: as many as `expect` says; without it, all that answered a
   * question of this broker object during the last minute. False too when an answer could not be read.
   */
  readonly complete: boolean;
  /** Those that answered during the last minute, and not this time. */
  readonly missing: readonly FleetInstance[];
  /** Answers that were too large, or could not be read. */
  readonly unreadable: number;
}

/** Whom to ask, and for how long. */
export interface FleetAskOptions {
  /** Only instances of this service. Default: all services. */
  readonly service?: string | undefined;
  /** Only the instance with this id. */
  readonly instance?: string | undefined;
  /** How long answers are collected, at most a minute. Default 2s. */
  readonly timeout?: Duration | undefined;
  /** Number of answers after which it resolves. Default: 1 for `instance`, else it waits for the whole timeout. */
  readonly expect?: number | undefined;
  /** Aborting it ends the question with `RpcCancelledError`. */
  readonly signal?: AbortSignal | undefined;
}

/** Questions to running instances, and their answers. */
export interface Fleet {
  /** This broker object, as others see it. */
  readonly instance: FleetInstance;
  /**
   * Answers questions of this kind. The value that the handler returns must be JSON of at most 256 KiB. A kind has one
   * handler: a later one replaces it. Without the option `fleet` it is never called. Returns a function that removes it.
   */
  answer(kind: string, handler: FleetHandler): () => void;
  /**
   * Asks all instances that have the option `fleet`, this one included. It needs not have the option itself.
   *
   * @throws EncodeError (the payload is not JSON, or above 64 KiB), AccessRefusedError, RpcNotSentError,
   * RpcConnectionLostError, RpcCancelledError
   * @example
   * const { answers } = await broker.fleet.ask<FleetInfo>('info', undefined, { service: 'billing' });
   */
  ask<T = unknown>(kind: string, payload?: unknown, options?: FleetAskOptions): Promise<FleetAnswers<T>>;
}

/** What every instance answers to `info`. */
export interface FleetInfo {
  readonly handlers: readonly {
    readonly id: string;
    readonly kind: 'consume' | 'subscribe' | 'rpc';
    readonly queue: string;
    /** Where its failures end, if anywhere. */
    readonly deadQueue?: string;
  }[];
  readonly connections: readonly {
    readonly name: string;
    readonly state: ConnectionState;
    readonly blocked: boolean;
  }[];
  /** As in `broker.status()`. */
  readonly consumers: readonly {
    readonly queue: string;
    readonly ready: boolean;
    readonly inFlight: number;
    /** Who paused it; absent while it is not. */
    readonly pausedBy?: PausedBy;
  }[];
  /** Publishes that are not confirmed, or wait to be sent. */
  readonly publishing: { readonly unconfirmed: number; readonly waiting: number };
  /** Messages that wait for a retry or a delay here. */
  readonly waiting: number;
  readonly pendingCalls: number;
  readonly closing: boolean;
  /** Names of its plugins. */
  readonly plugins: readonly string[];
}
