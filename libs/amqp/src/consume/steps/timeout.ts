// Ends the wait for a handler that runs too long: its signal aborts, and the message goes the way of a
// throw. What the handler returns later changes nothing any more; that it did is said in the log.

import { HandlerTimeoutError } from '../../errors/errors.js';
import { describeError, printable } from '../../runtime/logger.js';
import { type Delivery, named } from '../../message/delivery.js';
import type { MaybePromise } from '../../runtime/maybe-promise.js';
import type { HandlerContext, Step } from '../step.js';

export const timeout: Step = (context) => (next) => {
  if (context.plan.timeout === undefined) return next;
  return (delivery) => limited(context, [delivery], () => next(delivery));
};

/** What `work` comes to, or a HandlerTimeoutError when the handler's timeout passes first. */
export function limited<T>(
  context: HandlerContext,
  deliveries: readonly Delivery[],
  work: () => MaybePromise<T>,
): MaybePromise<T> {
  const { plan, deadlines, logger, clock } = context;
  const limit = plan.timeout;
  if (limit === undefined) return work();
  const began = clock.monotonic();
  const end = began + limit;
  for (const delivery of deliveries) delivery.run.deadline = Math.min(delivery.run.deadline ?? Infinity, end);
  return new Promise<T>((resolve, reject) => {
    let late = false;
    const deadline = deadlines.set(limit, () => {
      late = true;
      const error = new HandlerTimeoutError(plan.id, limit);
      for (const delivery of deliveries) delivery.abort(error);
      reject(error);
    });
    const ended = (how: string): void => {
      deadlines.clear(deadline);
      if (!late) return;
      const what =
        deliveries.length === 1
          ? named(deliveries[0])
          : `${deliveries.length} messages of queue '${plan.queue.name}'`;
      logger.warn(`${plan.id} ${how} after its timeout of ${limit} ms; the result was not used (${what})`);
      tellLate(context, deliveries, { timeout: limit, ms: Math.round(clock.monotonic() - began) });
    };
    startedNow(work).then(
      (value) => {
        ended('returned');
        resolve(value);
      },
      (failure: Error) => {
        ended(late ? `failed (${printable(describeError(failure))})` : 'failed');
        reject(failure);
      },
    );
  });
}

// What throws at once is no other case than what rejects later.
async function startedNow<T>(work: () => MaybePromise<T>): Promise<T> {
  return work();
}

function tellLate(
  { events, plan }: HandlerContext,
  deliveries: readonly Delivery[],
  times: { readonly timeout: number; readonly ms: number },
): void {
  if (!events.hasListeners('handler-late')) return;
  for (const delivery of deliveries) {
    events.emit({ kind: 'handler-late', handler: plan.id, queue: plan.queue.name, delivery, ...times });
  }
}
