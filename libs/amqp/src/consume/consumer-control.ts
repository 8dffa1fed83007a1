// What can be changed of a consumer while it runs: paused or not, prefetch, concurrency, rate. It holds through losses of
// the channel, the connection and the queue, since it belongs to the consumer and not to its channel.

import type { LiveChannel } from '../connection/channel.js';
import type { ConsumerStatus } from '../events/broker-status.js';
import type { PausedBy } from '../events/events.js';
import type { ConsumerChange } from '../options/rate.js';
import { onWall } from '../runtime/clock.js';
import { mayCancel } from './abort-at-shutdown.js';
import type { BreakerState } from './breaker.js';
import { ConsumerSwitch } from './consumer-switch.js';
import type { FlowControl } from './flow-control.js';
import { PAUSED, type Readiness } from './readiness.js';
import type { Unacked } from './settlement.js';
import type { HandlerContext } from './step.js';

/** The parts of the consumer. */
export interface ConsumerControlDeps {
  readonly context: HandlerContext;
  readonly flow: FlowControl;
  readonly unacked: Unacked;
  readonly readiness: Readiness;
  /** That it consumes on. */
  readonly channel: () => LiveChannel | undefined;
  /** Cancels the consumer; resolves to what consumes again on the same channel. */
  readonly stopFlow: () => Promise<() => Promise<void>>;
  /** Gives up the channel. */
  readonly renew: (reason: string) => void;
}

/** How long a breaker keeps the messages that it holds, in ms; then they go back, and it holds one for the next probe. */
const HELD_MOST = 60_000;

/** One per consumer. */
export class ConsumerControl {
  private readonly switch: ConsumerSwitch;
  /** The broker forgot the messages at delivery: those that are here cannot go back, so they run. */
  private readonly forgotten: boolean;
  /** The consumer has ended: nothing comes into force any more. */
  ended = false;
  private tellEnd = (): void => undefined;
  private readonly whenEnded = new Promise<void>((resolve) => (this.tellEnd = resolve));
  /** While the breaker is not closed: calls off that the messages that it holds go back. */
  private keepsUntil: (() => void) | undefined;

  constructor(private readonly deps: ConsumerControlDeps) {
    const { context, flow } = deps;
    const { plan, clock } = context;
    this.forgotten = plan.ack === 'none';
    this.switch = new ConsumerSwitch(
      plan.prefetch,
      {
        hold: () => this.hold(),
        release: () => this.release(),
        halt: (calledOff) => this.halt(calledOff),
      },
      plan.paused ? { by: 'start', since: clock.monotonic() } : undefined,
    );
    flow.onBreaker = (state) => this.onBreaker(state);
  }

  get paused(): boolean {
    return this.switch.pause !== undefined;
  }

  /** Whether it stops, or has stopped. */
  get stopping(): boolean {
    return this.switch.stopping;
  }

  /** The prefetch that is wanted. */
  get prefetch(): number {
    return this.switch.prefetch;
  }

  /** Whether the broker may deliver more beside so many unsettled messages. */
  takesMore(unsettled: number): boolean {
    return !this.stopping && unsettled < this.switch.inForce;
  }

  get concurrency(): number {
    return this.deps.flow.concurrency;
  }

  status(): Omit<
    ConsumerStatus,
    'queue' | 'handlers' | 'ready' | 'notReadySince' | 'lastError' | 'inFlight' | 'lag'
  > {
    const { flow, context } = this.deps;
    const { pause, prefetch } = this.switch;
    return {
      paused: pause && { by: pause.by, since: onWall(context.clock, pause.since) },
      breaker: flow.breaker?.state,
      prefetch,
      concurrency: flow.concurrency,
      rate: flow.rate,
      running: flow.running,
    };
  }

  /** Resolves when no handler runs and what had not begun is back in the queue. False when it was paused already. */
  pause(by: PausedBy): Promise<void> {
    const { pause } = this.switch;
    if (pause?.by === by) return this.switch.apply({});
    return this.switch.apply({ pause: { by, since: pause?.since ?? this.deps.context.clock.monotonic() } });
  }

  /** Resolves when it consumes, or has ended. */
  async resume(): Promise<void> {
    await this.switch.apply({ pause: undefined });
    await this.orEnd(this.deps.readiness.whenReady());
  }

  /** Resolves when it is in force, or the consumer has ended. */
  async change({ prefetch, concurrency, rate }: ConsumerChange): Promise<void> {
    const { flow, readiness } = this.deps;
    if (rate !== undefined) flow.setRate(rate ?? undefined);
    const done = Promise.all([
      concurrency === undefined ? undefined : flow.setConcurrency(concurrency),
      prefetch === undefined ? undefined : this.switch.apply({ prefetch }).then(() => readiness.whenReady()),
    ]);
    await this.orEnd(done);
  }

  /** Resolves when a channel may be opened. */
  opened(): Promise<void> {
    return this.switch.opened();
  }

  /** The prefetch of a channel that is being set up. */
  takePrefetch(): number {
    return this.switch.take();
  }

  /** The consumer ends. */
  end(): void {
    this.keepAll();
    this.switch.end();
  }

  /** It has ended, and does not open a channel any more. */
  letGo(): void {
    this.ended = true;
    this.tellEnd();
    this.switch.letGo();
  }

  private async orEnd(done: Promise<unknown>): Promise<void> {
    await Promise.race([done, this.whenEnded]);
  }

  private hold(): void {
    if (!this.forgotten) this.deps.flow.hold();
  }

  private release(): void {
    const { flow, channel, readiness } = this.deps;
    if (!channel()) readiness.wanted();
    if (!this.forgotten) flow.release();
  }

  /** See `Switched`. */
  private async halt(calledOff: Promise<void>): Promise<boolean> {
    const { context, unacked, channel, readiness, stopFlow, renew } = this.deps;
    // As at a shutdown: see abort-at-shutdown.ts.
    const again = mayCancel(context.plan) ? await stopFlow() : undefined;
    const quiet = this.forgotten ? unacked.none() : unacked.quiet();
    const isOff = await Promise.race([quiet.then(() => false), calledOff.then(() => true)]);
    if (isOff) {
      await again?.();
      return false;
    }
    const on = channel();
    if (on?.alive) {
      renew(PAUSED);
      await on.closed;
    }
    if (this.paused) readiness.rest();
    return true;
  }

  /** A breaker that stays open must not keep what it holds until the broker takes that back. */
  private onBreaker(state: BreakerState): void {
    const { clock, settings } = this.deps.context;
    const most =
      settings.consumerTimeout === 0 ? HELD_MOST : Math.min(HELD_MOST, settings.consumerTimeout / 3);
    if (state !== 'closed') {
      this.keepsUntil ??= clock.after(most, () => void this.giveBack());
    } else {
      this.keepAll();
      void this.switch.apply({ narrow: false });
    }
  }

  private async giveBack(): Promise<void> {
    const outage = this.keepsUntil;
    // A probe that hangs must not keep the next one from its run, which a narrow consumer would wait with.
    await this.deps.unacked.quiet();
    if (outage === this.keepsUntil) await this.switch.apply({ narrow: true });
  }

  private keepAll(): void {
    this.keepsUntil?.();
    this.keepsUntil = undefined;
  }
}
