// Answers the caller of an RPC handler, whatever comes of it. The answer goes out before the request is settled.
// A request that nobody waits for is not run, and its handler is told to stop as soon as nobody waits any more.

import type { Delivery } from '../../model/delivery.js';
import { inCall } from '../../model/call-scope.js';
import { RabbitError } from '../../model/errors.js';
import { countHeader, HEADER } from '../../model/headers.js';
import { validate } from '../../model/schema.js';
import { ACK, DROP, type Verdict } from '../../model/verdict.js';
import { answer, errorReply, valueReply } from '../answer.js';
import { Credit } from '../answer-stream.js';
import { CallerLeftError } from '../calls.js';
import { answerStream, isItems } from '../streamed-answer.js';
import { repeats, type Outcome, type Repeats } from '../repeats.js';
import type { HandlerRoom, Run, Step } from '../step.js';

export const reply: Step = (room) => (next) => {
  const { rpc } = room.plan;
  if (!rpc) return next;
  const stored = rpc.idempotent && repeats(room, rpc.idempotent);
  return async (delivery) => {
    delivery.run.callerDeadline = deadlineOf(delivery);
    const reason = await notWorthIt(room, delivery);
    if (reason) return skip(room, delivery, reason);
    const granted = countHeader(delivery.headers, HEADER.stream);
    // Other wires that stream have no header for it: whoever speaks them reads what comes.
    delivery.run.streamed = granted > 0 || room.plan.codec?.encodeEnd !== undefined;
    const call = { delivery, credit: granted > 0 ? new Credit(granted) : undefined };
    const end = room.calls.begin(delivery.message.properties.correlationId ?? '', call);
    const stopWatch = watch(room, delivery);
    const scope = {
      deadline: delivery.run.callerDeadline,
      over: false,
      // Made when somebody asks: most handlers call nobody.
      get signal() {
        return delivery.signal;
      },
    };
    try {
      return await inCall(scope, () => conclude(room, next, delivery, call.credit, stored));
    } finally {
      stopWatch();
      end();
    }
  };
};

/** Runs the handler and answers. */
async function conclude(
  room: HandlerRoom,
  next: Run,
  delivery: Delivery,
  credit: Credit | undefined,
  stored: Repeats | undefined,
): Promise<Verdict> {
  if (stored && !credit) {
    const run = async (): Promise<Outcome> => settled(room, delivery, await next(delivery));
    return finish(room, delivery, await stored(delivery, run));
  }
  const verdict = await next(delivery);
  const items = verdict.kind === 'ack' && isItems(verdict.value) ? verdict.value : undefined;
  if (!items || !delivery.run.streamed) return finish(room, delivery, await settled(room, delivery, verdict));
  try {
    await answerStream(room, delivery, items, credit);
    return ACK;
  } catch (error) {
    return left(room, delivery, { kind: 'dead-letter', reason: 'not-retryable', error });
  }
}

async function settled(room: HandlerRoom, delivery: Delivery, given: Verdict): Promise<Outcome> {
  const verdict = hopeless(room, delivery, given);
  if (verdict.kind === 'requeue' || verdict.kind === 'retry') return { verdict, reply: undefined };
  if (verdict.kind === 'dead-letter') return { verdict, reply: errorReply(room, verdict.error) };
  try {
    const value = verdict.kind === 'ack' ? verdict.value : undefined;
    // The schema only checks: what it would change, it changes at the caller.
    if (room.plan.rpc?.response) await validate(room.plan.rpc.response, value);
    return { verdict, reply: valueReply(room, value) };
  } catch (error) {
    // The handler returned what cannot travel: the caller must not wait for its time-out to learn it.
    room.logger.error(`${room.plan.id} returned what cannot be an answer: ${String(error)}`);
    return { verdict, reply: errorReply(room, error) };
  }
}

async function finish(room: HandlerRoom, delivery: Delivery, result: Outcome): Promise<Verdict> {
  const verdict = left(room, delivery, result.verdict);
  // Late, the answer would only be ignored.
  if (result.reply && !(delivery.run.abortedBy instanceof CallerLeftError)) {
    await answer(room, delivery, result.reply);
  }
  return verdict;
}

/** A next attempt after the caller's time helps nobody: it gets the error now. */
function hopeless({ clock }: HandlerRoom, { run: { callerDeadline } }: Delivery, verdict: Verdict): Verdict {
  if (verdict.kind !== 'retry' || callerDeadline === undefined) return verdict;
  if (clock.now() + verdict.after < callerDeadline) return verdict;
  return { kind: 'dead-letter', reason: 'attempts-exhausted', error: verdict.error };
}

/** What a handler throws because its caller left is no failure, unless somebody wants to keep its failures. */
function left({ plan }: HandlerRoom, delivery: Delivery, verdict: Verdict): Verdict {
  const failed = verdict.kind === 'dead-letter' || verdict.kind === 'retry';
  if (!failed || !(delivery.run.abortedBy instanceof CallerLeftError)) return verdict;
  return plan.deadQueue === undefined ? DROP : verdict;
}

/** When the caller stops waiting: what it wrote, or what the broker lets its request live. */
function deadlineOf({ headers, message, run }: Delivery): number | undefined {
  const written = headers[HEADER.deadline];
  if (typeof written === 'number' && Number.isFinite(written)) return written;
  // A stream lives longer than its request: its caller waits as long as there are signs of life.
  if (headers[HEADER.stream] !== undefined) return undefined;
  const expiration = Number(message.properties.expiration);
  return expiration > 0 ? run.arrivedAt + expiration : undefined;
}

type SkipReason = 'left' | 'late' | 'gone';

/** Shorter waits are not worth the question whether the caller is still there. */
const WORTH_ASKING = 50;

async function notWorthIt(room: HandlerRoom, delivery: Delivery): Promise<SkipReason | undefined> {
  const { correlationId, replyTo } = delivery.message.properties;
  const now = room.clock.now();
  if (correlationId !== undefined && room.calls.hasLeft(correlationId)) return 'left';
  if (delivery.run.callerDeadline !== undefined && delivery.run.callerDeadline <= now) return 'late';
  const waited = now - delivery.run.arrivedAt >= WORTH_ASKING || delivery.message.redelivered;
  if (room.plan.rpc?.skipsGone && waited && replyTo && (await room.callers.isGone(replyTo))) return 'gone';
  return undefined;
}

async function skip(room: HandlerRoom, delivery: Delivery, reason: SkipReason): Promise<Verdict> {
  const { events, plan } = room;
  if (events.hears('call-skipped')) {
    events.emit({ kind: 'call-skipped', handler: plan.id, queue: delivery.queue, delivery, reason });
  }
  // By another clock it may not be too late.
  if (reason === 'late') await answer(room, delivery, errorReply(room, new LateRequestError()));
  return DROP;
}

/** Stops the handler when its caller's time is over. */
function watch({ clock, deadlines }: HandlerRoom, delivery: Delivery): () => void {
  const { callerDeadline } = delivery.run;
  if (callerDeadline === undefined) return () => undefined;
  delivery.run.deadline = callerDeadline;
  const deadline = deadlines.set(callerDeadline - clock.now(), () => delivery.abort(new CallerLeftError()));
  return () => deadlines.clear(deadline);
}

class LateRequestError extends RabbitError {
  constructor() {
    super(
      'WARREN_CALLER_LEFT',
      'the request came too late and was not run',
      'are the clocks of both sides right?',
    );
  }
}
