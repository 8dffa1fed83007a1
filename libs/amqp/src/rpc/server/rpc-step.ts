// Replies to the caller of an RPC handler, with a value or an error. The reply arrives before the request is settled.
// A request whose caller has left is not run, and a running handler is told to stop when its caller leaves.

import type { Run } from '../../consume/step.js';
import { RabbitError } from '../../errors/errors.js';
import { CallerLeftError, RpcProtocolError, ShuttingDownError } from '../../errors/rpc-errors.js';
import { AccessRefusedError } from '../../errors/topology-errors.js';
import {
  ACK,
  aboutMessage,
  type CallScope,
  type Delivery,
  DROP,
  type Ending,
  named,
  REQUEUE,
  type Verdict,
} from '../../message/delivery.js';
import { countHeader, HEADER } from '../../message/headers.js';
import { itemsIn } from '../../message/items.js';
import type { ReplyWaiter } from '../../message/outgoing.js';
import { errorFields } from '../../errors/error-facts.js';
import { assertFits } from '../../message/schema.js';
import { returnIterator } from '../../runtime/abort-signals.js';
import type { Deadline } from '../../runtime/clock.js';
import { describeError, printable } from '../../runtime/logger.js';
import type { MaybePromise } from '../../runtime/maybe-promise.js';
import type { RpcContext, RunningCall } from './active-calls.js';
import { idempotency, type Outcome } from './idempotency.js';
import { errorReply, type Reply, replyAddress, replyMessage, replyWithPlugins, valueReply } from './reply.js';
import { Credit } from './reply-stream.js';
import { streamReply } from './streamed-reply.js';

/**
 * One call from the start of its handler until its reply has arrived. Its caller finds it by its id, calls that are made
 * inside its handler inherit its deadline and its signal, and it is itself the deadline at which the handler is told to
 * stop. One object for all of that: what a call holds, the garbage collector copies as long as the call lives.
 */
export class ActiveCall implements RunningCall, CallScope, Deadline, Ending, ReplyWaiter {
  readonly id: string;
  after: this | undefined = undefined;
  tick = 0;
  place = 0;
  over = false;
  /** Its reply has arrived, or is lost. */
  private replied = false;
  private onReplied: (() => void) | undefined = undefined;
  // Hard private: whoever prints or writes the delivery must not find our options in it, nor the delivery itself.
  readonly #context: RpcContext;
  readonly #delivery: Delivery;

  constructor(
    context: RpcContext,
    delivery: Delivery,
    readonly credit: Credit | undefined = undefined,
    readonly idempotent = false,
  ) {
    this.#context = context;
    this.#delivery = delivery;
    this.id = delivery.message.properties.correlationId ?? '';
  }

  get delivery(): Delivery {
    return this.#delivery;
  }

  get deadline(): number | undefined {
    return this.#delivery.run.callerDeadline;
  }

  /** Created on demand: most handlers make no calls. */
  get signal(): AbortSignal {
    return this.#delivery.signal;
  }

  /** From now on its caller finds it, and its handler is stopped when the caller's time is over. */
  begin(): void {
    const { calls, deadlines } = this.#context;
    const { run } = this.#delivery;
    calls.add(this);
    if (run.callerDeadline === undefined) return;
    run.deadline = run.callerDeadline;
    deadlines.addAt(run.callerDeadline, this);
  }

  /** Its handler is done. */
  end(): void {
    const { calls, deadlines } = this.#context;
    this.over = true;
    if (this.#delivery.run.callerDeadline !== undefined) deadlines.clear(this);
    calls.remove(this);
  }

  /** Its caller's time is over. */
  onExpired(): void {
    this.#delivery.abort(new CallerLeftError());
  }

  /** Replies with the outcome of the handler. */
  conclude(verdict: Verdict): MaybePromise<Verdict> {
    const delivery = this.#delivery;
    const items = delivery.run.streamed && verdict.kind === 'ack' ? itemsIn(verdict.value) : undefined;
    if (items) return this.stream(items);
    const outcome = settled(this.#context, delivery, verdict);
    if (!(outcome instanceof Promise)) return this.finish(outcome);
    return outcome.then((known) => this.finish(known));
  }

  /** Replies; the verdict is that of its request. */
  finish({ verdict: given, reply }: Outcome): Verdict {
    const delivery = this.#delivery;
    const failed = given.kind === 'dead-letter' || given.kind === 'retry';
    const verdict = failed ? left(this.#context, delivery, given) : given;
    // Late, the reply would only be ignored; and another instance replies to what goes back to its queue.
    const wanted = verdict.kind !== 'requeue' && !(delivery.run.abortedBy instanceof CallerLeftError);
    if (reply && wanted) this.reply(reply);
    return verdict;
  }

  /** Sends its one reply, if its address is allowed. */
  reply(reply: Reply): void {
    const context = this.#context;
    const delivery = this.#delivery;
    const address = replyAddress(context, delivery);
    if (address === undefined) return;
    delivery.run.answer = this;
    const message = replyMessage(context, delivery, address, reply);
    if (context.plugins.none) context.replies.begin(message, this);
    else replyWithPlugins(context, delivery, message, this);
  }

  whenOver(next: () => void): void {
    if (this.replied) next();
    else this.onReplied = next;
  }

  onArrived(): void {
    this.replied = true;
    this.onReplied?.();
  }

  /** Its reply cannot be delivered: that is logged, and never brings the request back. */
  onLost(error: Error): void {
    const { plan, logger, counters, calls } = this.#context;
    counters.repliesLost++;
    // A missing permission was logged when it was found.
    if (!(error instanceof AccessRefusedError)) {
      const { replyTo } = this.#delivery.message.properties;
      const line = `${plan.id}: the reply to '${printable(replyTo)}' was not delivered: ${printable(describeError(error))}`;
      const about = aboutMessage(this.#delivery);
      calls.lines.say(
        (text) => logger.warn(text, { event: 'reply-lost', ...about, ...errorFields(error) }),
        line,
      );
    }
    this.onArrived();
  }

  private async stream(items: AsyncIterable<unknown>): Promise<Verdict> {
    const context = this.#context;
    if (this.credit && context.calls.unreachable) {
      returnIterator(items[Symbol.asyncIterator]());
      const error = new RpcProtocolError(
        `${context.plan.id} cannot stream: the broker refuses the queue through which callers ask for more items (see the log of the service)`,
      );
      return this.finish({ verdict: DROP, reply: errorReply(context, error, this.#delivery) });
    }
    const broken = await streamReply(context, this.#delivery, items, this.credit);
    if (!broken) return ACK;
    const { error, begun } = broken;
    return left(context, this.#delivery, { kind: 'dead-letter', reason: 'not-retryable', error }, begun);
  }
}

/** The step around a handler that serves calls; none for others. */
export const reply =
  (context: RpcContext) =>
  (next: Run): Run => {
    const { rpc, codec } = context.plan;
    if (!rpc) return next;
    const stored = rpc.idempotent && idempotency(context, rpc.idempotent);
    const begin = (delivery: Delivery): MaybePromise<Verdict> => {
      // Its channel was lost but its stream goes on: a second stream would end the first.
      if (delivery.message.redelivered && context.calls.isStreaming(delivery)) return DROP;
      const granted = HEADER.stream in delivery.headers ? countHeader(delivery.headers, HEADER.stream) : 0;
      // Other formats that stream have no header for it: their callers read what arrives. A stored reply is one
      // message.
      delivery.run.streamed = granted > 0 || (!stored && codec?.encodeEnd !== undefined);
      const credit = granted > 0 ? new Credit(granted) : undefined;
      const call = new ActiveCall(context, delivery, credit, stored !== undefined);
      delivery.call = call;
      call.begin();
      let verdict: MaybePromise<Verdict>;
      try {
        if (stored && !credit) {
          verdict = stored(delivery, () => outcomeOf(context, delivery, next)).then((outcome) =>
            call.finish(outcome),
          );
        } else {
          verdict = next(delivery);
          verdict =
            verdict instanceof Promise
              ? verdict.then((known) => call.conclude(known))
              : call.conclude(verdict);
        }
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
      // Plugins may have kept it since its steps began.
      const now = context.plugins.none ? delivery.run.beganAt : context.clock.monotonic();
      const known = over(context, delivery, now);
      if (known !== undefined) return skip(context, delivery, known);
      const { replyTo } = delivery.message.properties;
      if (!rpc.skipsGone || !replyTo || !mayHaveWaited(context, delivery)) return begin(delivery);
      return asked(context, delivery, replyTo).then((reason) =>
        reason === undefined ? begin(delivery) : skip(context, delivery, reason),
      );
    };
  };

/** Runs the handler, unless it was told to stop while the store of replies was read. */
async function outcomeOf(context: RpcContext, delivery: Delivery, next: Run): Promise<Outcome> {
  const unwanted = stopped(context, delivery);
  if (unwanted) return { verdict: unwanted, reply: undefined };
  return settled(context, delivery, await next(delivery));
}

/** What becomes of a request, and its reply. `fits`: the value has been checked. */
function settled(
  context: RpcContext,
  delivery: Delivery,
  given: Verdict,
  fits = false,
): MaybePromise<Outcome> {
  const verdict = given.kind === 'retry' ? hopeless(context, delivery, given) : given;
  if (verdict.kind === 'requeue' || verdict.kind === 'retry') return { verdict, reply: undefined };
  if (verdict.kind === 'dead-letter') return { verdict, reply: errorReply(context, verdict.error, delivery) };
  const value = verdict.kind === 'ack' ? verdict.value : undefined;
  const response = context.plan.rpc?.response;
  if (response && !fits) {
    // The schema only checks: its transforms are applied by the caller.
    return assertFits(response, value, `the reply of ${context.plan.id}`).then(
      () => settled(context, delivery, verdict, true),
      (error: unknown) => unfit(context, delivery, verdict, error),
    );
  }
  try {
    return { verdict, reply: valueReply(context, value) };
  } catch (error) {
    return unfit(context, delivery, verdict, error);
  }
}

/** The handler returned a value that cannot be encoded: the caller gets that error instead of a timeout. */
function unfit(context: RpcContext, delivery: Delivery, verdict: Verdict, error: unknown): Outcome {
  context.logger.error(
    `${context.plan.id} returned a value for ${named(delivery)} that cannot be sent as a reply: ${printable(describeError(error))}; the caller got the error`,
    { event: 'reply-not-encoded', ...aboutMessage(delivery), ...errorFields(error), next: 'reply' },
  );
  return { verdict, reply: errorReply(context, error, delivery) };
}

/** A next attempt after the caller's timeout is useless: the caller gets the error now. */
function hopeless(
  { clock }: RpcContext,
  { run: { callerDeadline } }: Delivery,
  verdict: Extract<Verdict, { readonly kind: 'retry' }>,
): Verdict {
  if (callerDeadline === undefined) return verdict;
  if (clock.monotonic() + verdict.after < callerDeadline) return verdict;
  return exhausted(verdict.error);
}

function exhausted(error: unknown): Verdict {
  return { kind: 'dead-letter', reason: 'attempts-exhausted', error };
}

/**
 * An error that a handler throws after it was told to stop is not a failure. When the caller left, the request is dropped,
 * or dead-lettered where the handler keeps dead letters. At a shutdown it is requeued, unless the caller has received items.
 */
function left({ plan }: RpcContext, delivery: Delivery, verdict: Verdict, begun = false): Verdict {
  const { abortedBy } = delivery.run;
  if (abortedBy instanceof CallerLeftError) {
    if (plan.deadQueue === undefined) return DROP;
    // Nobody waits for the reply of another attempt.
    return verdict.kind === 'retry' ? exhausted(verdict.error) : verdict;
  }
  if (abortedBy instanceof ShuttingDownError) return begun ? DROP : REQUEUE;
  return verdict;
}

/**
 * When the caller stops waiting. The time that it allows is counted from the arrival, since clocks differ: a request that
 * waited longer has expired in its queue, and a caller that leaves earlier sends a cancel. A deadline as a time of day, from
 * older senders, is used only when no such time is given.
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

/** What the broker knows of the caller; what happened while it was asked counts as well. */
async function asked(
  context: RpcContext,
  delivery: Delivery,
  replyTo: string,
): Promise<SkipReason | undefined> {
  const gone = await context.callers.isGone(replyTo);
  return gone ? 'gone' : over(context, delivery, context.clock.monotonic());
}

/** Whether the caller has left, or does not wait any more. */
function over({ calls }: RpcContext, delivery: Delivery, now: number): 'left' | 'late' | undefined {
  const { correlationId } = delivery.message.properties;
  if (correlationId !== undefined && calls.left.size > 0 && calls.hasLeft(correlationId, delivery))
    return 'left';
  const { callerDeadline } = delivery.run;
  return callerDeadline !== undefined && callerDeadline <= now ? 'late' : undefined;
}

/** What becomes of a request that was told to stop before its handler ran; undefined for others. */
function stopped(context: RpcContext, delivery: Delivery): Verdict | undefined {
  const { abortedBy } = delivery.run;
  if (abortedBy instanceof ShuttingDownError) return REQUEUE;
  if (!(abortedBy instanceof CallerLeftError)) return undefined;
  return skip(context, delivery, over(context, delivery, context.clock.monotonic()) ?? 'left');
}

/** Whether a request waited long enough for its caller to be gone. */
function mayHaveWaited({ clock }: RpcContext, { headers, message, run }: Delivery): boolean {
  if (message.redelivered || run.beganAt - run.arrivedAt >= WORTH_ASKING) return true;
  const sent = Number(headers[HEADER.deadline]) - Number(message.properties.expiration);
  // Sent in the future: the clocks differ, and nothing is known.
  return Math.abs(clock.wall() - sent) >= WORTH_ASKING;
}

function skip(context: RpcContext, delivery: Delivery, reason: SkipReason): Verdict {
  const { events, plan } = context;
  if (events.hasListeners('call-skipped')) {
    events.emit({ kind: 'call-skipped', handler: plan.id, queue: delivery.queue, delivery, reason });
  }
  // By the caller's clock it may not be too late.
  if (reason === 'late') {
    new ActiveCall(context, delivery).reply(errorReply(context, new LateRequestError(), delivery));
  }
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
