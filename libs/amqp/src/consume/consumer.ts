import { randomUUID } from 'node:crypto';
import { withTimeout } from '../runtime/clock.js';
import { ConnectionLostError, RabbitError } from '../errors/errors.js';
import { describeError } from '../runtime/logger.js';
import { onWall } from '../runtime/clock.js';
import { Delivery, named, aboutMessage } from '../message/delivery.js';
import { oldestLag } from '../message/lag.js';
import { HEADER, safeHeaders } from '../message/headers.js';
import type { ReceivedMessage } from '../message/message.js';
import type { LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { streamEnd, StreamOffset } from './stream-offset.js';
import { isPermanent } from '../connection/connect-error.js';
import { RecoveringChannel } from '../connection/recovering-channel.js';
import { declareTemporary, declarePermitted } from '../topology/declare.js';
import { declareError } from '../topology/declare-error.js';
import { POISON_DELIVERIES } from '../topology/handler-limits.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import type { TopologyPlan } from '../topology/plan.js';
import { mayHideDeletion, type BindingSpec } from '../topology/specs.js';
import { poison } from './suspects.js';
import {
  cancelReason,
  heldTooLong,
  lossReason,
  mayBeSlow,
  stopLate,
  timesTakenBack,
} from './consumer-timeout.js';
import { type Dispatch, Handlers } from './dispatch.js';
import { acksTaken, abortHandlers, mayCancel } from './abort-at-shutdown.js';
import { ConsumerControl } from './consumer-control.js';
import { DeliveryScheduler } from './scheduler.js';
import { PAUSED, Readiness } from './readiness.js';
import type { ConsumerStatus } from '../events/broker-status.js';
import type { HandlerContext } from './step.js';
import { Settlement, Unacked } from './settlement.js';
import type { Watchable, Watched } from './watchdog.js';

/** Dependencies. */
export interface ConsumerOptions {
  readonly connection: Connection;
  /** One per handler, all of the same queue; consumer options are equal in all. */
  readonly contexts: readonly HandlerContext[];
  readonly dispatch: Dispatch;
  /** What its queue needs on the broker. */
  readonly topology: TopologyPlan;
  /** Whether the connection declared everything when it opened. */
  readonly declared: () => boolean;
}

/** How long a message that was moved here waits for the ack of its original, in ms; then it runs all the same. */
const MOVE_TIMEOUT = 5_000;

/**
 * The consumer of one queue, for all its handlers: takes deliveries from its channel, runs up to `concurrency` at once,
 * and settles each on the channel that it came on. It resumes after every loss, and declares its queue again if it was
 * deleted.
 */
export class Consumer implements Watchable {
  readonly plan: HandlerPlan;
  /** Pauses it, and changes its limits. */
  readonly control: ConsumerControl;
  private readonly context: HandlerContext;
  private readonly recovering: RecoveringChannel;
  private readonly handlers: Handlers;
  private readonly unacked: Unacked;
  private readonly settlement: Settlement;
  /** Where it reads a stream; undefined for a queue. */
  private readonly position: StreamOffset | undefined;
  /** The broker forgot the messages at delivery: it would not deliver again what is dropped here. */
  private readonly forgotten: boolean;
  private readonly scheduler: DeliveryScheduler;
  private queueName: string;
  private tag: string | undefined;
  private lives = 0;
  private draining = false;
  private drained: Promise<void> | undefined;
  private readonly readiness: Readiness;
  private started: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(private readonly options: ConsumerOptions) {
    this.context = options.contexts[0];
    this.plan = this.context.plan;
    this.readiness = new Readiness(this.context);
    this.queueName = this.plan.queue.name;
    this.forgotten = this.plan.ack === 'none';
    this.handlers = new Handlers(options.contexts, options.dispatch);
    this.unacked = new Unacked(this.forgotten);
    this.settlement = new Settlement(this.context, this.handlers, this.unacked);
    if (this.plan.registration.options.stream !== undefined) this.position = new StreamOffset();
    this.scheduler = new DeliveryScheduler({
      context: this.context,
      handlers: this.handlers,
      unacked: this.unacked,
      settlement: this.settlement,
      pause: () => this.pause(),
      acksAnswered: async () => this.recovering.current?.acksAnswered(),
    });
    this.control = new ConsumerControl({
      context: this.context,
      flow: this.scheduler.flow,
      unacked: this.unacked,
      readiness: this.readiness,
      channel: () => this.recovering.underWay,
      stopFlow: () => this.stopFlow(),
      renew: (reason) => this.renew(reason),
    });
    this.recovering = new RecoveringChannel({
      connection: options.connection,
      kind: 'plain',
      clock: this.context.clock,
      reconnect: this.context.settings.reconnect,
      wanted: () => this.control.opened(),
      setup: (channel) => this.setUp(channel),
      beforeClose: (channel) => this.beforeClose(channel),
      onReady: () => this.onReady(),
      onLost: (channel, reason) => this.onLost(channel, reason),
      onFailed: (error) => this.onFailed(error),
    });
  }

  /** Its names in logs and errors. */
  get ids(): readonly string[] {
    return this.options.contexts.map(({ plan }) => plan.id);
  }

  /** Resolves at the first consume-ok, at once when it is paused; rejects when the broker refuses for good, or it ended. */
  start(): Promise<void> {
    if (this.draining) return Promise.reject(this.closedEarly());
    const started = new Promise<void>((resolve, reject) => {
      this.started = { resolve, reject };
      this.recovering.start();
    });
    if (this.control.paused) this.readiness.rest();
    return Promise.race([started, this.readiness.whenReady()]);
  }

  status(): ConsumerStatus {
    const { queueName: queue } = this;
    const { since, lastError } = this.readiness;
    const notReadySince = since === undefined ? undefined : onWall(this.context.clock, since);
    const ready = this.recovering.current !== undefined && !this.draining;
    return {
      queue,
      handlers: this.ids,
      ready,
      notReadySince,
      lastError,
      inFlight: this.unacked.size,
      lag: oldestLag(this.unacked.deliveries(), this.context.clock),
      ...this.control.status(),
    };
  }

  watched(): Watched {
    const { queue, registration } = this.plan;
    const { singleActive, priority, stream } = registration.options;
    const standby = singleActive === true || queue.arguments['x-single-active-consumer'] === true;
    const reads = stream !== undefined || queue.arguments['x-queue-type'] === 'stream';
    return {
      queue: this.queueName,
      life: this.status().ready && this.tag !== undefined ? this.lives : undefined,
      delivered: this.unacked.taken,
      free: this.control.takesMore(this.unacked.size),
      mayIdle: standby || priority !== undefined || reads,
      counted: !reads,
      mayBeCutOff:
        !this.forgotten && this.unacked.size === 0 && mayHideDeletion(this.options.connection.server, queue),
      since: this.draining ? undefined : this.readiness.since,
    };
  }

  /** Bindings of a queue that goes with this consumer, while it has one. */
  temporary(): BindingSpec[] {
    const { queue } = this.plan;
    if (!queue.temporary || this.recovering.current === undefined) return [];
    const destination = { kind: 'queue' as const, name: this.queueName };
    return this.options.topology.bindings
      .filter((binding) => binding.destination.name === queue.name)
      .map((binding) => ({ ...binding, destination }));
  }

  overdue(): string | undefined {
    return this.draining ? undefined : this.readiness.overdue();
  }

  renew(reason?: string): void {
    if (!this.draining) this.recovering.renew(reason);
  }

  /** The messages that are not settled. */
  unsettled(): Delivery[] {
    return [...this.unacked.deliveries()];
  }

  /**
   * Starts no new handlers; returns messages that have not started; waits for the rest until `expired`. Always
   * settles.
   */
  drain(expired: Promise<void>): Promise<void> {
    this.drained ??= this.endWork(expired);
    return this.drained;
  }

  private async endWork(expired: Promise<void>): Promise<void> {
    this.draining = true;
    this.readiness.ended();
    this.started?.reject(this.closedEarly());
    this.started = undefined;
    this.scheduler.stop();
    this.control.end();
    const channel = this.recovering.current;
    if (channel && this.tag !== undefined && mayCancel(this.plan)) {
      await Promise.race([channel.cancel(this.tag).catch(() => undefined), expired]);
    }
    await Promise.race([Promise.all([this.scheduler.idle(), this.unacked.none()]), expired]);
    await abortHandlers(this.unacked, this.queueName, this.context);
    const closed = this.recovering.close();
    this.control.letGo();
    await closed;
  }

  private closedEarly(): ConnectionLostError {
    const why = `the broker object was closed before the consumer of '${this.queueName}' was ready`;
    return new ConnectionLostError(why);
  }

  private async beforeClose(channel: LiveChannel): Promise<void> {
    if (!this.forgotten) await acksTaken(channel, this.plan, this.queueName, this.context.clock);
  }

  private async setUp(channel: LiveChannel): Promise<void> {
    const { queue, consumeArguments } = this.plan;
    const { connection, topology } = this.options;
    // The connection declared everything when it opened; a later channel may find its queue missing.
    if (queue.temporary) {
      const former = this.queueName;
      this.queueName = `${queue.name}.${randomUUID().slice(0, 8)}`;
      // With a pause in between it would go with its consumer.
      const autoDelete = !this.forgotten;
      if (!autoDelete && this.lives > 0) await channel.declaring.deleteQueue(former);
      await declareTemporary(channel.declaring, queue, this.queueName, topology.bindings, autoDelete);
    } else if (this.lives > 0 || !this.options.declared()) {
      await declarePermitted(connection, topology);
    }
    this.lives++;
    const place = this.position?.unknown(consumeArguments);
    if (place) {
      const look = (on: LiveChannel['declaring']): Promise<number | undefined> =>
        streamEnd(on, this.queueName, place, this.context.clock);
      // Without an answer it begins as the broker understands it.
      this.position?.begin(await connection.withChannel(look).catch(() => undefined));
    }
    await channel.prefetch(this.control.takePrefetch());
    await this.scheduler.untilFree();
    await this.consume(channel);
  }

  private async consume(channel: LiveChannel): Promise<void> {
    const { queue, ack, consumeArguments } = this.plan;
    try {
      this.tag = await channel.consume(
        this.queueName,
        { noAck: ack === 'none', arguments: this.position?.from(consumeArguments) ?? consumeArguments },
        this.onMessage,
      );
    } catch (error) {
      throw declareError(error, { what: 'queue', name: this.queueName, declaredBy: queue.declaredBy });
    }
  }

  /** Too much waits: nothing more until what it comes to is called. */
  private async pause(): Promise<() => Promise<void>> {
    this.readiness.paused(this.queueName);
    return this.stopFlow();
  }

  /** Cancels the consumer; resolves to what consumes again on the same channel. */
  private async stopFlow(): Promise<() => Promise<void>> {
    const channel = this.recovering.current;
    const { tag } = this;
    this.tag = undefined;
    if (channel && tag !== undefined) await channel.cancel(tag).catch(() => undefined);
    return async () => {
      // A new channel already consumes, or nothing is wanted.
      if (!channel?.alive || this.draining || this.tag !== undefined) return;
      await this.consume(channel).catch((error: unknown) => this.recovering.renew(describeError(error)));
    };
  }

  private onReady(): void {
    // It was paused while this channel was opened.
    if (this.control.stopping) return this.recovering.renew(PAUSED);
    this.started?.resolve();
    this.started = undefined;
    if (!this.draining) this.readiness.ready(this.queueName);
  }

  private onLost(channel: LiveChannel, why: string): void {
    const reason = lossReason(why);
    const late = this.heldTooLong(channel, reason);
    // What had not started is delivered again; what runs goes on, and finds its channel gone when it settles.
    this.scheduler.forget((delivery) => this.unacked.cameOn(delivery, channel), late);
    this.position?.leave(this.unacked.deliveries());
    this.unacked.removeAll(channel, mayBeSlow(reason));
    if (!this.draining) this.readiness.lost(this.queueName, reason);
    if (this.control.paused) this.readiness.rest();
  }

  private onFailed(error: unknown): void {
    if (this.control.stopping) return;
    // Only an answer of the broker is final; a connection or channel that went away comes back.
    const answered = error instanceof RabbitError && isPermanent(error);
    const final = answered && this.started !== undefined && this.options.connection.state === 'open';
    this.readiness.failed(this.queueName, error, final);
    if (!final) return;
    this.started?.reject(error);
    this.started = undefined;
  }

  private readonly onMessage = (message: ReceivedMessage | 'cancelled', channel: LiveChannel): void => {
    if (message === 'cancelled') return this.onCancelled();
    // Given up with its channel: the broker delivers it again, as it does with what a shutdown does not want any more.
    if ((!channel.alive || channel.leaving) && !this.forgotten) return;
    const running = message.redelivered ? this.unacked.takeBack(message, channel) : undefined;
    if (running) return this.tookBack(running, message);
    const { clock, late } = this.context;
    const delivery = new Delivery(message, this.queueName, this.settlement);
    delivery.run.arrivedAt = clock.monotonic();
    this.unacked.add(delivery, channel);
    if (this.forgotten) this.scheduler.arrived(delivery);
    this.position?.pass(delivery);
    const { headers } = delivery;
    // What has waited has one of these.
    const hasWaited = headers[HEADER.due] !== undefined || headers[HEADER.move] !== undefined;
    const moved = hasWaited ? late.arrived(message) : undefined;
    if (moved) void this.takeWhen(moved, delivery, channel);
    else this.scheduler.push(delivery);
  };

  private onCancelled(): void {
    const { clock, settings } = this.context;
    const own = this.plan.queue.arguments['x-consumer-timeout'];
    const limit = typeof own === 'number' ? own : settings.consumerTimeout;
    this.recovering.renew(cancelReason([...this.unacked.deliveries()], clock.monotonic(), limit));
  }

  /** Those that cost the channel; their handlers are told to stop. */
  private heldTooLong(channel: LiveChannel, reason: string): readonly Delivery[] {
    const { clock, logger } = this.context;
    const held = [...this.unacked.deliveries()].filter((each) => this.unacked.cameOn(each, channel));
    const late = heldTooLong(reason, held, clock.monotonic());
    for (const delivery of late) {
      delivery.run.tookBack = (delivery.run.tookBack ?? 0) + 1;
      stopLate(delivery, this.queueName, clock.monotonic(), logger);
    }
    return late;
  }

  /** A message was redelivered whose handler still runs here: that run settles it, unless it hangs. */
  private tookBack(delivery: Delivery, message: ReceivedMessage): void {
    const { clock, logger } = this.context;
    const { run, handler } = delivery;
    const times = timesTakenBack(delivery.headers, safeHeaders(message.properties.headers));
    if (times > (run.tookBack ?? 0)) {
      run.tookBack = times;
      stopLate(delivery, this.queueName, clock.monotonic(), logger);
    }
    run.arrivedAt = clock.monotonic();
    if ((run.tookBack ?? 0) < POISON_DELIVERIES) return;
    const error = poison(run.tookBack ?? 0);
    logger.error(`${handler} did not finish ${named(delivery)}, which is dead-lettered: ${error.message}`, {
      event: 'handler-hangs',
      ...aboutMessage(delivery),
    });
    this.settlement.finish(delivery, { kind: 'dead-letter', reason: 'poison', error });
  }

  /** Its copy of the wait is not acked yet: a handler that ends the process now would leave both. */
  private async takeWhen(moved: Promise<void>, delivery: Delivery, channel: LiveChannel): Promise<void> {
    await withTimeout(this.context.clock, MOVE_TIMEOUT, (over) => Promise.race([moved, over]));
    if (channel.alive || this.forgotten) this.scheduler.push(delivery);
  }
}
