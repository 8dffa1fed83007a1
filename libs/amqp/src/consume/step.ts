// What a step of the pipeline is, and what it may use.

import type { Callers } from '../rpc/server/caller-liveness.js';
import type { Calls } from '../rpc/server/active-calls.js';
import type { Clock } from '../runtime/clock.js';
import type { RemoteErrorFacts } from '../message/codecs/codec.js';
import type { Counters } from '../events/counters.js';
import type { Deadlines } from '../runtime/deadlines.js';
import type { Server } from '../message/direct-reply.js';
import type { Delivery } from '../message/delivery.js';
import type { BrokerLogger } from '../runtime/logger.js';
import type { AnswerOutlet, Outlet } from '../message/forwarder.js';
import type { Settings } from '../options/settings.js';
import type { Soon } from '../runtime/maybe-promise.js';
import type { Verdict } from '../message/verdict.js';
import type { LateRetries } from '../events/late-retries.js';
import type { Events } from '../events/emitter.js';
import type { HandlerPlan } from '../topology/handler-plan.js';

/** Takes a delivery to its verdict. Neither throws nor rejects once `observe` is around it. */
export type Run = (delivery: Delivery) => Soon<Verdict>;

/** One idea around a handler: gets what comes after it and returns itself around that. */
export type Step = (handler: HandlerRoom) => (next: Run) => Run;

/** Where deliveries come from: what tells equal queues of different places apart. */
export interface Source {
  readonly service: string;
  /** Of the broker object. */
  readonly name: string;
  /** Of the connection that is open. */
  readonly vhost: string;
  /** The broker. */
  readonly server: Server;
}

/** What steps may use. One per handler. */
export interface HandlerRoom {
  readonly source: Source;
  readonly plan: HandlerPlan;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly outlet: Outlet;
  /** For answers: a connection of their own, so that an address that kills it harms nothing else. */
  readonly answers: AnswerOutlet;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: BrokerLogger;
  readonly late: LateRetries;
  /** Calls that this process answers. */
  readonly calls: Calls;
  /** Whether callers are still there. */
  readonly callers: Callers;
  /** What may be told to a remote caller about an error, when the application knows better. */
  readonly remoteError: ((error: unknown) => RemoteErrorFacts | undefined) | undefined;
}
