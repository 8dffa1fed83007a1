// What stops and slows the handlers of one consumer: pauses, its rate limit and its breaker. Without them a message passes
// nothing of this.

import { errorFields } from '../errors/error-facts.js';
import type { Delivery, Verdict } from '../message/delivery.js';
import { humanDuration } from '../options/duration.js';
import { messagesPerSecond, type Rate } from '../options/rate.js';
import { describeError, printable } from '../runtime/logger.js';
import { Breaker, outcomeOf, type BreakerState, type Outcome } from './breaker.js';
import type { Handlers } from './dispatch.js';
import type { Executor } from './executor.js';
import { RateLimit } from './rate-limit.js';
import type { HandlerContext } from './step.js';

/** One per consumer. */
export class FlowControl {
  readonly breaker: Breaker | undefined;
  /** As it was set. */
  rate: Rate | undefined;
  /** Hears what the breaker comes to. */
  onBreaker: (state: BreakerState) => void = () => undefined;
  private limit: RateLimit | undefined;
  private holds = 0;
  private openSince = 0;

  constructor(
    private readonly context: HandlerContext,
    private readonly executor: Executor,
    private readonly handlers: Pick<Handlers, 'planOf'>,
    /** `takesSuspect` may have become true. */
    private readonly onFree: () => void,
  ) {
    const { plan, clock } = context;
    if (plan.rate !== undefined) this.setRate(plan.rate);
    if (!plan.breaker) return;
    this.breaker = new Breaker(plan.breaker, {
      clock,
      hold: () => this.hold(),
      release: () => this.release(),
      allow: () => this.allow(),
      disallow: () => executor.disallow(),
      changed: (state, error) => this.changed(state, error),
    });
  }

  /** Whether no handler starts. */
  get held(): boolean {
    return this.holds > 0;
  }

  /** Whether a suspect may begin: nothing holds, or it becomes the probe of the breaker. */
  takesSuspect(): boolean {
    return this.holds === 0 || (this.holds === 1 && this.breaker?.probeDue === true);
  }

  /** How many messages or batches are handled now. */
  get running(): number {
    return this.executor.limits.count;
  }

  get concurrency(): number {
    return this.executor.limits.limit;
  }

  /** Starts no handlers until as many calls of `release`. */
  hold(): void {
    this.holds++;
    this.executor.limits.hold();
  }

  release(): void {
    this.holds--;
    this.executor.limits.release();
    this.onFree();
  }

  /** Starts no more messages in a second than this; undefined: no limit. */
  setRate(rate: Rate | undefined): void {
    const { limits } = this.executor;
    this.limit?.end();
    this.rate = rate;
    this.limit =
      rate === undefined
        ? undefined
        : new RateLimit(messagesPerSecond(rate, 'rate'), this.context.clock, () => limits.next());
    limits.rate = this.limit;
    limits.next();
  }

  /** Resolves when no more than that run. */
  setConcurrency(concurrency: number): Promise<void> {
    return this.executor.limits.resize(concurrency);
  }

  /** Handlers begin. */
  begins(): void {
    this.breaker?.begins();
  }

  /** Handlers ended. A batch is one outcome: that of its first failure. */
  ran(list: readonly Delivery[], verdicts: readonly Verdict[]): void {
    const { breaker, handlers } = this;
    if (!breaker) return;
    let outcome: Outcome = 'neutral';
    let error: unknown;
    list.forEach((delivery, index) => {
      const verdict = delivery.decided ?? verdicts[index];
      const own = outcomeOf(verdict, handlers.planOf(delivery));
      if (own === 'neutral' || outcome === 'failure') return;
      outcome = own;
      if ('error' in verdict) error = verdict.error;
    });
    breaker.outcome(outcome, Math.max(...list.map(({ run }) => run.beganAt)), error);
  }

  /** No timers any more. `lift`: what waits starts as soon as it can. */
  end(lift: boolean): void {
    this.limit?.end();
    this.breaker?.end();
    if (lift) this.setRate(undefined);
  }

  private allow(): void {
    this.executor.allow();
    this.onFree();
  }

  private changed(state: BreakerState, error: unknown): void {
    const { plan, clock, events, logger } = this.context;
    const { breaker } = plan;
    if (!breaker) return;
    const [handler, queue] = [plan.id, plan.queue.name];
    const probed = this.openSince !== 0;
    if (!probed) this.openSince = clock.monotonic();
    const { failures, of, pause } = breaker;
    if (state === 'open') {
      const found = probed ? 'the probe failed' : `${failures} of the last ${of} runs failed`;
      const why = printable(describeError(error));
      logger.warn(
        `the breaker of ${handler} is open (${found}: ${why}); next probe in ${humanDuration(pause)}`,
        { event: 'breaker-open', handler, queue, ...errorFields(error) },
      );
      events.emit({ kind: 'breaker-open', handler, queue, error, pause, probed });
    } else if (state === 'half-open') {
      events.emit({ kind: 'breaker-half-open', handler, queue });
    } else {
      const ms = Math.round(clock.monotonic() - this.openSince);
      this.openSince = 0;
      logger.log(
        `the breaker of ${handler} is closed after ${humanDuration(ms)}; '${queue}' is consumed again`,
        { event: 'breaker-closed', handler, queue },
      );
      events.emit({ kind: 'breaker-closed', handler, queue, ms });
    }
    this.onBreaker(state);
  }
}
