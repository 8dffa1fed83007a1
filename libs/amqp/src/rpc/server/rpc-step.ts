// Answers the caller of an RPC handler, whatever comes of it. The answer goes out before the request is settled.
// A request that nobody waits for is not run, and its handler is told to stop as soon as nobody waits any more.

import { type Delivery, ACK, DROP, REQUEUE, type Verdict } from '../../message/delivery.js';
import type { MaybePromise } from '../../runtime/maybe-promise.js';
import { RabbitError } from '../../errors/errors.js';
import { countHeader, HEADER } from '../../message/headers.js';
import { itemsIn } from '../../message/items.js';
import { describeError, printable } from '../../runtime/logger.js';
import { RpcProtocolError } from '../../errors/rpc-errors.js';
import { assertFits } from '../../message/schema.js';
import { sendReply, errorReply, valueReply } from './reply.js';
import { Credit } from './reply-stream.js';
import { CallerLeftError, ShuttingDownError } from '../../errors/rpc-errors.js';
import { ActiveCall, type RpcContext } from './active-calls.js';
import { streamReply } from './streamed-reply.js';
import { idempotency, type Outcome } from './idempotency.js';
import { returnIterator } from '../../runtime/abort-signals.js';
import type { Run } from '../../consume/step.js';

/** The step around a handler that serves calls; none for others. */
export const reply =
  (context: RpcContext) =>
  (next: Run): Run => {
    const { rpc } = context.plan;
    if (!rpc) return next;
    const stored = rpc.idempotent && idempotency(context, rpc.idempotent);
    const answer = (call: ActiveCall): MaybePromise<Verdict> => {
      const { delivery, credit } = call;
      if (stored && !credit) {
        const work = async (): Promise<Outcome> => settled(context, delivery, await next(delivery));
        return stored(delivery, work).then((outcome) => finish(context, delivery, outcome));
      }
      const verdict = next(delivery);
      if (!(verdict instanceof Promise)) return conclude(context, call, verdict);
      return verdict.then((known) => conclude(context, call, known));
    };
    const begin = (delivery: Delivery): MaybePromise<Verdict> => {
      // Its channel was lost, its stream goes on: another one would only break it off.
      if (delivery.message.redelivered && context.calls.isStreaming(delivery)) return DROP;
      const granted = countHeader(delivery.headers, HEADER.stream);
      // Other formats that stream have no header for it: their callers read what arrives. A stored reply is one
      // message.
      delivery.run.streamed = granted > 0 || (!stored && context.plan.codec?.encodeEnd !== undefined);
      const credit = granted > 0 ? new Credit(granted) : undefined;
      const call = new ActiveCall(context, delivery, credit, stored !== undefined);
      delivery.call = call;
      call.begin();
      let verdict: MaybePromise<Verdict>;
      try {
        verdict = answer(call);
      } catch (error) {
        call.end();
        throw error;
      }
      if (verdict instanceof Promise) return verdict.finally(() => call.end());
      call.end();
      return verdict;
    };
    return (delivery) => {
      delivery.run.callerDeadline = deadlineOf(context, delivery);
      const reason = notWorthIt(context, delivery);
      if (reason === undefined) return begin(delivery);
      const decided = (known: SkipReason | undefined): MaybePromise<Verdict> =>
        known === undefined ? begin(delivery) : skip(context, delivery, known);
      return reason instanceof Promise ? reason.then(decided) : decided(reason);
    };
  };

/** Answers with what the handler came to. */
function conclude(
  context: RpcContext,
  { delivery, credit }: ActiveCall,
  verdict: Verdict,
): MaybePromise<Verdict> {
  const items = delivery.run.streamed && verdict.kind === 'ack' ? itemsIn(verdict.value) : undefined;
  if (items) return streamed(context, delivery, items, credit);
  const outcome = settled(context, delivery, verdict);
  if (!(outcome instanceof Promise)) return finish(context, delivery, outcome);
  return outcome.then((known) => finish(context, delivery, known));
}

async function streamed(
  context: RpcContext,
  delivery: Delivery,
  items: AsyncIterable<unknown>,
  credit: Credit | undefined,
): Promise<Verdict> {
  if (credit && context.calls.unreachable) {
    returnIterator(items[Symbol.asyncIterator]());
    const error = new RpcProtocolError(
      `${context.plan.id} cannot stream: the broker refuses the queue through which callers ask for more items (see the log of the service)`,
    );
    return finish(context, delivery, { verdict: DROP, reply: errorReply(context, error) });
  }
  const broken = await streamReply(context, delivery, items, credit);
  if (!broken) return ACK;
  const { error, begun } = broken;
  return left(context, delivery, { kind: 'dead-letter', reason: 'not-retryable', error }, begun);
}

function settled(context: RpcContext, delivery: Delivery, given: Verdict): MaybePromise<Outcome> {
  const verdict = given.kind === 'retry' ? hopeless(context, delivery, given) : given;
  if (verdict.kind === 'requeue' || verdict.kind === 'retry') return { verdict, reply: undefined };
  if (verdict.kind === 'dead-letter') return { verdict, reply: errorReply(context, verdict.error) };
  const value = verdict.kind === 'ack' ? verdict.value : undefined;
  const response = context.plan.rpc?.response;
  if (!response) return replied(context, verdict, value);
  // The schema only checks: what it would change, it changes at the caller.
  return assertFits(response, value, `the reply of ${context.plan.id}`).then(
    () => replied(context, verdict, value),
    (error: unknown) => unfit(context, verdict, error),
  );
}

function replied(context: RpcContext, verdict: Verdict, value: unknown): Outcome {
  try {
    return { verdict, reply: valueReply(context, value) };
  } catch (error) {
    return unfit(context, verdict, error);
  }
}

/** The handler returned what cannot travel: the caller must not wait for its time-out to learn it. */
function unfit(context: RpcContext, verdict: Verdict, error: unknown): Outcome {
  context.logger.error(
    `${context.plan.id} returned a value that cannot be sent as a reply: ${printable(describeError(error))}`,
  );
  return { verdict, reply: errorReply(context, error) };
}

function finish(context: RpcContext, delivery: Delivery, result: Outcome): Verdict {
  const { kind } = result.verdict;
  const failed = kind === 'dead-letter' || kind === 'retry';
  const verdict = failed ? left(context, delivery, result.verdict) : result.verdict;
  // Late, the answer would only be ignored; and what goes back to its queue is answered by another instance.
  const wanted = verdict.kind !== 'requeue' && !(delivery.run.abortedBy instanceof CallerLeftError);
  if (result.reply && wanted) sendReply(context, delivery, result.reply);
  return verdict;
}

/** A next attempt after the caller's timeout is useless: the caller gets the error now. */
function hopeless(
  { clock }: RpcContext,
  { run: { callerDeadline } }: Delivery,
  verdict: Extract<Verdict, { readonly kind: 'retry' }>,
): Verdict {
  if (callerDeadline === undefined) return verdict;
  if (clock.monotonic() + verdict.after < callerDeadline) return verdict;
  return { kind: 'dead-letter', reason: 'attempts-exhausted', error: verdict.error };
}

/**
 * What a handler throws because it was told to stop is no failure: nobody waits for it, unless its failures are kept;
 * or another instance does it again, unless its caller has got items of this one.
 */
function left({ plan }: RpcContext, delivery: Delivery, verdict: Verdict, begun = false): Verdict {
  const { abortedBy } = delivery.run;
  if (abortedBy instanceof CallerLeftError) return plan.deadQueue === undefined ? DROP : verdict;
  if (abortedBy instanceof ShuttingDownError) return begun ? DROP : REQUEUE;
  return verdict;
}

/**
 * When the caller stops waiting. The time that it gives is counted from the arrival, since its clock may say anything:
 * what waited in the queue for longer has expired there, and a caller that leaves earlier says so. Only where no such
 * time is given a time of day counts, of a program that knows no better.
 */
function deadlineOf({ clock }: RpcContext, { headers, message, run }: Delivery): number | undefined {
  const expiration = Number(message.properties.expiration);
  // A stream lasts longer than its request: its caller waits as long as keep-alives arrive.
  const ofQueue = expiration > 0 && headers[HEADER.stream] === undefined ? expiration : Infinity;
  const timeLeft = headers[HEADER.timeLeft];
  const left = timeLeft === undefined ? ofQueue : Math.min(finite(timeLeft), ofQueue);
  if (left !== Infinity) return run.arrivedAt + left;
  const deadline = clock.monotonic() + finite(headers[HEADER.deadline]) - clock.wall();
  return deadline === Infinity ? undefined : deadline;
}

function finite(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : Infinity;
}

type SkipReason = 'left' | 'late' | 'gone';

/** For shorter waits, checking whether the caller still waits is not worth it. */
const WORTH_ASKING = 50;

function notWorthIt(context: RpcContext, delivery: Delivery): MaybePromise<SkipReason | undefined> {
  const { correlationId, replyTo } = delivery.message.properties;
  const now = delivery.run.beganAt;
  if (correlationId !== undefined && context.calls.hasLeft(correlationId)) return 'left';
  if (delivery.run.callerDeadline !== undefined && delivery.run.callerDeadline <= now) return 'late';
  if (!context.plan.rpc?.skipsGone || !replyTo) return undefined;
  if (!mayHaveWaited(context, delivery)) return undefined;
  return context.callers.isGone(replyTo).then((gone) => (gone ? 'gone' : undefined));
}

/** Whether a request waited long enough for its caller to be gone. */
function mayHaveWaited({ clock }: RpcContext, { headers, message, run }: Delivery): boolean {
  if (message.redelivered || run.beganAt - run.arrivedAt >= WORTH_ASKING) return true;
  const sent = Number(headers[HEADER.deadline]) - Number(message.properties.expiration);
  // Where it was sent in the future the clocks differ, and nothing is known.
  return Math.abs(clock.wall() - sent) >= WORTH_ASKING;
}

function skip(context: RpcContext, delivery: Delivery, reason: SkipReason): Verdict {
  const { events, plan } = context;
  if (events.hasListeners('call-skipped')) {
    events.emit({ kind: 'call-skipped', handler: plan.id, queue: delivery.queue, delivery, reason });
  }
  // By another clock it may not be too late.
  if (reason === 'late') sendReply(context, delivery, errorReply(context, new LateRequestError()));
  return DROP;
}

class LateRequestError extends RabbitError {
  constructor() {
    super(
      'WARREN_CALLER_LEFT',
      'the timeout of the call expired before a handler was free; the handler did not run',
      'raise the timeout, or add instances of the service',
    );
  }
}
