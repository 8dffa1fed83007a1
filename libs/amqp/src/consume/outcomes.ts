// Carries out what became of each delivery, once: an ack or a way back at once, a retry or a dead letter when the broker
// has it. What a handler decides by itself ends here as well.

import type { Delivery, DeliverySink } from '../message/delivery.js';
import { describeError, printable } from '../runtime/logger.js';
import type { Verdict } from '../message/verdict.js';
import type { Clock } from '../runtime/clock.js';
import type { Handlers } from './handlers.js';
import { named } from '../message/message-label.js';
import { sendOn, sendToTrial } from './settlement.js';
import type { HandlerRoom } from './step.js';
import type { Unsettled } from './unacked.js';

/** See the top of the file. One per consumer. */
export class Outcomes implements DeliverySink {
  constructor(
    private readonly room: HandlerRoom,
    private readonly handlers: Handlers,
    private readonly unsettled: Unsettled,
  ) {}

  get clock(): Clock {
    return this.room.clock;
  }

  /** The handler decided. */
  settle(delivery: Delivery, decision: Verdict | Error): void {
    delivery.decided = this.handlers.decided(delivery, decision);
    this.carryOut(delivery, delivery.decided);
  }

  warn(text: string): void {
    this.room.logger.warn(text);
  }

  /** Carries a verdict out, after the answer of a call, unless the handler settled by itself, or is still to do so. */
  finish(delivery: Delivery, verdict: Verdict): void {
    if (verdict.kind === 'open' || !delivery.claim(verdict.kind)) return;
    const { answer } = delivery.run;
    if (answer) answer.after(() => this.carryOut(delivery, verdict));
    else this.carryOut(delivery, verdict);
  }

  /** Sends a suspect to the end of its queue. Resolves to whether it was sent; then it is not here any more. */
  async suspect(delivery: Delivery, trial: number, away: boolean): Promise<boolean> {
    const { room } = this;
    const origin = this.unsettled.origin(delivery);
    const at = { ...room, deadQueue: undefined };
    const sent = await sendToTrial(delivery, { trial, away }, origin, at).catch(() => false);
    if (sent || !origin.alive()) this.unsettled.remove(delivery);
    return sent || !origin.alive();
  }

  private carryOut(delivery: Delivery, verdict: Verdict): void {
    if (verdict.kind === 'open') return;
    // It goes back with the channel, in its order: a nack would move it to the end of a quorum queue.
    if (verdict.kind === 'requeue') return this.carriedOut(delivery, true);
    if (verdict.kind !== 'retry' && verdict.kind !== 'dead-letter')
      return this.carriedOut(delivery, this.unsettled.ack(delivery));
    const { room } = this;
    const deadQueue = this.handlers.deadQueueOf(delivery);
    sendOn(delivery, verdict, this.unsettled.origin(delivery), { ...room, deadQueue }).then(
      (onTime) => {
        delivery.run.sentOn = onTime;
        delivery.run.whenSentOn?.(onTime);
        this.carriedOut(delivery, onTime);
      },
      (error: unknown) => {
        room.logger.error(
          `settling ${named(delivery)} failed, so the broker delivers it again: ${printable(describeError(error))}`,
        );
        this.unsettled.remove(delivery);
      },
    );
  }

  private carriedOut(delivery: Delivery, onTime: boolean): void {
    const { counters, events } = this.room;
    this.unsettled.remove(delivery);
    if (!onTime) counters.settledTooLate++;
    if (!events.hears('settled')) return;
    events.emit({ kind: 'settled', queue: delivery.queue, delivery, onTime });
  }
}
