// What the log says when an attempt failed: one line with who, which message, why, and what happens next. A stack
// follows it where it helps.

import { errorFields, stackText } from '../errors/error-facts.js';
import { knownErrorFacts } from '../errors/known-errors.js';
import { OutcomeSignal, RetrySignal } from '../errors/signals.js';
import { aboutMessage, type Delivery, named, type Verdict } from '../message/delivery.js';
import { humanDuration } from '../options/duration.js';
import { describeError, printable } from '../runtime/logger.js';
import type { LogFields } from '../runtime/log-events.js';
import type { HandlerContext } from './step.js';

/** A verdict with an error. */
type Failure = Extract<Verdict, { readonly error: unknown }>;

function isFailure(verdict: Verdict): verdict is Failure {
  return verdict.kind === 'retry' || verdict.kind === 'dead-letter';
}

/** `verdict`: what happens to the message. `result`: what the handler came to, when it had settled by itself before. */
export function logVerdict(
  context: HandlerContext,
  delivery: Delivery,
  verdict: Verdict,
  result: Verdict,
): void {
  const { plan, logger } = context;
  if (delivery.settled && isFailure(result)) {
    const text = printable(describeError(result.error));
    logger.warn(`${plan.id} settled ${named(delivery)} and then failed; the message stays settled: ${text}`, {
      event: 'failed-after-settling',
      ...aboutMessage(delivery),
      ...errorFields(result.error),
      stack: stackText(result.error),
    });
  }
  if (isFailure(verdict)) logFailure(context, delivery, verdict);
}

function logFailure(context: HandlerContext, delivery: Delivery, verdict: Failure): void {
  const { plan, logger } = context;
  const text = beginning(context, delivery, verdict);
  const about = fields(context, delivery, verdict);
  if (verdict.kind === 'retry') {
    const { after, attempt } = verdict;
    const next = { next: 'retry', retryIn: after } as const;
    logger.warn(`${text}; attempt ${attempt} in ${humanDuration(after)}`, {
      event: 'attempt-failed',
      ...about,
      ...next,
    });
    return;
  }
  const say = (end: string, next: LogFields['next']): void => {
    if (isDeclared(context, verdict)) {
      logger.log(`${text}; ${end}`, { event: 'declared-error', ...about, next });
    } else {
      logger.error(`${text}; ${end}`, { event: 'message-failed', ...about, next });
    }
  };
  if (plan.deadQueue) {
    const { run } = delivery;
    const told = (there: boolean): void =>
      there
        ? say(`dead-lettered to '${plan.deadQueue}' (${verdict.reason})${toCaller(delivery)}`, 'dead-letter')
        : say('the channel was lost meanwhile, so the broker delivers it again', 'redeliver');
    // Not before the broker has it.
    if (run.sentOn === undefined) run.whenSentOn = told;
    else told(run.sentOn);
  } else if (plan.registration.kind === 'rpc') {
    say(`the caller got ${errorAtCaller(delivery)}`, 'reply');
  } else {
    say(`dropped, because the handler has no dead-letter queue (${verdict.reason})`, 'drop');
  }
}

function beginning({ plan, plugins }: HandlerContext, delivery: Delivery, verdict: Failure): string {
  const error = printable(describeError(verdict.error));
  const suffix = plugins.logSuffix(delivery);
  if (isUncalled(delivery, verdict)) return `${plan.id} did not get ${named(delivery)}${suffix}: ${error}`;
  const attempt = `attempt ${delivery.attempt} of ${attemptsOf(plan, delivery, verdict)}`;
  return `${plan.id} failed on ${named(delivery)} (${attempt})${suffix}: ${error}`;
}

function fields(context: HandlerContext, delivery: Delivery, verdict: Failure): Omit<LogFields, 'event'> {
  const { plan } = context;
  const ends = verdict.kind === 'dead-letter';
  return {
    ...aboutMessage(delivery),
    handler: plan.id,
    attempt: delivery.attempt,
    attempts: attemptsOf(plan, delivery, verdict),
    ...errorFields(verdict.error),
    reason: ends ? verdict.reason : undefined,
    deadLetterQueue: ends ? plan.deadQueue : undefined,
    errorId: delivery.run.errorId,
    stack: stackOf(context, delivery, verdict),
  };
}

/** A replayed message may be above what the policy says. */
function attemptsOf({ retry }: HandlerContext['plan'], { attempt }: Delivery, { error }: Failure): number {
  return Math.max(attempt, error instanceof RetrySignal ? retry.asked : retry.attempts);
}

const NEVER_CALLED = new Set<string>(['too-large', 'poison']);

function isUncalled({ run }: Delivery, verdict: Failure): boolean {
  return run.refused === true || (verdict.kind === 'dead-letter' && NEVER_CALLED.has(verdict.reason));
}

/** Part of the contract: its caller handles it, and nobody needs to be woken. */
function isDeclared({ plan }: HandlerContext, { error }: Failure): boolean {
  return plan.rpc !== undefined && knownErrorFacts(plan.rpc.known, error) !== undefined;
}

/** The frames say where it failed, if the handler failed and did not choose the outcome. */
function stackOf(context: HandlerContext, delivery: Delivery, verdict: Failure): string | undefined {
  const { stack } = context.settings.log;
  const { error } = verdict;
  const ends = verdict.kind === 'dead-letter';
  if (stack === 'never' || (stack === 'first-and-last' && !ends && delivery.attempt > 1)) return undefined;
  if (isUncalled(delivery, verdict) || isDeclared(context, verdict)) return undefined;
  const cause = error instanceof OutcomeSignal ? error.cause : error;
  return cause === undefined ? undefined : stackText(cause);
}

/** What the caller of a handler was told of an error. */
export function errorAtCaller({ run }: Pick<Delivery, 'run'>): string {
  return run.errorId === undefined ? 'the error' : `'internal error ${run.errorId}'`;
}

function toCaller(delivery: Delivery): string {
  return delivery.run.errorId === undefined ? '' : `; the caller got ${errorAtCaller(delivery)}`;
}
