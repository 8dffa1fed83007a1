// What the saga and the services say to each other: commands are queues, what happened is an event.
import { event, queue } from '@warren/nestjs';
import { z } from 'zod';

/** In this order; undone in the opposite one. */
export const steps = ['flight', 'room', 'payment'] as const;
export type Step = (typeof steps)[number];

const trip = z.object({ id: z.string(), city: z.string() });
export type Trip = z.infer<typeof trip>;

export const Do = {
  flight: queue('flight.book', { payload: trip }),
  room: queue('room.book', { payload: trip }),
  payment: queue('payment.charge', { payload: trip }),
};
export const Undo = {
  flight: queue('flight.cancel', { payload: trip }),
  room: queue('room.cancel', { payload: trip }),
  payment: queue('payment.refund', { payload: trip }),
};

const step = z.object({ step: z.enum(steps) });
export const StepDone = event('trip.{id}.done', { payload: step });
export const StepFailed = event('trip.{id}.failed', { payload: step.extend({ reason: z.string() }) });
export const StepUndone = event('trip.{id}.undone', { payload: step });
/** Comes after a while, in any case: the saga looks whether the step is still missing. */
export const StepLate = event('trip.{id}.late', { payload: step });
