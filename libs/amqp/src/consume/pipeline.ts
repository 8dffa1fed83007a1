// From a delivery to its verdict: the steps around the handler, composed once per handler at start. A step that has
// nothing to do for a handler leaves itself out.

import { HandlerTimeoutError, RabbitError } from '../errors/errors.js';
import { OutcomeSignal, Reject } from '../errors/signals.js';
import type { Codec, CodecLookup } from '../message/codecs/codec.js';
import { currentDelivery } from '../message/current-delivery.js';
import { ACK, aboutMessage, type Delivery, named, OPEN, type Verdict } from '../message/delivery.js';
import { NO_HEADERS, refuseUnreadable } from '../message/headers.js';
import { itemsIn, lastOf, unrun } from '../message/items.js';
import { validate, type StandardSchema } from '../message/schema.js';
import { afterFailure } from '../options/retry-policy.js';
import type { Settings } from '../options/settings.js';
import { describeError, printable } from '../runtime/logger.js';
import type { MaybePromise } from '../runtime/maybe-promise.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { logVerdict } from './failure-log.js';
import { plugins } from './plugin-step.js';
import type { HandlerContext, Run, Step } from './step.js';

// The steps every delivery goes through, outermost first. docs/lifecycle.md draws them; a test holds the
// two together.

/** The steps of a process: observe → scope → plugins → reply → retry → order → timeout → decode → the handler. Without calls, none replies. */
export function pipelineSteps(reply: Step = passThrough): readonly Step[] {
  return [observe, scope, plugins, reply, retry, order, timeout, decode];
}

const passThrough: Step = () => (next) => next;

/** Makes a delivery known to what its handler calls. */
const scope: Step = (context) => (next) =>
  isInherited(context) ? (delivery) => currentDelivery.run(delivery, next, delivery) : next;

/** Whether messages that a handler sends take something over from the one that it handles. */
export function isInherited({ plan, settings }: HandlerContext): boolean {
  return plan.rpc !== undefined || settings.correlation || settings.propagate.length > 0;
}

/** All steps of one handler. */
export function pipeline(context: HandlerContext): Run {
  return context.steps.reduceRight<Run>((next, step) => step(context)(next), invoke(context.plan));
}

/** The innermost: calls the handler; a value is success, a signal an outcome. */
function invoke(plan: HandlerPlan): Run {
  const { handle } = plan.registration;
  const manual = plan.ack === 'manual';
  const done: Verdict = manual ? OPEN : ACK;
  const success = (value: unknown): Verdict => {
    assertDone(plan, value);
    return value === undefined || manual ? done : { kind: 'ack', value };
  };
  const finish = (value: unknown, delivery: Delivery): MaybePromise<Verdict> => {
    const items = plan.rpc && itemsIn(value);
    if (!items) return success(value);
    return delivery.run.streamed ? { kind: 'ack', value: items } : lastOf(items, delivery).then(success);
  };
  return (delivery) => {
    const value: unknown = handle(delivery);
    if (value === undefined) return done;
    if (isData(value)) return manual ? done : { kind: 'ack', value };
    if (!isThenable(value)) return finish(value, delivery);
    return Promise.resolve(value).then((later) => finish(later, delivery));
  };
}

/** Surely no promise, signal, or work that was never run: those have one of these names, or are errors or functions. */
function isData(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function';
  const mayBeMore =
    'then' in value || 'next' in value || 'subscribe' in value || Symbol.asyncIterator in value;
  return !mayBeMore && !(value instanceof OutcomeSignal);
}

/** A signal is no success, nor is work that was returned instead of done. @throws the signal, or Reject */
export function assertDone({ id, rpc }: HandlerPlan, value: unknown): void {
  if (value instanceof OutcomeSignal) throw value;
  const what = unrun(value);
  // That a function cannot be an answer, its caller learns from the codec.
  if (what === undefined || (rpc && typeof value === 'function')) return;
  throw Reject(`${id} returned ${what}, which was never run, so its work was not done`);
}

// Handlers may return promises of any library.
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

// Outermost: returns nothing but a verdict. Logs what failed and where the message went, and emits `handled`.

/** Log lines and events for one handler. */
export const observe: Step = (context) => {
  const tell = reporter(context);
  // A step failed, not the handler: nothing is known, so a person has to look.
  const failed = (error: unknown): Verdict => ({ kind: 'dead-letter', reason: 'rejected', error });
  return (next) => (delivery) => {
    delivery.run.beganAt = context.clock.monotonic();
    let verdict: MaybePromise<Verdict>;
    try {
      verdict = next(delivery);
    } catch (error) {
      verdict = failed(error);
    }
    if (!(verdict instanceof Promise)) return tell(verdict, delivery);
    return verdict.then(
      (value) => tell(value, delivery),
      (error) => tell(failed(error), delivery),
    );
  };
};

/** Logs the outcome of a delivery, emits its event, and returns it. */
export function reporter(context: HandlerContext): (result: Verdict, delivery: Delivery) => Verdict {
  const { clock, events, plan } = context;
  return (result, delivery) => {
    // What the handler decided by itself is the truth.
    const verdict = delivery.decided ?? result;
    if (verdict.kind !== 'ack' || result.kind !== 'ack') logVerdict(context, delivery, verdict, result);
    if (!events.hasListeners('handled')) return result;
    events.emit({
      kind: 'handled',
      handler: plan.id,
      queue: plan.queue.name,
      delivery,
      verdict,
      ms: Math.round(clock.monotonic() - delivery.run.beganAt),
    });
    return result;
  };
}

// Turns a throw into what the policy says, and stops what must not reach the handler at all: bodies
// beyond the limit, and messages that killed the process again and again.

export const retry: Step = (context) => {
  const failed = (error: unknown, delivery: Delivery): Verdict =>
    afterFailure(context.plan.retry, delivery.attempt, error);
  return (next) => (delivery) => {
    const refused = unfit(delivery, context.settings);
    if (refused) return refused;
    try {
      const verdict = next(delivery);
      return verdict instanceof Promise ? verdict.catch((error) => failed(error, delivery)) : verdict;
    } catch (error) {
      return failed(error, delivery);
    }
  };
};

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

// Refuses messages whose `orderBy` key cannot be read: out of order they might do harm, and a retry would not help.

export const order: Step = (context) => (next) => {
  if (context.plan.registration.options.orderBy === undefined) return next;
  return (delivery) => {
    const error = delivery.run.orderKeyError;
    if (error === undefined) return next(delivery);
    delivery.run.refused = true;
    return { kind: 'dead-letter', reason: 'undecodable', error };
  };
};

// Ends the wait for a handler that runs too long: its signal aborts, and the message is treated as if the handler had
// thrown. A later result is ignored, and logged.

export const timeout: Step = (context) => (next) => {
  if (context.plan.timeout === undefined) return next;
  return (delivery) => limited(context, [delivery], () => next(delivery));
};

/** The result of `work`, or a HandlerTimeoutError when the handler's timeout expires first. */
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
      logger.warn(`${plan.id} ${how} after its timeout of ${limit} ms; the result was not used (${what})`, {
        event: 'handler-late',
        handler: plan.id,
        queue: plan.queue.name,
        messageId: deliveries.length === 1 ? aboutMessage(deliveries[0]).messageId : undefined,
        ms: clock.monotonic() - began,
      });
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

// Turns a synchronous throw into a rejection.
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

// The body becomes the payload, checked by the handler's schema if it has one. What cannot be read or
// does not fit never reaches the handler, and no retry would change that.

export const decode: Step = (context) => {
  const { schema, codec } = context.plan;
  const { codecs } = context.forwarder;
  const refused = (delivery: Delivery, error: unknown): Verdict => {
    delivery.run.refused = true;
    return { kind: 'dead-letter', reason: 'undecodable', error };
  };
  const later = async (payload: MaybePromise<unknown>, delivery: Delivery, next: Run): Promise<Verdict> => {
    try {
      const value: unknown = payload instanceof Promise ? await payload : payload;
      delivery.payload = schema ? await validate(schema, value) : value;
    } catch (error) {
      return refused(delivery, error);
    }
    return next(delivery);
  };
  return (next) => (delivery) => {
    let payload: MaybePromise<unknown>;
    try {
      payload = payloadOf(delivery, codecs, codec);
    } catch (error) {
      return refused(delivery, error);
    }
    if (schema || payload instanceof Promise) return later(payload, delivery, next);
    delivery.payload = payload;
    return next(delivery);
  };
};

/** A body as a checked payload. @throws DecodeError */
export async function decodePayload(
  delivery: Delivery,
  codecs: CodecLookup,
  codec: Codec | undefined,
  schema: StandardSchema | undefined,
): Promise<unknown> {
  const payload = await payloadOf(delivery, codecs, codec);
  return schema ? validate(schema, payload) : payload;
}

function payloadOf(
  { headers, message, run }: Delivery,
  codecs: CodecLookup,
  codec?: Codec,
): MaybePromise<unknown> {
  if (headers !== NO_HEADERS) refuseUnreadable(headers);
  const { content, properties } = run.body ?? message;
  return codecs.decodeSoon(content, properties, codec);
}
