// Refuses what `orderBy` could make no key of: run out of its order it might do harm, and no retry would change it.

import type { Step } from '../step.js';

export const order: Step = (context) => (next) => {
  if (context.plan.registration.options.orderBy === undefined) return next;
  return (delivery) => {
    const error = delivery.run.withoutTurn;
    if (error === undefined) return next(delivery);
    return { kind: 'dead-letter', reason: 'undecodable', error };
  };
};
