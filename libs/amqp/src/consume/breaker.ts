// A breaker stops a consumer whose handler keeps failing because something that it needs is down: messages wait in their
// queue instead of using up their attempts. After a while one message runs as a probe, and its outcome decides.

import type { Verdict } from '../message/delivery.js';
import { RetrySignal } from '../errors/signals.js';
import { humanDuration } from '../options/duration.js';
import type { Clock } from '../runtime/clock.js';
import type { BreakerPlan, HandlerPlan } from '../topology/handler-plan.js';

/** `closed`: messages run. `open`: none starts. `half-open`: one runs, or the next one will, to find out. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** What an outcome tells about what the handler needs; `neutral`: nothing. */
export type Outcome = 'success' | 'failure' | 'neutral';

/** What the breaker does to its consumer. */
export interface BreakerDeps {
  readonly clock: Clock;
  /** Starts nothing more until `release`. */
  hold(): void;
  release(): void;
  /** Starts one more message, although it holds: the first one that waits, or the next one that comes. */
  readonly allow: () => void;
  /** Starts none, if that has not happened. */
  readonly disallow: () => void;
  /** It changed; `error` is what the handler failed with last. */
  readonly changed: (state: BreakerState, error: unknown) => void;
}

/** How long a probe takes at most, in ms, or as long as the pause: one that hangs must not be the last. */
const LONGEST_PROBE = 60_000;

/** One per consumer. */
export class Breaker {
  state: BreakerState = 'closed';
  /** The last outcomes that tell something, in a ring; true is a failure. */
  private readonly ring: boolean[] = [];
  private place = 0;
  private failed = 0;
  private error: unknown;
  /** When the first probe may begin: what began before says nothing new. */
  private probedAt = Infinity;
  private due = false;
  private cancel: (() => void) | undefined;
  private ended = false;

  constructor(
    private readonly plan: BreakerPlan,
    private readonly deps: BreakerDeps,
  ) {}

  /** Whether a probe may begin, and none has. */
  get probeDue(): boolean {
    return this.due;
  }

  /** A run begins. A probe that has not ended after some time counts as failed. */
  begins(): void {
    if (!this.due) return;
    this.notDue();
    const most = Math.max(LONGEST_PROBE, this.plan.pause);
    this.cancel = this.deps.clock.after(most, () => {
      this.error = new Error(`the probe has not ended after ${humanDuration(most)}`);
      this.open();
    });
  }

  /** A run ended that began at that time of the monotonic clock, 0 if the handler was not called. */
  outcome(outcome: Outcome, beganAt: number, error?: unknown): void {
    if (outcome === 'failure') this.error = error;
    if (this.state === 'closed') return this.count(outcome);
    // What ran already when it opened says nothing new.
    if (beganAt === 0 ? this.state === 'open' : beganAt < this.probedAt) return;
    // Also of a probe that was given up.
    if (outcome === 'success') return this.close();
    if (this.state === 'open') return;
    if (outcome === 'neutral') this.next();
    else this.open();
  }

  /** Holds nothing any more, for a consumer that ends. */
  end(): void {
    this.ended = true;
    this.cancel?.();
    if (this.state !== 'closed') this.deps.release();
    this.state = 'closed';
  }

  private count(outcome: Outcome): void {
    if (outcome === 'neutral' || this.ended) return;
    const { failures, of } = this.plan;
    const failure = outcome === 'failure';
    this.failed += Number(failure) - Number(this.ring[this.place] ?? false);
    this.ring[this.place] = failure;
    this.place = (this.place + 1) % of;
    if (this.failed < failures) return;
    this.deps.hold();
    this.open();
  }

  private open(): void {
    const { clock, changed } = this.deps;
    this.state = 'open';
    this.notDue();
    this.cancel?.();
    this.cancel = clock.after(this.plan.pause, () => this.probe());
    changed('open', this.error);
  }

  private probe(): void {
    const { clock, changed } = this.deps;
    this.state = 'half-open';
    this.probedAt = Math.min(this.probedAt, clock.monotonic());
    changed('half-open', this.error);
    this.next();
  }

  private next(): void {
    this.cancel?.();
    this.due = true;
    this.deps.allow();
  }

  private notDue(): void {
    if (this.due) this.deps.disallow();
    this.due = false;
  }

  private close(): void {
    this.state = 'closed';
    this.notDue();
    this.cancel?.();
    this.probedAt = Infinity;
    this.ring.length = this.place = this.failed = 0;
    this.deps.changed('closed', undefined);
    this.deps.release();
  }
}

/**
 * What the verdict of a handler says of what it needs. A throw and a timeout are failures. What the handler decided by
 * itself, what it declared (`retry.not`, `retry.on`, `errors`) and what never reached it are not.
 */
export function outcomeOf(verdict: Verdict, plan: Pick<HandlerPlan, 'rpc'> | undefined): Outcome {
  if (verdict.kind === 'ack' || verdict.kind === 'open') return 'success';
  // Dropped: also a request whose caller is gone, which was not run.
  if (verdict.kind === 'drop' || verdict.kind === 'requeue') return 'neutral';
  if (verdict.error instanceof RetrySignal) return 'neutral';
  if (verdict.kind === 'retry' || verdict.reason === 'attempts-exhausted') {
    const { error } = verdict;
    const declared = [...(plan?.rpc?.known.values() ?? [])].some((type) => error instanceof type);
    return declared ? 'success' : 'failure';
  }
  // It ran and came to a decision of its own.
  return verdict.reason === 'rejected' || verdict.reason === 'not-retryable' ? 'success' : 'neutral';
}
