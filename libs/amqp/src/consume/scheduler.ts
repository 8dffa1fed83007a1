import { AsyncResource } from 'node:async_hooks';
import { type Delivery, named } from '../message/delivery.js';
import { countHeader, HEADER } from '../message/headers.js';
import { chain, type MaybePromise } from '../runtime/maybe-promise.js';
import { programContext } from '../runtime/program-context.js';
import { BatchExecutor } from './batch.js';
import { decodingBudget, executorOf, type Executor } from './executor.js';
import type { Handlers } from './dispatch.js';
import type { Settlement, Unacked } from './settlement.js';
import type { HandlerContext } from './step.js';
import { FlowControl } from './flow-control.js';
import { SuspectIsolation, SuspectReport, Suspects } from './suspects.js';

/** What may wait. */
export interface BackpressureLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** Small ones, each of which takes more memory than its body. */
export const WAITING_MESSAGES = 10_000;

/**
 * `ack: 'none'`: the broker pushes and waits for nothing, so what arrived and was not handled yet needs a bound here.
 * At the bound the consumer is cancelled: messages stay in the queue, where they are safe, until half is handled. One
 * per consumer.
 */
export class Backpressure {
  private messages = 0;
  private bytes = 0;
  private holding = false;
  private waiters: (() => void)[] = [];

  constructor(
    /** Ends the flow; what comes to is called when half is handled. Must not reject. */
    private readonly pause: () => Promise<(() => Promise<void>) | undefined>,
    private readonly limits: BackpressureLimits,
  ) {}

  arrived(bytes: number): void {
    this.messages++;
    this.bytes += bytes;
    if (!this.holding && !this.isBelow(1)) void this.hold();
  }

  handled(bytes: number): void {
    this.messages--;
    this.bytes -= bytes;
    if (this.waiters.length > 0 && this.isBelow(0.5)) for (const wake of this.waiters.splice(0)) wake();
  }

  /** Resolves when half of the bound is free, at once unless the flow is paused. */
  untilFree(): Promise<void> {
    if (!this.holding || this.isBelow(0.5)) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private async hold(): Promise<void> {
    this.holding = true;
    const resume = await this.pause();
    await this.untilFree();
    this.holding = false;
    await resume?.();
  }

  private isBelow(share: number): boolean {
    return this.messages < share * this.limits.messages && this.bytes < share * this.limits.bytes;
  }
}

/** The parts of a consumer that its scheduler uses. */
export interface SchedulerDeps {
  readonly context: HandlerContext;
  readonly handlers: Handlers;
  readonly unacked: Unacked;
  readonly settlement: Settlement;
  /** Cancels the consumer; resolves to what consumes again. Must not reject. */
  readonly pause: () => Promise<(() => Promise<void>) | undefined>;
  /** Resolves when the broker has taken all acks up to now. May reject. */
  readonly acksAnswered: () => Promise<void>;
}

/**
 * Decides when the handler of a delivery runs: at once or as one of a batch, up to `concurrency` at the same time, in
 * the order of its key; and a suspect, which may have crashed a process, while nothing else of its queue runs. Hands
 * the verdict to the settlement. One per consumer.
 */
export class DeliveryScheduler {
  /** What stops and slows it: pauses, the rate, the breaker. */
  readonly flow: FlowControl;
  private readonly executor: Executor;
  /** The handler of a delivery, and what its verdict comes to. Neither throws nor rejects. */
  private readonly run: (delivery: Delivery) => MaybePromise<void>;
  private readonly suspects = new Suspects();
  private readonly report: SuspectReport;
  private readonly isolation: SuspectIsolation;
  /** Bounds what the broker pushes to a consumer without acks. */
  private readonly backpressure: Backpressure | undefined;
  /** Copies of suspects on their way, whose originals are not acked yet. */
  private readonly copying = new Set<Promise<void>>();
  /** False where nothing is delivered again: without acks, from a stream, from a queue that ends with its process. */
  private readonly judges: boolean;
  /** The broker forgot the messages at delivery, so none can go back. */
  private readonly noAck: boolean;
  /** A shutdown has begun: what comes now goes back. */
  private stopped = false;
  /** Suspects that came while it is held. */
  private parked: Delivery[] = [];

  constructor(private readonly deps: SchedulerDeps) {
    const { plan, clock, logger, settings } = deps.context;
    const { batch, concurrency, queue, registration } = plan;
    this.noAck = plan.ack === 'none';
    this.judges = !this.noAck && registration.options.stream === undefined && !queue.temporary;
    const budget = decodingBudget(settings);
    const one = plan.breaker ? this.runWatched : this.runOne;
    if (this.noAck) {
      const limits = { messages: WAITING_MESSAGES, bytes: budget.limit };
      const flow = new Backpressure(deps.pause, limits);
      const handled = ({ message }: Delivery): void => flow.handled(message.content.length);
      this.run = (delivery) => chain(one(delivery), () => handled(delivery));
      this.backpressure = flow;
    } else {
      this.run = batch ? (delivery) => this.runList([delivery]) : one;
    }
    this.executor = batch
      ? new BatchExecutor(batch, concurrency, clock, (list) => this.runList(list), budget)
      : executorOf(plan, this.run, budget);
    this.flow = new FlowControl(deps.context, this.executor, deps.handlers, () => this.unpark());
    this.isolation = this.isolate();
    this.report = new SuspectReport(queue, clock, logger);
  }

  /** A delivery without acks is here, and counts against what may wait. */
  arrived(delivery: Delivery): void {
    this.backpressure?.arrived(delivery.message.content.length);
  }

  /** Runs its handler when its turn comes; none any more after `stop`. */
  push(delivery: Delivery): void {
    if (this.stopped) return this.leave(delivery);
    // On its first delivery nothing is known against a message, unless its header says so.
    const { headers, message } = delivery;
    const known = message.redelivered || headers[HEADER.trial] !== undefined;
    if (known && this.judges && !this.admits(delivery)) return;
    this.executor.push(delivery);
  }

  /** Whether a delivery runs like the others; false when it is taken care of. */
  private admits(delivery: Delivery): boolean {
    const suspicion = this.suspects.judge(delivery);
    switch (suspicion.kind) {
      case 'suspect':
        this.trial(delivery, suspicion.trial);
        return false;
      case 'alone':
        this.setApart(delivery);
        return false;
      case 'uncounted':
        this.report.uncounted(named(delivery));
        return true;
      case 'guilty':
        delivery.run.poison = suspicion.error;
        return true;
      default:
        return true;
    }
  }

  /** A delivery that a shutdown does not begin goes back with its channel, unless that would count against it. */
  private leave(delivery: Delivery): void {
    if (this.judges && trialOf(delivery) > 0 && !delivery.message.redelivered) void this.putBack(delivery);
    else this.deps.unacked.remove(delivery);
  }

  /**
   * Starts no more. Messages that have not started return to the queue, unless the broker has forgotten them: then
   * they still run.
   */
  stop(): void {
    if (this.noAck) return this.flow.end(true);
    this.stopped = true;
    for (const delivery of this.parked.splice(0)) this.leave(delivery);
    // These go back with the channel, which keeps their order: nacked, a quorum queue would move them to its end.
    for (const delivery of this.executor.stop()) this.deps.unacked.remove(delivery);
    for (const delivery of this.isolation.stop()) void this.putBack(delivery);
    this.flow.end(false);
  }

  /** The channel died of what `isGone` holds: forgets those that had not started, and excuses all but the `late` ones that had. */
  forget(isGone: (delivery: Delivery) => boolean, late: readonly Delivery[]): void {
    if (this.noAck) return;
    this.executor.forget(isGone);
    this.isolation.forget(isGone);
    this.parked = this.parked.filter((delivery) => !isGone(delivery));
    for (const delivery of this.deps.unacked.deliveries()) {
      const harmed = late.includes(delivery) && delivery.run.beganAt > 0;
      if (isGone(delivery) && !harmed) this.suspects.excuse(delivery);
    }
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    return this.executor.idle();
  }

  /** Resolves when more may arrive. */
  async untilFree(): Promise<void> {
    await this.backpressure?.untilFree();
  }

  /** Moves it to the end of its queue, from where it runs by itself; runs it here if it cannot be published. */
  private trial(delivery: Delivery, trial: number): void {
    this.report.found(named(delivery));
    this.suspects.renewed(delivery);
    const sending = this.deps.settlement.suspect(delivery, trial, false).then((sent) => {
      this.copying.delete(sending);
      if (!sent) this.setApart(delivery);
    });
    this.copying.add(sending);
  }

  /** A suspect that was not started: returned, it would count as one that was. */
  private async putBack(delivery: Delivery): Promise<void> {
    const { settlement, unacked } = this.deps;
    if (!(await settlement.suspect(delivery, trialOf(delivery), false))) unacked.remove(delivery);
  }

  private setApart(delivery: Delivery): void {
    if (this.stopped) this.leave(delivery);
    else if (this.flow.takesSuspect()) this.isolation.push(delivery);
    else this.parked.push(delivery);
  }

  private unpark(): void {
    if (!this.flow.takesSuspect()) return;
    // A breaker probes with one.
    const many = this.flow.held ? 1 : this.parked.length;
    for (const delivery of this.parked.splice(0, many)) this.isolation.push(delivery);
  }

  /** It was held while it waited for others to end: it waits again. */
  private async runApart(delivery: Delivery): Promise<void> {
    if (this.flow.takesSuspect()) await this.run(delivery);
    else this.setApart(delivery);
  }

  private isolate(): SuspectIsolation {
    const { context, settlement, unacked, acksAnswered } = this.deps;
    return new SuspectIsolation({
      clock: context.clock,
      hold: () => this.executor.limits.hold(),
      release: () => this.executor.limits.release(),
      quiet: () => unacked.quiet(),
      putAway: async (delivery) => {
        if (!(await settlement.suspect(delivery, trialOf(delivery), true))) await this.runApart(delivery);
      },
      settled: async () => {
        // A copy may be here before its confirm, and the message that it replaces is acked only then.
        await Promise.all(this.copying);
        await acksAnswered().catch(() => undefined);
      },
      leave: (delivery) => void this.putBack(delivery),
      run: (delivery) => this.runApart(delivery),
    });
  }

  private readonly runWatched = inOwnContext((delivery: Delivery): MaybePromise<void> => {
    const { handlers, settlement } = this.deps;
    this.flow.begins();
    return chain(handlers.runOf(delivery)(delivery), (verdict) => {
      this.flow.ran([delivery], [verdict]);
      settlement.finish(delivery, verdict);
    });
  });

  private readonly runOne = inOwnContext((delivery: Delivery): MaybePromise<void> => {
    const { handlers, settlement } = this.deps;
    const verdict = handlers.runOf(delivery)(delivery);
    if (verdict instanceof Promise) return verdict.then((value) => settlement.finish(delivery, value));
    settlement.finish(delivery, verdict);
  });

  private readonly runList = inOwnContext(async (list: readonly Delivery[]): Promise<void> => {
    const { handlers, settlement } = this.deps;
    this.flow.begins();
    const verdicts = await handlers.runBatch(list);
    this.flow.ran(list, verdicts);
    list.forEach((each, index) => settlement.finish(each, verdicts[index]));
  });
}

/** `work`, which runs in an async context of its own each time, made from that of the program. */
function inOwnContext<Input, T>(work: (input: Input) => T): (input: Input) => T {
  const inOwn = (input: Input): T =>
    new AsyncResource('WARREN', WITHOUT_HOOKS).runInAsyncScope(work, undefined, input);
  return programContext.runInAsyncScope.bind(programContext, inOwn, undefined) as (input: Input) => T;
}

/** No hook is called when it is collected, which costs less. */
const WITHOUT_HOOKS = { requireManualDestroy: true };

const trialOf = ({ headers }: Delivery): number => countHeader(headers, HEADER.trial);
