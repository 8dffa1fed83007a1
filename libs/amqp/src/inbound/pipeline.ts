// From a delivery to its verdict: the steps of order.ts around the handler, put together once per
// handler at start. A step that has nothing to do for a handler leaves itself out.

import { OutcomeSignal } from '../model/signals.js';
import { ACK, OPEN, type Verdict } from '../model/verdict.js';
import type { Clock } from '../model/clock.js';
import type { Deadlines } from '../model/deadlines.js';
import type { Delivery } from '../model/delivery.js';
import type { BrokerLogger } from '../model/logger.js';
import type { Outlet } from '../model/outlet.js';
import type { RemoteErrorFacts } from '../model/codec.js';
import type { Settings } from '../model/settings.js';
import type { Events } from '../observe/events.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { order } from './order.js';

/** Takes a delivery to its verdict. Never rejects once `observe` is around it. */
export type Run = (delivery: Delivery) => Promise<Verdict>;

/** One idea around a handler: gets what comes after it and returns itself around that. */
export type Step = (handler: HandlerRoom) => (next: Run) => Run;

/** What steps may use. One per handler. */
export interface HandlerRoom {
  readonly plan: HandlerPlan;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly outlet: Outlet;
  readonly events: Events;
  readonly logger: BrokerLogger;
  /** What may be told to a remote caller about an error, when the application knows better. */
  readonly remoteError: ((error: unknown) => RemoteErrorFacts | undefined) | undefined;
}

/** The whole way of one handler. */
export function pipeline(room: HandlerRoom): Run {
  return order.reduceRight<Run>((next, step) => step(room)(next), invoke(room.plan));
}

/** The innermost: calls the handler; a value is success, a signal an outcome. */
function invoke(plan: HandlerPlan): Run {
  const { handle } = plan.registration;
  const done: Verdict = plan.ack === 'manual' ? OPEN : ACK;
  return async (delivery) => {
    const value: unknown = await handle(delivery);
    if (value instanceof OutcomeSignal) throw value;
    return value === undefined || plan.ack === 'manual' ? done : { kind: 'ack', value };
  };
}
