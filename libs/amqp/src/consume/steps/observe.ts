// Outermost: nothing leaves it but a verdict. Says in the log what failed and where it went, and tells
// listeners what was handled.

import { humanDuration } from '../../options/duration.js';
import { describeError, printable } from '../../runtime/logger.js';
import { tryChain } from '../../runtime/maybe-promise.js';
import { type Delivery, named, type Verdict } from '../../message/delivery.js';
import type { HandlerContext, Step } from '../step.js';

/** Log lines and events for one handler. */
export const observe: Step = (context) => {
  const tell = (verdict: Verdict, delivery: Delivery): Verdict => {
    report(context, delivery, verdict);
    return verdict;
  };
  // A step failed, not the handler: nothing is known, so a person has to look.
  const failed = (error: unknown, delivery: Delivery): Verdict =>
    tell({ kind: 'dead-letter', reason: 'rejected', error }, delivery);
  return (next) => (delivery) => {
    delivery.run.beganAt = context.clock.monotonic();
    return tryChain(next, delivery, tell, failed);
  };
};

/** Says what became of a delivery: the log line and the event. What the handler decided by itself is the truth. */
export function report(context: HandlerContext, delivery: Delivery, result: Verdict): void {
  if (delivery.settled && isFailure(result)) {
    const text = printable(describeError(result.error));
    context.logger.warn(
      `${context.plan.id} settled ${named(delivery)} and failed afterwards, which changes nothing: ${text}`,
    );
  }
  const verdict = delivery.decided ?? result;
  log(context, delivery, verdict);
  const { clock, events, plan } = context;
  if (!events.hasListeners('handled')) return;
  events.emit({
    kind: 'handled',
    handler: plan.id,
    queue: plan.queue.name,
    delivery,
    verdict,
    ms: Math.round(clock.monotonic() - delivery.run.beganAt),
  });
}

function log({ plan, logger }: HandlerContext, delivery: Delivery, verdict: Verdict): void {
  if (!isFailure(verdict)) return;
  const failure = `${plan.id} failed on ${named(delivery)} (attempt ${delivery.attempt}): ${printable(describeError(verdict.error))}`;
  if (verdict.kind === 'retry') {
    logger.warn(`${failure}; attempt ${verdict.attempt} in ${humanDuration(verdict.after)}`);
  } else if (plan.deadQueue) {
    const { run } = delivery;
    const say = (there: boolean): void =>
      there
        ? logger.error(`${failure}; dead-lettered to '${plan.deadQueue}' (${verdict.reason})`)
        : logger.error(`${failure}; the channel was lost meanwhile, so the broker delivers it again`);
    // Not before the broker has it.
    if (run.sentOn === undefined) run.whenSentOn = say;
    else say(run.sentOn);
  } else if (plan.registration.kind === 'rpc') {
    logger.error(`${failure}; the caller was told`);
  } else {
    logger.error(`${failure}; dropped, since the handler has no dead-letter queue (${verdict.reason})`);
  }
}

function isFailure(verdict: Verdict): verdict is Extract<Verdict, { error: unknown }> {
  return verdict.kind === 'retry' || verdict.kind === 'dead-letter';
}
