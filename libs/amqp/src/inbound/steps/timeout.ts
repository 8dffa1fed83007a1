// Ends the wait for a handler that runs too long: its signal aborts, and the message goes the way of a
// throw. What the handler returns later changes nothing any more.

import { HandlerTimeoutError } from '../../model/errors.js';
import type { Verdict } from '../../model/verdict.js';
import type { Step } from '../step.js';

export const timeout: Step = (room) => (next) => {
  const { plan, deadlines, logger, clock } = room;
  const limit = plan.timeout;
  if (limit === undefined) return next;
  return (delivery) =>
    new Promise<Verdict>((resolve, reject) => {
      const error = new HandlerTimeoutError(plan.id, limit);
      let late = false;
      delivery.deadline = Math.min(delivery.deadline ?? Infinity, clock.now() + limit);
      const deadline = deadlines.set(limit, () => {
        late = true;
        delivery.abort(error);
        reject(error);
      });
      next(delivery).then(
        (verdict) => {
          deadlines.clear(deadline);
          if (late)
            logger.warn(`${plan.id} returned after its timeout of ${limit} ms; the result was not used`);
          resolve(verdict);
        },
        (failure: Error) => {
          deadlines.clear(deadline);
          reject(failure);
        },
      );
    });
};
