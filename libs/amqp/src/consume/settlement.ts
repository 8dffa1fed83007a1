// Sends a message on, to a wait or a dead-letter queue, and settles it where it came from. It is
//
// confirmed before the original is acked: a crash in between makes a duplicate, never a loss.

import { describeError, printable } from '../runtime/logger.js';
import type { Clock } from '../runtime/clock.js';
import type { Delivery } from '../message/delivery.js';
import { PublishNackedError, PublishTimeoutError } from '../errors/publish-errors.js';
import { AccessRefusedError } from '../errors/topology-errors.js';
import type { BrokerLogger } from '../runtime/logger.js';
import type { Outlet } from '../message/forwarder.js';
import type { Verdict } from '../message/verdict.js';
import type { Events } from '../events/emitter.js';
import { deadQueueSpec } from '../topology/dead-letter-queue.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { named } from '../message/message-label.js';
import { deadMessage, retryMessage, trialMessage } from './republish.js';

/** The channel a delivery came on. All say false when it is dead. */
export interface Origin {
  alive(): boolean;
  ack(): boolean;
  requeue(): boolean;
}

/** What settling uses. */
export interface SettleRoom {
  readonly outlet: Outlet;
  readonly clock: Clock;
  readonly logger: BrokerLogger;
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
export async function sendOn(
  delivery: Delivery,
  verdict: Onward,
  origin: Origin,
  room: SettleRoom,
): Promise<boolean> {
  const { deadQueue, outlet, clock, plan } = room;
  if (verdict.kind === 'retry') {
    const again = retryMessage(delivery, verdict, outlet.propertyRoom, clock);
    if (again === undefined) return tooLarge(delivery, verdict, origin, room);
    return confirmed(() => outlet.sendLater(again, verdict.after, plan.back), delivery, origin, room);
  }
  if (deadQueue === undefined) return origin.ack();
  const facts = { now: clock.wall(), propertyRoom: outlet.propertyRoom };
  // Made inside: a message that cannot be made must go back as well, or it would hold its place for ever.
  const send = (): Promise<void> =>
    outlet.sendTo(deadQueueSpec(plan.queue), deadMessage(delivery, verdict, deadQueue, facts));
  return confirmed(send, delivery, origin, room);
}

/** How long a suspect is put away while another one runs, in ms. */
const AWAY = 1_000;

/** Sends a suspect to the end of its queue, at once or, when it is only put away, a moment later. As `sendOn`. */
export async function sendToTrial(
  delivery: Delivery,
  how: { readonly trial: number; readonly away: boolean },
  origin: Origin,
  room: SettleRoom,
): Promise<boolean> {
  const { outlet, plan } = room;
  const copy = trialMessage(delivery, how, outlet.propertyRoom);
  if (copy === undefined) return false;
  const send = (): Promise<void> => (how.away ? outlet.sendLater(copy, AWAY, plan.back) : outlet.send(copy));
  return confirmed(send, delivery, origin, room);
}

/** Its headers fill a frame: sent again without some of them, it would be another message. */
function tooLarge(
  delivery: Delivery,
  { error }: Extract<Verdict, { kind: 'retry' }>,
  origin: Origin,
  room: SettleRoom,
): Promise<boolean> {
  const end = room.deadQueue === undefined ? 'it is dropped' : `it goes to '${room.deadQueue}'`;
  room.logger.error(`${named(delivery)} has so many headers that it cannot be tried again; ${end}`);
  return sendOn(delivery, { kind: 'dead-letter', reason: 'too-large', error }, origin, room);
}

async function confirmed(
  send: () => Promise<void>,
  delivery: Delivery,
  origin: Origin,
  { clock, logger, events }: SettleRoom,
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
      const end = later ? 'it is tried again' : 'it goes back to its queue';
      logger.error(
        `${delivery.handler}: ${named(delivery)} could not be sent on to its retry or dead-letter queue (${printable(describeError(error))}); ${end}`,
      );
      if (!later) events.emit({ kind: 'not-sent-on', queue: delivery.queue, delivery, error });
      await new Promise<void>((resolve) => void clock.after(PAUSE, resolve));
      if (!later) return origin.requeue();
    }
  }
  return false;
}
