import { randomUUID } from 'node:crypto';
import { withTimeout } from '../runtime/clock.js';
import { ConnectionLostError, RabbitError } from '../errors/errors.js';
import { describeError } from '../runtime/logger.js';
import { onWall } from '../runtime/clock.js';
import { Delivery, named } from '../message/delivery.js';
import { NO_HEADERS, safeHeaders } from '../message/headers.js';
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
import { DeliveryScheduler } from './scheduler.js';
import { Readiness } from './readiness.js';
import type { ConsumerStatus } from '../events/broker-status.js';
import type { HandlerContext } from './step.js';
import { Settlement, Unacked } from './settlement.js';
import type { Watchable, Watched } from './watchdog.js';

/** What a consumer is made from. */
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

/** How long the ack of a wait may take before what came from it runs all the same, in ms. */
const MOVE_PATIENCE = 5_000;

/**
 * The consumer of one queue, for all its handlers: takes deliveries from its channel, lets so many run at
 * once, and settles each on the channel it came on. It comes back after every loss, with its queue declared
 * again if somebody deleted it.
 */
export class Consumer implements Watchable {
  private readonly plan: HandlerPlan;
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
    this.recovering = new RecoveringChannel({
      connection: options.connection,
      kind: 'plain',
      clock: this.context.clock,
      reconnect: this.context.settings.reconnect,
      setup: (channel) => this.setUp(channel),
      onReady: () => this.onReady(),
      onLost: (channel, reason) => this.onLost(channel, reason),
      onFailed: (error) => this.onFailed(error),
    });
  }

  /** Resolves at the first consume-ok; rejects when the broker refuses for good. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.started = { resolve, reject };
      this.recovering.start();
    });
  }

  status(): ConsumerStatus {
    const { queueName: queue } = this;
    const { since, lastError } = this.readiness;
    const notReadySince = since === undefined ? undefined : onWall(this.context.clock, since);
    const ready = this.recovering.current !== undefined && !this.draining;
    const handlers = this.options.contexts.map(({ plan }) => plan.id);
    return { queue, handlers, ready, notReadySince, lastError, inFlight: this.unacked.size };
  }

  watched(): Watched {
    const { queue, prefetch, registration } = this.plan;
    const { singleActive, priority, stream } = registration.options;
    const standby = singleActive === true || queue.arguments['x-single-active-consumer'] === true;
    const reads = stream !== undefined || queue.arguments['x-queue-type'] === 'stream';
    return {
      queue: this.queueName,
      life: this.status().ready && this.tag !== undefined ? this.lives : undefined,
      delivered: this.unacked.taken,
      free: this.unacked.size < prefetch,
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

  /**
   * Starts no new handlers; returns messages that have not started; waits for the rest until `expired`. Always
   * settles.
   */
  async drain(expired: Promise<void>): Promise<void> {
    if (this.draining) return;
    this.draining = true;
    this.readiness.ended();
    this.started?.reject(
      new ConnectionLostError(
        `the broker object was closed before the consumer of '${this.queueName}' was ready`,
      ),
    );
    this.started = undefined;
    this.scheduler.stop();
    const channel = this.recovering.current;
    if (channel && this.tag !== undefined && mayCancel(this.plan)) {
      await Promise.race([channel.cancel(this.tag).catch(() => undefined), expired]);
    }
    await Promise.race([Promise.all([this.scheduler.idle(), this.unacked.none()]), expired]);
    await abortHandlers(this.unacked, this.queueName, this.context);
    if (channel && !this.forgotten) await acksTaken(channel, this.plan, this.queueName, this.context.clock);
    await this.recovering.close();
  }

  private async setUp(channel: LiveChannel): Promise<void> {
    const { queue, prefetch, consumeArguments } = this.plan;
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
    await channel.prefetch(prefetch);
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

  /** Nothing more until what it comes to is called. */
  private async pause(): Promise<() => Promise<void>> {
    const channel = this.recovering.current;
    const { tag, queueName } = this;
    this.tag = undefined;
    if (channel && tag !== undefined) await channel.cancel(tag).catch(() => undefined);
    this.readiness.paused(queueName);
    return async () => {
      // A new channel already consumes.
      if (!channel?.alive || this.draining) return;
      await this.consume(channel).catch((error: unknown) => this.recovering.renew(describeError(error)));
    };
  }

  private onReady(): void {
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
  }

  private onFailed(error: unknown): void {
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
    if (!channel.alive && !this.forgotten) return;
    const running = message.redelivered ? this.unacked.takeBack(message, channel) : undefined;
    if (running) return this.tookBack(running, message);
    const { clock, late } = this.context;
    const delivery = new Delivery(message, this.queueName, this.settlement);
    delivery.run.arrivedAt = clock.monotonic();
    this.unacked.add(delivery, channel);
    if (this.forgotten) this.scheduler.arrived(delivery);
    this.position?.pass(delivery);
    const moved = delivery.headers === NO_HEADERS ? undefined : late.arrived(message);
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
    logger.error(`${handler} did not finish ${named(delivery)}, which is dead-lettered: ${error.message}`);
    this.settlement.finish(delivery, { kind: 'dead-letter', reason: 'poison', error });
  }

  /** Its copy of the wait is not acked yet: a handler that ends the process now would leave both. */
  private async takeWhen(moved: Promise<void>, delivery: Delivery, channel: LiveChannel): Promise<void> {
    await withTimeout(this.context.clock, MOVE_PATIENCE, (over) => Promise.race([moved, over]));
    if (channel.alive || this.forgotten) this.scheduler.push(delivery);
  }
}
