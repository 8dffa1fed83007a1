// Plugins around everything that a handler does for a message, its reply included. A plugin that fails is one more way
// in which an attempt can fail.

import { DecodeError, PluginError, RabbitError } from '../errors/errors.js';
import { type Delivery, ACK, type Verdict, aboutMessage, named } from '../message/delivery.js';
import { afterFailure } from '../options/retry-policy.js';
import type { PluginFailed } from '../plugins/interceptors.js';
import type { HandlerInfo } from '../plugins/plugin.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { describeError, printable } from '../runtime/logger.js';
import { chain } from '../runtime/maybe-promise.js';
import { errorAtCaller } from './failure-log.js';
import type { HandlerContext, Step } from './step.js';
import { errorFields } from '../errors/error-facts.js';

export const plugins: Step = (context) => (next) => {
  const { plan } = context;
  const run = context.plugins.aroundDelivery(handlerInfo(context), next, pluginFailed(context));
  if (run === next || !plan.rpc) return run;
  return (delivery) =>
    chain(run(delivery), (verdict) => {
      // A plugin ended the call by itself: its caller should not wait for its time-out to learn it.
      const over = !delivery.run.entered && delivery.run.answer === undefined && ENDS.has(verdict.kind);
      if (over) endEarly(context, delivery);
      return verdict;
    });
};

function endEarly(context: HandlerContext, delivery: Delivery): void {
  const { plan, rpc, logger } = context;
  const error = endedEarly(plan);
  rpc?.reject(context, delivery, error);
  logger.error(
    `${plan.id}: ${named(delivery)}: ${describeError(error)}; the caller got ${errorAtCaller(delivery)}`,
    {
      event: 'plugin-ended-call',
      ...aboutMessage(delivery),
      ...errorFields(error),
      errorId: delivery.run.errorId,
    },
  );
}

function endedEarly({ id }: HandlerPlan): Error {
  return new RabbitError(
    'WARREN_PLUGIN',
    `a plugin ended a call to ${id} before its handler ran, so there is no reply`,
    'its delivery function returned an outcome without calling next',
  );
}

const ENDS: ReadonlySet<Verdict['kind']> = new Set(['ack', 'drop', 'dead-letter']);

/** What becomes of an attempt in which a plugin failed. Its caller hears of it, if it got no reply yet. */
export function pluginFailed(context: HandlerContext): PluginFailed {
  const { plan, rpc, logger } = context;
  return (error, delivery) => {
    if (delivery.run.answer !== undefined) {
      // The handler has run and its caller knows the result, so what it came to stays.
      logger.warn(`${plan.id}: ${printable(describeError(error))}; the reply was sent before that`, {
        event: 'plugin-failed',
        ...aboutMessage(delivery),
        ...errorFields(error),
      });
      return delivery.run.verdict ?? ACK;
    }
    const verdict = verdictOf(context, delivery, error);
    if (plan.rpc && verdict.kind === 'dead-letter') rpc?.reject(context, delivery, error as Error);
    return verdict;
  };
}

function verdictOf({ plan }: HandlerContext, delivery: Delivery, error: unknown): Verdict {
  // A body that a plugin cannot read is as unreadable as one that a codec cannot.
  const unreadable = error instanceof PluginError && error.cause instanceof DecodeError;
  if (unreadable) return { kind: 'dead-letter', reason: 'undecodable', error };
  return afterFailure(plan.retry, delivery.attempt, error);
}

/** What plugins are told of a handler. */
export function handlerInfo({ plan, settings }: Pick<HandlerContext, 'plan' | 'settings'>): HandlerInfo {
  const { id, registration, queue, routes, batch, retry, deadQueue } = plan;
  return {
    id,
    service: settings.service,
    kind: registration.kind,
    queue: queue.name,
    temporary: queue.temporary,
    patterns: routes.map(({ key }) => key),
    batch: batch !== undefined,
    attempts: retry.attempts,
    deadQueue,
    options: registration.options.plugins,
  };
}
