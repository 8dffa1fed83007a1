// Handlers: what they do, in all instances.

import type { Answer, InstanceRef } from './answers.js';

/** `GET api/handlers`. */
export interface HandlersAnswer extends Answer {
  /** By service and id. At most 1000. */
  readonly handlers: readonly HandlerRow[];
  /** All of them. */
  readonly total: number;
}

/** A handler, with all instances that have it. */
export interface HandlerRow {
  /** `Orders.place`. Unique with `service`. */
  readonly id: string;
  readonly service: string;
  readonly kind: 'consume' | 'subscribe' | 'rpc';
  /** For a broadcast handler: without the part that each instance has of its own. */
  readonly queue: string;
  /** Routing keys or patterns; null when unknown. */
  readonly patterns: readonly string[] | null;
  /** Most attempts for a message; null when unknown. */
  readonly attempts: number | null;
  readonly deadQueue: string | null;
  /** Whether its payload has a schema; null when unknown. */
  readonly schema: boolean | null;
  /** Its queue on the broker; null when unknown. */
  readonly onBroker: QueueFacts | null;
  /** Whether it can be changed in all instances: one with a board says that its service has `fleet: { control: true }`. */
  readonly everywhere: boolean;
  readonly instances: readonly HandlerInstance[];
  /** Of all instances that measure (those with a board); null when none does. */
  readonly figures: HandlerFigures | null;
}

/** What the broker says of a queue. */
export interface QueueFacts {
  /** Messages that nobody has yet. */
  readonly ready: number;
  /** Messages that consumers have. */
  readonly unacked: number;
  readonly consumers: number;
  readonly type: string;
  readonly state: string;
}

/** A handler in one instance. */
export interface HandlerInstance extends InstanceRef {
  readonly here: boolean;
  /** Whether the broker has confirmed its consumer. */
  readonly ready: boolean;
  /** Since when not; null while it is, or when unknown. */
  readonly notReadySince: number | null;
  /** Why not, where known. */
  readonly lastError: string | null;
  /** Deliveries of its queue that are not settled. Handlers of one queue share the number. */
  readonly inFlight: number;
  /** What was decided for it at run time; null when unknown (a version without control, or another process without a board). */
  readonly control: HandlerControl | null;
  readonly figures: HandlerFigures | null;
}

/** What holds for a handler now. */
export interface HandlerControl {
  readonly paused: boolean;
  /** Whether it was paused in all instances, and those that start are as well. */
  readonly pausedEverywhere: boolean;
  /** `closed`: all is well. `open`: it does not consume, since a dependency fails. `half-open`: one message is tried. null: it has none. */
  readonly breaker: 'closed' | 'open' | 'half-open' | null;
  readonly prefetch: number | null;
  readonly concurrency: number | null;
  /** `100/s`; null without a limit. */
  readonly rate: string | null;
}

/** What was measured since `since`: the start of the instance, of the oldest one for a sum. */
export interface HandlerFigures {
  readonly since: number;
  /** Outcomes, all attempts. */
  readonly verdicts: Verdicts;
  /** How many attempts were first ones, second ones, ...; the tenth stands for all further ones. At most 10. */
  readonly attempts: readonly number[];
  /** During the last minute. */
  readonly lastMinute: {
    readonly perSecond: number;
    /** Attempts with an error, per second. */
    readonly failedPerSecond: number;
    /** How long the handler took, in ms; null when nothing was handled. */
    readonly took: Spread | null;
    /** How old messages were at their first attempt, in ms, by the sender's clock in whole seconds; null when unknown. */
    readonly age: Spread | null;
  };
  /** The last ten minutes, for a chart. */
  readonly history: History;
  /** The latest kinds of errors, most frequent first, at most 5. */
  readonly errors: readonly HandlerError[];
}

/** Outcomes of attempts. */
export interface Verdicts {
  readonly ack: number;
  readonly drop: number;
  readonly retry: number;
  readonly deadLetter: number;
  readonly requeue: number;
  readonly open: number;
}

/** A distribution. Within 10 %: values are counted in classes. */
export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Values in steps of equal length. All lists have the same length, at most 120. */
export interface History {
  /** Start of the first step. */
  readonly from: number;
  /** Length of a step: 5000. */
  readonly step: number;
  /** Attempts that ended, per step. */
  readonly handled: readonly number[];
  /** Of them with an error: retried or dead-lettered. */
  readonly failed: readonly number[];
  /** 95 % took at most so long, in ms; null for a step without any. */
  readonly p95: readonly (number | null)[];
}

/** A kind of error. */
export interface HandlerError {
  /** Class of the error. */
  readonly error: string;
  readonly count: number;
  readonly lastAt: number;
  /** Of the last one, at most 300 characters; '' where texts of other instances are not told. */
  readonly message: string;
}

/** `POST api/acts/handler.pause` and `handler.resume`, right `control`. */
export interface HandlerRequest {
  readonly handler: string;
  /** In all instances of the service, and in those that start later; where `HandlerRow.everywhere` says so. Default: in this process. */
  readonly everywhere?: boolean;
  /** With `everywhere`: the service. Default: that of this process. */
  readonly service?: string;
}

/** `POST api/acts/handler.prefetch` and `handler.concurrency`, right `control`. */
export interface HandlerNumberRequest extends HandlerRequest {
  /** 1 to 65 535. */
  readonly value: number;
}

/** `POST api/acts/handler.rate`, right `control`. */
export interface HandlerRateRequest extends HandlerRequest {
  /** `100/s`; null for no limit. */
  readonly value: string | null;
}

/** Answer of all acts on handlers. Handlers of one queue change together. */
export interface HandlerActAnswer {
  readonly handler: string;
  /** False when it was not in force in time: running messages take long. It still comes into force. */
  readonly inForce: boolean;
  /** What became of it in each instance; null when only this process was asked. */
  readonly everywhere: HandlerEverywhere | null;
}

/** What became of a change in all instances. `inForce` is about all of them. */
export interface HandlerEverywhere {
  readonly done: readonly InstanceRef[];
  readonly failed: readonly { readonly instance: InstanceRef; readonly reason: string }[];
  /** Those that answered a moment ago, and do not now. */
  readonly silent: readonly InstanceRef[];
}
