// What a step of the pipeline is, and what it may use.

import type { Callers } from './callers.js';
import type { Calls } from './calls.js';
import type { Clock } from '../model/clock.js';
import type { RemoteErrorFacts } from '../model/codec.js';
import type { Counters } from '../model/counters.js';
import type { Deadlines } from '../model/deadlines.js';
import type { Server } from '../model/direct-reply.js';
import type { Delivery } from '../model/delivery.js';
import type { BrokerLogger } from '../model/logger.js';
import type { AnswerOutlet, Outlet } from '../model/outlet.js';
import type { Settings } from '../model/settings.js';
import type { Soon } from '../model/soon.js';
import type { Verdict } from '../model/verdict.js';
import type { LateRetries } from '../observe/late-retries.js';
import type { Events } from '../observe/listeners.js';
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
