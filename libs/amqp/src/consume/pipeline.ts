// From a delivery to its verdict: the steps around the handler, put together once per handler at start. A step that has nothing to do for a handler leaves itself out.

import type { Step, HandlerContext, Run } from './step.js';
import { decode } from './steps/decode.js';
import { observe } from './steps/observe.js';
import { retry } from './steps/retry.js';
import { timeout } from './steps/timeout.js';
import { itemsIn, lastOf, unrun } from '../message/items.js';
import { OutcomeSignal, Reject } from '../errors/signals.js';
import { ACK, OPEN, type Verdict } from '../message/delivery.js';
import type { MaybePromise } from '../runtime/maybe-promise.js';
import type { HandlerPlan } from '../topology/handler-plan.js';

// The steps every delivery goes through, outermost first. docs/lifecycle.md draws them; a test holds the
// two together.

/** The steps of a process: observe → reply → retry → order → timeout → decode → the handler. Without calls, none replies. */
export function pipelineSteps(reply: Step = passThrough): readonly Step[] {
  return [observe, reply, retry, order, timeout, decode];
}

const passThrough: Step = () => (next) => next;

// Refuses what `orderBy` could make no key of: run out of its order it might do harm, and no retry would change it.

export const order: Step = (context) => (next) => {
  if (context.plan.registration.options.orderBy === undefined) return next;
  return (delivery) => {
    const error = delivery.run.withoutTurn;
    if (error === undefined) return next(delivery);
    return { kind: 'dead-letter', reason: 'undecodable', error };
  };
};

/** The whole way of one handler. */
export function pipeline(context: HandlerContext): Run {
  return context.steps.reduceRight<Run>((next, step) => step(context)(next), invoke(context.plan));
}

/** The innermost: calls the handler; a value is success, a signal an outcome. */
function invoke(plan: HandlerPlan): Run {
  const { handle } = plan.registration;
  const done: Verdict = plan.ack === 'manual' ? OPEN : ACK;
  const manual = plan.ack === 'manual';
  const verdict = (value: unknown): Verdict => {
    assertDone(plan, value);
    return value === undefined || manual ? done : { kind: 'ack', value };
  };
  return (delivery) => {
    const finish = (value: unknown): MaybePromise<Verdict> => {
      const items = plan.rpc && itemsIn(value);
      if (!items) return verdict(value);
      return delivery.run.streamed ? { kind: 'ack', value: items } : lastOf(items, delivery).then(verdict);
    };
    const value: unknown = handle(delivery);
    return isThenable(value) ? Promise.resolve(value).then(finish) : finish(value);
  };
}

/** A signal is no success, nor is work that was returned instead of done. @throws the signal, or Reject */
export function assertDone({ id, rpc }: HandlerPlan, value: unknown): void {
  if (value instanceof OutcomeSignal) throw value;
  const what = unrun(value);
  // That a function cannot be an answer, its caller learns from the codec.
  if (what === undefined || (rpc && typeof value === 'function')) return;
  throw Reject(`${id} returned ${what}, which was never run: its work was not done`);
}

// Handlers may return promises of any library.
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
