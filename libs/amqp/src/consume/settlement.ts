// Settles deliveries: acks them, or forwards them to a wait queue or dead-letter queue first. A forwarded message is
// confirmed before the original is acked: a crash in between causes a duplicate, never a loss.

import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import type { LiveChannel } from '../connection/channel.js';
import { type Delivery, type DeliverySink, named, type Verdict, aboutMessage } from '../message/delivery.js';
import { describeError, printable, type Log } from '../runtime/logger.js';
import type { Handlers } from './dispatch.js';
import type { HandlerContext } from './step.js';
import type { Clock } from '../runtime/clock.js';
import { PublishNackedError, PublishTimeoutError } from '../errors/publish-errors.js';
import { AccessRefusedError } from '../errors/topology-errors.js';
import type { MessageForwarder } from '../message/outgoing.js';
import type { Events } from '../events/emitter.js';
import { deadQueueSpec } from '../topology/retry-topology.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { deadMessage, retryMessage, trialMessage } from './republish.js';
import { errorFields } from '../errors/error-facts.js';

/** The unsettled deliveries of one consumer. */
export class Unacked {
  /** How many there have been. */
  taken = 0;
  /** Each with its channel at the same place. */
  private readonly list: Delivery[] = [];
  private readonly channels: LiveChannel[] = [];
  /** Those whose handler runs although their channel died, and whose message has not come back yet. */
  private readonly adrift = new Set<Delivery>();
  /** A caller waits for their end. */
  private awaited = false;
  private waiters: (() => void)[] = [];
  private quietWaiters: (() => void)[] = [];

  /** `noAck`: the broker forgot the messages at delivery, so there is nothing to settle. */
  constructor(private readonly noAck: boolean) {}

  get size(): number {
    return this.list.length;
  }

  deliveries(): Iterable<Delivery> {
    return this.list;
  }

  /** Those that run although the broker has their message back. */
  orphans(): Iterable<Delivery> {
    return this.adrift;
  }

  /** Adds a delivery, with the tag that settles it. */
  add(delivery: Delivery, channel: LiveChannel, deliveryTag = delivery.message.deliveryTag): void {
    const { run } = delivery;
    this.taken++;
    run.tag = deliveryTag;
    run.place = this.list.push(delivery) - 1;
    this.channels.push(channel);
  }

  /**
   * The running delivery of a message that the broker has delivered again: it is settled on this delivery from now
   * on.
   */
  takeBack(message: ReceivedMessage, channel: LiveChannel): Delivery | undefined {
    if (!message.redelivered) return undefined;
    for (const delivery of this.adrift) {
      if (!isSame(delivery.message, message)) continue;
      this.adrift.delete(delivery);
      this.add(delivery, channel, message.deliveryTag);
      return delivery;
    }
    return undefined;
  }

  cameOn(delivery: Delivery, channel: LiveChannel): boolean {
    return this.channels[delivery.run.place] === channel;
  }

  /** Acks a delivery where it came from. False when its channel died. */
  ack({ run }: Delivery): boolean {
    return this.noAck || (this.channels[run.place]?.ack(run.tag) ?? false);
  }

  /** The channel a delivery came on, or comes on by then, as something to settle on later. */
  origin(delivery: Delivery): Origin {
    const { run } = delivery;
    return {
      alive: () => this.noAck || (this.channels[run.place]?.alive ?? false),
      ack: () => this.ack(delivery),
      requeue: () => this.noAck || (this.channels[run.place]?.requeue(run.tag) ?? false),
    };
  }

  remove(delivery: Delivery): void {
    const { run } = delivery;
    const { place } = run;
    if (this.adrift.size > 0) this.adrift.delete(delivery);
    if (place >= 0) {
      // Swap-remove.
      run.place = -1;
      const last = this.list.pop() as Delivery;
      const channel = this.channels.pop() as LiveChannel;
      if (last !== delivery) {
        this.list[place] = last;
        this.channels[place] = channel;
        last.run.place = place;
      }
    }
    if (this.awaited) this.tell();
  }

  /** Its channel died. `keepRuns`: those of its deliveries that run may settle their message when it comes again. */
  removeAll(channel: LiveChannel, keepRuns = false): void {
    for (const delivery of [...this.list]) {
      if (!this.cameOn(delivery, channel)) continue;
      this.remove(delivery);
      if (keepRuns && delivery.run.beganAt > 0 && !this.noAck) this.adrift.add(delivery);
    }
  }

  /** Resolves when there are none. */
  none(): Promise<void> {
    if (this.list.length === 0) return Promise.resolve();
    this.awaited = true;
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Resolves when none of them runs. */
  quiet(): Promise<void> {
    if (!this.list.some(isRunning)) return Promise.resolve();
    this.awaited = true;
    return new Promise((resolve) => this.quietWaiters.push(resolve));
  }

  private tell(): void {
    if (this.quietWaiters.length > 0 && !this.list.some(isRunning)) {
      for (const resolve of this.quietWaiters.splice(0)) resolve();
    }
    if (this.list.length === 0) for (const resolve of this.waiters.splice(0)) resolve();
    this.awaited = this.quietWaiters.length + this.waiters.length > 0;
  }
}

const isRunning = ({ run }: Delivery): boolean => run.beganAt > 0;

/** Whether two deliveries are of one message, as far as can be told: headers are the broker's to change. */
function isSame(one: ReceivedMessage, other: ReceivedMessage): boolean {
  const [mine, its] = [one.properties, other.properties];
  return (
    mine.messageId === its.messageId &&
    mine.correlationId === its.correlationId &&
    mine.replyTo === its.replyTo &&
    mine.timestamp === its.timestamp &&
    one.exchange === other.exchange &&
    one.routingKey === other.routingKey &&
    one.content.equals(other.content)
  );
}

/**
 * Applies the verdict of each delivery, once: acks or returns it at once, a retry or dead letter when the broker has
 * confirmed it. Decisions of handlers themselves (`ack: 'manual'`) end here as well. One per consumer.
 */
export class Settlement implements DeliverySink {
  constructor(
    private readonly context: HandlerContext,
    private readonly handlers: Handlers,
    private readonly unacked: Unacked,
  ) {}

  get clock(): Clock {
    return this.context.clock;
  }

  /** The handler decided. */
  settle(delivery: Delivery, decision: Verdict | Error): void {
    delivery.decided = this.handlers.decided(delivery, decision);
    this.carryOut(delivery, delivery.decided);
  }

  warn(text: string, delivery: Delivery): void {
    this.context.logger.warn(text, { event: 'settled-twice', ...aboutMessage(delivery) });
  }

  /** Applies a verdict, after the reply of a call, unless the handler has settled or will settle it itself. */
  finish(delivery: Delivery, verdict: Verdict): void {
    if (verdict.kind === 'open' || !delivery.claim(verdict.kind)) return;
    const { answer } = delivery.run;
    if (answer) answer.whenOver(() => this.carryOut(delivery, verdict));
    else this.carryOut(delivery, verdict);
  }

  /** Sends a suspect to the end of its queue. Resolves to whether it was sent; then it is not here any more. */
  async suspect(delivery: Delivery, trial: number, away: boolean): Promise<boolean> {
    const { context } = this;
    const origin = this.unacked.origin(delivery);
    const at = { ...context, deadQueue: undefined };
    const sent = await sendToTrial(delivery, { trial, away }, origin, at).catch(() => false);
    if (sent || !origin.alive()) this.unacked.remove(delivery);
    return sent || !origin.alive();
  }

  private carryOut(delivery: Delivery, verdict: Verdict): void {
    if (verdict.kind === 'ack' || verdict.kind === 'drop') {
      this.settled(delivery, this.unacked.ack(delivery));
    } else if (verdict.kind === 'requeue') {
      // It goes back with the channel, in its order: a nack would move it to the end of a quorum queue.
      this.settled(delivery, true);
    } else if (verdict.kind !== 'open') {
      this.sendOn(delivery, verdict);
    }
  }

  private sendOn(delivery: Delivery, verdict: Onward): void {
    const { context } = this;
    const deadQueue = this.handlers.deadQueueOf(delivery);
    forward(delivery, verdict, this.unacked.origin(delivery), { ...context, deadQueue }).then(
      (onTime) => {
        delivery.run.sentOn = onTime;
        delivery.run.whenSentOn?.(onTime);
        this.settled(delivery, onTime);
      },
      (error: unknown) => {
        context.logger.error(
          `settling ${named(delivery)} failed, so the broker delivers it again: ${printable(describeError(error))}`,
          { event: 'settle-failed', ...aboutMessage(delivery), ...errorFields(error) },
        );
        this.unacked.remove(delivery);
      },
    );
  }

  private settled(delivery: Delivery, onTime: boolean): void {
    const { counters, events } = this.context;
    this.unacked.remove(delivery);
    if (!onTime) counters.staleSettlements++;
    if (!events.hasListeners('settled')) return;
    events.emit({ kind: 'settled', queue: delivery.queue, delivery, onTime });
  }
}

/** The channel a delivery came on. All say false when it is dead. */
export interface Origin {
  alive(): boolean;
  ack(): boolean;
  requeue(): boolean;
}

/** What settling uses. */
export interface SettlementDeps {
  readonly forwarder: MessageForwarder;
  readonly clock: Clock;
  readonly logger: Log;
  readonly events: Events;
  /** The plan of a handler of the queue. */
  readonly plan: Pick<HandlerPlan, 'queue' | 'back'>;
  readonly deadQueue: string | undefined;
}

/** Wait before a message goes back that could not be sent on: without it a missing queue would be a fast loop. */
const PAUSE = 5_000;

/** A verdict whose message goes on to another queue. */
export type Onward = Extract<Verdict, { readonly kind: 'retry' | 'dead-letter' }>;

/** False when the channel had died: the broker delivers the message again by itself. */
export async function forward(
  delivery: Delivery,
  verdict: Onward,
  origin: Origin,
  context: SettlementDeps,
): Promise<boolean> {
  const { deadQueue, forwarder, clock, plan } = context;
  if (verdict.kind === 'retry') {
    const again = retryMessage(delivery, verdict, forwarder.maxPropertyBytes, clock);
    if (again === undefined) return tooLarge(delivery, verdict, origin, context);
    const wait = (message: OutgoingMessage): Promise<void> =>
      forwarder.sendLater(message, verdict.after, plan.back);
    return confirmed(() => forwarder.forwarded('retry', again, delivery, wait), delivery, origin, context);
  }
  if (deadQueue === undefined) return origin.ack();
  const facts = { now: clock.wall(), maxPropertyBytes: forwarder.maxPropertyBytes };
  // Made inside: a message that cannot be made must go back as well, or it would hold its place for ever.
  const end = (message: OutgoingMessage): Promise<void> =>
    forwarder.sendTo(deadQueueSpec(plan.queue), message);
  const send = (): Promise<void> =>
    forwarder.forwarded('dead-letter', deadMessage(delivery, verdict, deadQueue, facts), delivery, end);
  return confirmed(send, delivery, origin, context);
}

/** How long a suspect is put away while another one runs, in ms. */
const AWAY = 1_000;

/** Sends a suspect to the end of its queue, at once or, when it is only put away, a moment later. As `sendOn`. */
export async function sendToTrial(
  delivery: Delivery,
  how: { readonly trial: number; readonly away: boolean },
  origin: Origin,
  context: SettlementDeps,
): Promise<boolean> {
  const { forwarder, plan } = context;
  const copy = trialMessage(delivery, how, forwarder.maxPropertyBytes);
  if (copy === undefined) return false;
  const send = (): Promise<void> =>
    how.away ? forwarder.sendLater(copy, AWAY, plan.back) : forwarder.send(copy);
  return confirmed(send, delivery, origin, context);
}

/** Its headers fill a frame: without some of them, it would be another message. */
function tooLarge(
  delivery: Delivery,
  { error }: Extract<Verdict, { kind: 'retry' }>,
  origin: Origin,
  context: SettlementDeps,
): Promise<boolean> {
  const end =
    context.deadQueue === undefined ? 'it is dropped' : `it is dead-lettered to '${context.deadQueue}'`;
  context.logger.error(`${named(delivery)} has too many headers to be retried; ${end}`, {
    event: 'too-many-headers',
    ...aboutMessage(delivery),
    deadLetterQueue: context.deadQueue,
  });
  return forward(delivery, { kind: 'dead-letter', reason: 'too-large', error }, origin, context);
}

async function confirmed(
  send: () => Promise<void>,
  delivery: Delivery,
  origin: Origin,
  { clock, logger, events }: SettlementDeps,
): Promise<boolean> {
  // The broker has the message back already and delivers it again: sending it on would double it.
  while (origin.alive()) {
    try {
      await send();
      return origin.ack();
    } catch (error) {
      // The broker is blocked, this connection away, or a queue full or without its leader: the broker does not have the
      // message; or a permission is missing. The handler has done its part and need not run again for that.
      const later = [PublishTimeoutError, PublishNackedError, AccessRefusedError].some(
        (each) => error instanceof each,
      );
      const end = later ? 'it is tried again' : 'it returns to its queue';
      logger.error(
        `${delivery.handler}: ${named(delivery)} could not be forwarded to its retry or dead-letter queue (${printable(describeError(error))}); ${end}`,
        { event: 'forward-failed', ...aboutMessage(delivery), ...errorFields(error) },
      );
      if (!later) events.emit({ kind: 'forward-failed', queue: delivery.queue, delivery, error });
      await new Promise<void>((resolve) => void clock.after(PAUSE, resolve));
      if (!later) return origin.requeue();
    }
  }
  return false;
}
