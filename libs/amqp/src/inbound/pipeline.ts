// From a delivery to its verdict: the steps of order.ts around the handler, put together once per
// handler at start. A step that has nothing to do for a handler leaves itself out.

import { OutcomeSignal } from '../model/signals.js';
import { ACK, OPEN, type Verdict } from '../model/verdict.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { order } from './order.js';
import type { HandlerRoom, Run } from './step.js';
import { isItems, lastOf } from './streamed-answer.js';

/** The whole way of one handler. */
export function pipeline(room: HandlerRoom): Run {
  return order.reduceRight<Run>((next, step) => step(room)(next), invoke(room.plan));
}

/** The innermost: calls the handler; a value is success, a signal an outcome. */
function invoke(plan: HandlerPlan): Run {
  const { handle } = plan.registration;
  const done: Verdict = plan.ack === 'manual' ? OPEN : ACK;
  return async (delivery) => {
    let value: unknown = await handle(delivery);
    if (plan.rpc && !delivery.run.streamed && isItems(value)) value = await lastOf(value, delivery);
    if (value instanceof OutcomeSignal) throw value;
    return value === undefined || plan.ack === 'manual' ? done : { kind: 'ack', value };
  };
}
