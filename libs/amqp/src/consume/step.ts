// What a step of the pipeline is, and what it may use.

import type { Clock, Deadlines } from '../runtime/clock.js';
import type { Counters } from '../events/events.js';
import type { Server } from '../message/direct-reply.js';
import type { Delivery, Verdict } from '../message/delivery.js';
import type { Log } from '../runtime/logger.js';
import type { MessageForwarder } from '../message/outgoing.js';
import type { Settings } from '../options/settings.js';
import type { MaybePromise } from '../runtime/maybe-promise.js';
import type { LateRetries } from '../events/late-retries.js';
import type { Events } from '../events/emitter.js';
import type { Plugins } from '../plugins/plugins.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import type { TopologyPlan } from '../topology/plan.js';

/** Takes a delivery to its verdict. Neither throws nor rejects once `observe` is around it. */
export type Run = (delivery: Delivery) => MaybePromise<Verdict>;

/** One idea around a handler: gets what comes after it and returns itself around that. */
export type Step = (handler: HandlerContext) => (next: Run) => Run;

/** Where deliveries come from: what tells equal queues of different places apart. */
export interface Source {
  readonly service: string;
  /** Of the broker object. */
  readonly name: string;
  readonly connection: {
    readonly vhost: string;
    /** The broker. */
    readonly server: Server;
  };
}

/** What steps may use. One per handler. */
export interface HandlerContext {
  readonly source: Source;
  readonly plan: HandlerPlan;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly forwarder: MessageForwarder;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: Log;
  readonly late: LateRetries;
  /** What is around the handler, outermost first. */
  readonly steps: readonly Step[];
  readonly plugins: Plugins;
  /** Undefined when no handler of this process serves calls. */
  readonly rpc: CallServer | undefined;
}

/** What serving calls adds to consuming, which does not know that there are calls. Implemented in rpc/server. */
export interface CallServer {
  /** Replies to the callers of a handler. */
  readonly step: Step;
  /** Tells the caller of a request that no handler is for it. */
  reject(handler: HandlerContext, request: Delivery, error: Error): void;
  /** Resolves when callers can reach this process. */
  start(): Promise<void>;
  /** A handler was added: callers can reach it when this resolves. Never rejects. */
  added(): Promise<void>;
  /** What must be declared only while it runs. */
  temporary(): TopologyPlan;
  /** Ends streams, which may have no end of their own. */
  stopStreams(): void;
  /** Ends it, bounded by `expired`. Always settles. */
  close(expired: Promise<void>): Promise<void>;
}
