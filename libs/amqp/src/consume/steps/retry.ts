// Turns a throw into what the policy says, and stops what must not reach the handler at all: bodies
// beyond the limit, and messages that killed the process again and again.

import { RabbitError } from '../../errors/errors.js';
import { tryChain } from '../../runtime/maybe-promise.js';
import { afterFailure } from '../../options/retry-policy.js';
import type { Delivery, Verdict } from '../../message/delivery.js';
import type { Settings } from '../../options/settings.js';
import type { Step } from '../step.js';

export const retry: Step = (context) => {
  const failed = (error: unknown, delivery: Delivery): Verdict =>
    afterFailure(context.plan.retry, delivery.attempt, error);
  return (next) => (delivery) => unfit(delivery, context.settings) ?? tryChain(next, delivery, same, failed);
};

const same = (verdict: Verdict): Verdict => verdict;

/** The verdict of a delivery that no handler should see, or nothing. */
export function unfit(delivery: Delivery, settings: Settings): Verdict | undefined {
  const size = delivery.message.content.length;
  if (size > settings.maxMessageBytes) {
    const error = new RabbitError(
      'WARREN_TOO_LARGE',
      `the body has ${size} bytes`,
      'send a reference to it instead, or raise maxMessageBytes',
    );
    return { kind: 'dead-letter', reason: 'too-large', error };
  }
  const error = delivery.run.poison;
  return error === undefined ? undefined : { kind: 'dead-letter', reason: 'poison', error };
}
