// Answers the caller of an RPC handler, whatever comes of it. The answer goes out before the request is settled.
// A request that nobody waits for is not run, and its handler is told to stop as soon as nobody waits any more.

import type { Delivery } from '../../message/delivery.js';
import { attempt, soon, type Soon } from '../../runtime/maybe-promise.js';
import { inCall } from '../call-scope.js';
import { RabbitError } from '../../errors/errors.js';
import { countHeader, HEADER } from '../../message/headers.js';
import { itemsIn } from '../../message/items.js';
import { describeError, printable } from '../../runtime/logger.js';
import { RpcProtocolError } from '../../errors/rpc-errors.js';
import { assertFits } from '../../message/schema.js';
import { ACK, DROP, REQUEUE, type Verdict } from '../../message/verdict.js';
import { answer, errorReply, valueReply } from './reply.js';
import { Credit } from './reply-stream.js';
import { CallerLeftError, ShuttingDownError } from '../../errors/rpc-errors.js';
import { Answering } from './active-calls.js';
import { answerStream } from './streamed-reply.js';
import { repeats, type Outcome, type Repeats } from './idempotency.js';
import { letGo } from '../../runtime/abortable-wait.js';
import type { Run } from '../../consume/step.js';
import type { RpcContext } from './rpc-context.js';

/** The step around a handler that serves calls; none for others. */
export const reply =
  (room: RpcContext) =>
  (next: Run): Run => {
    const { rpc } = room.plan;
    if (!rpc) return next;
    const stored = rpc.idempotent && repeats(room, rpc.idempotent);
    const work = (answering: Answering): Soon<Verdict> => conclude(room, next, answering, stored);
    const run = (answering: Answering): Soon<Verdict> => inCall(answering, work);
    const begin = (delivery: Delivery): Soon<Verdict> => {
      // Its channel was lost, its stream goes on: another one would only break it off.
      if (delivery.message.redelivered && room.calls.isStreaming(delivery)) return DROP;
      const granted = countHeader(delivery.headers, HEADER.stream);
      // Other wires that stream have no header for it: whoever speaks them reads what comes. A stored reply is one.
      delivery.run.streamed = granted > 0 || (!stored && room.plan.codec?.encodeEnd !== undefined);
      const answering = new Answering(room, delivery, granted > 0 ? new Credit(granted) : undefined);
      answering.begin();
      return attempt(run, answering, ended, broken);
    };
    return (delivery) => {
      delivery.run.callerDeadline = deadlineOf(room, delivery);
      const reason = notWorthIt(room, delivery);
      if (reason === undefined) return begin(delivery);
      return soon(reason, (known) => (known ? skip(room, delivery, known) : begin(delivery)));
    };
  };

function ended(verdict: Verdict, answering: Answering): Verdict {
  answering.end();
  return verdict;
}

function broken(error: unknown, answering: Answering): never {
  answering.end();
  throw error;
}

/** Runs the handler and answers. */
function conclude(
  room: RpcContext,
  next: Run,
  { delivery, credit }: Answering,
  stored: Repeats | undefined,
): Soon<Verdict> {
  if (stored && !credit) {
    const run = async (): Promise<Outcome> => settled(room, delivery, await next(delivery));
    return stored(delivery, run).then((outcome) => finish(room, delivery, outcome));
  }
  return soon(next(delivery), (verdict) => {
    const items = delivery.run.streamed && verdict.kind === 'ack' ? itemsIn(verdict.value) : undefined;
    if (items) return streamed(room, delivery, items, credit);
    return soon(settled(room, delivery, verdict), (outcome) => finish(room, delivery, outcome));
  });
}

async function streamed(
  room: RpcContext,
  delivery: Delivery,
  items: AsyncIterable<unknown>,
  credit: Credit | undefined,
): Promise<Verdict> {
  if (credit && room.calls.unreachable) {
    letGo(items[Symbol.asyncIterator]());
    const error = new RpcProtocolError(
      `${room.plan.id} cannot stream: the broker refuses the queue through which callers ask for more items (see the log of the service)`,
    );
    return finish(room, delivery, { verdict: DROP, reply: errorReply(room, error) });
  }
  const broken = await answerStream(room, delivery, items, credit);
  if (!broken) return ACK;
  const { error, begun } = broken;
  return left(room, delivery, { kind: 'dead-letter', reason: 'not-retryable', error }, begun);
}

function settled(room: RpcContext, delivery: Delivery, given: Verdict): Soon<Outcome> {
  const verdict = hopeless(room, delivery, given);
  if (verdict.kind === 'requeue' || verdict.kind === 'retry') return { verdict, reply: undefined };
  if (verdict.kind === 'dead-letter') return { verdict, reply: errorReply(room, verdict.error) };
  const value = verdict.kind === 'ack' ? verdict.value : undefined;
  const response = room.plan.rpc?.response;
  if (!response) return replied(room, verdict, value);
  // The schema only checks: what it would change, it changes at the caller.
  return assertFits(response, value, `the answer of ${room.plan.id}`).then(
    () => replied(room, verdict, value),
    (error: unknown) => unfit(room, verdict, error),
  );
}

function replied(room: RpcContext, verdict: Verdict, value: unknown): Outcome {
  try {
    return { verdict, reply: valueReply(room, value) };
  } catch (error) {
    return unfit(room, verdict, error);
  }
}

/** The handler returned what cannot travel: the caller must not wait for its time-out to learn it. */
function unfit(room: RpcContext, verdict: Verdict, error: unknown): Outcome {
  room.logger.error(`${room.plan.id} returned what cannot be an answer: ${printable(describeError(error))}`);
  return { verdict, reply: errorReply(room, error) };
}

function finish(room: RpcContext, delivery: Delivery, result: Outcome): Verdict {
  const verdict = left(room, delivery, result.verdict);
  // Late, the answer would only be ignored; and what goes back to its queue is answered by another instance.
  const wanted = verdict.kind !== 'requeue' && !(delivery.run.abortedBy instanceof CallerLeftError);
  if (result.reply && wanted) answer(room, delivery, result.reply);
  return verdict;
}

/** A next attempt after the caller's time helps nobody: it gets the error now. */
function hopeless({ clock }: RpcContext, { run: { callerDeadline } }: Delivery, verdict: Verdict): Verdict {
  if (verdict.kind !== 'retry' || callerDeadline === undefined) return verdict;
  if (clock.monotonic() + verdict.after < callerDeadline) return verdict;
  return { kind: 'dead-letter', reason: 'attempts-exhausted', error: verdict.error };
}

/**
 * What a handler throws because it was told to stop is no failure: nobody waits for it, unless its failures are kept;
 * or another instance does it again, unless its caller has got items of this one.
 */
function left({ plan }: RpcContext, delivery: Delivery, verdict: Verdict, begun = false): Verdict {
  const { abortedBy } = delivery.run;
  if (verdict.kind !== 'dead-letter' && verdict.kind !== 'retry') return verdict;
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
  // A stream lives longer than its request: its caller waits as long as there are signs of life.
  const ofQueue = expiration > 0 && headers[HEADER.stream] === undefined ? expiration : Infinity;
  const left = Math.min(finite(headers[HEADER.timeLeft]), ofQueue);
  if (left !== Infinity) return run.arrivedAt + left;
  const deadline = clock.monotonic() + finite(headers[HEADER.deadline]) - clock.wall();
  return deadline === Infinity ? undefined : deadline;
}

function finite(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : Infinity;
}

type SkipReason = 'left' | 'late' | 'gone';

/** Shorter waits are not worth the question whether the caller is still there. */
const WORTH_ASKING = 50;

function notWorthIt(room: RpcContext, delivery: Delivery): Soon<SkipReason | undefined> {
  const { correlationId, replyTo } = delivery.message.properties;
  const now = delivery.run.beganAt;
  if (correlationId !== undefined && room.calls.hasLeft(correlationId)) return 'left';
  if (delivery.run.callerDeadline !== undefined && delivery.run.callerDeadline <= now) return 'late';
  if (!room.plan.rpc?.skipsGone || !replyTo) return undefined;
  if (!mayHaveWaited(room, delivery)) return undefined;
  return room.callers.isGone(replyTo).then((gone) => (gone ? 'gone' : undefined));
}

/** Whether a request waited long enough for its caller to be gone. */
function mayHaveWaited({ clock }: RpcContext, { headers, message, run }: Delivery): boolean {
  if (message.redelivered || run.beganAt - run.arrivedAt >= WORTH_ASKING) return true;
  const sent = Number(headers[HEADER.deadline]) - Number(message.properties.expiration);
  // Where it was sent in the future the clocks differ, and nothing is known.
  return Math.abs(clock.wall() - sent) >= WORTH_ASKING;
}

function skip(room: RpcContext, delivery: Delivery, reason: SkipReason): Verdict {
  const { events, plan } = room;
  if (events.hears('call-skipped')) {
    events.emit({ kind: 'call-skipped', handler: plan.id, queue: delivery.queue, delivery, reason });
  }
  // By another clock it may not be too late.
  if (reason === 'late') answer(room, delivery, errorReply(room, new LateRequestError()));
  return DROP;
}

class LateRequestError extends RabbitError {
  constructor() {
    super(
      'WARREN_CALLER_LEFT',
      'the time-out of the call had passed before a handler was free; it was not run',
      'raise the timeout, or add instances of the service',
    );
  }
}
