// Services, their instances, and calls in progress.

import type { Answer, InstanceRef } from './answers.js';

/** `GET api/services`. */
export interface ServicesAnswer extends Answer {
  readonly services: readonly ServiceRow[];
  /** Whether all instances answered that answered during the last minute. */
  readonly complete: boolean;
}

/** All instances with the same option `service`. */
export interface ServiceRow {
  readonly service: string;
  /** In the order of their start times. */
  readonly instances: readonly InstanceRow[];
}

/** One broker object of a process. */
export interface InstanceRow extends InstanceRef {
  /** Version of Warren. */
  readonly version: string;
  readonly applicationVersion: string | null;
  readonly startedAt: number;
  /** Whether it is this process. */
  readonly here: boolean;
  /** `running`, `closing`, `missing` (it answered during the last minute, and not now), or `failed` (its answer cannot be read). */
  readonly state: 'running' | 'closing' | 'missing' | 'failed';
  /** With `failed`: why. */
  readonly error: string | null;
  /** What it tells of itself; null when `missing` or `failed`. */
  readonly info: InstanceInfo | null;
}

/** What an instance tells of itself. */
export interface InstanceInfo {
  readonly connections: readonly {
    readonly name: string;
    readonly state: 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';
    /** The broker takes no messages for now (an alarm of memory or disk). */
    readonly blocked: boolean;
  }[];
  readonly consumers: readonly {
    readonly queue: string;
    readonly ready: boolean;
    readonly inFlight: number;
  }[];
  /** Ids of its handlers. */
  readonly handlers: readonly string[];
  readonly publishing: { readonly unconfirmed: number; readonly waiting: number };
  /** Messages that it holds until a retry or a delayed publish is due. */
  readonly waiting: number;
  /** Calls of its own that are not answered yet. */
  readonly pendingCalls: number;
  readonly plugins: readonly string[];
}

/** `GET api/calls`. Calls that instances with a board wait for, the oldest first, at most 500. */
export interface CallsAnswer extends Answer {
  readonly calls: readonly CallRow[];
  /** All of them. */
  readonly total: number;
}

/** A call that is not answered yet. */
export interface CallRow {
  /** Its message id; null for idempotent ones, whose id is a secret. */
  readonly id: string | null;
  readonly kind: 'request' | 'stream' | 'gather';
  /** `sent`: it waits for the answer. `unsent`: the request waits to be sent, since the broker is away or blocked. */
  readonly state: 'sent' | 'unsent';
  readonly exchange: string;
  /** Pattern of the call; the queue, when `exchange` is ''. */
  readonly pattern: string;
  /** Who waits. */
  readonly from: InstanceRef;
  /** Services that have a handler for it, as far as known. */
  readonly to: readonly string[];
  /** When it began. */
  readonly since: number;
  /** When its caller gives up; null for streams without a limit. */
  readonly deadline: number | null;
}
