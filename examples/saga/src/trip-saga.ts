// The saga: books step by step, and takes back what was booked when a step fails. Nothing but handlers and a table.
//
// Every handler may run twice with the same message, and messages may come late. So each compares the step with the state
// of the saga, sends what is next, and only then saves: a crash in between repeats a command, which the services tolerate.
import { Inject, Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { type ArrivedMessage, type Duration, Publisher, RoutingKey, Subscribe } from '@warren/nestjs';
import {
  Do,
  type Step,
  StepDone,
  StepFailed,
  StepLate,
  StepUndone,
  type Trip,
  Undo,
  steps,
} from './contracts.js';
import { type SagaState, Trips } from './trips.js';

export const STEP_TIMEOUT = Symbol('how long a step may take');

const tripOf = (key: string): string => key.split('.')[1] ?? '';

/** One queue for all events of all trips; one instance at a time handles them, those of one trip in their order. */
const inOrder = {
  queue: 'trip.saga',
  singleActive: true,
  orderBy: ({ routingKey }: ArrivedMessage) => tripOf(routingKey),
};

@Injectable()
export class TripSaga {
  constructor(
    private readonly publisher: Publisher,
    private readonly trips: Trips,
    @Inject(STEP_TIMEOUT) private readonly stepTimeout: Duration,
  ) {}

  async begin(trip: Trip): Promise<void> {
    await this.trips.save({ ...trip, state: 'booking', at: 0 });
    await this.next({ ...trip, state: 'booking', at: 0 });
  }

  @Subscribe(StepDone, inOrder)
  async done(@Payload() { step }: { step: Step }, @RoutingKey() key: string): Promise<void> {
    const saga = this.trips.find(tripOf(key));
    if (saga === undefined) return;
    // It was given up before the step was done after all.
    if (saga.state === 'undoing' || saga.state === 'cancelled') await this.publisher.send(Undo[step], saga);
    if (isAt(saga, 'booking', step)) await this.next({ ...saga, at: saga.at + 1 });
  }

  @Subscribe(StepFailed, inOrder)
  async failed(
    @Payload() { step, reason }: { step: Step; reason: string },
    @RoutingKey() key: string,
  ): Promise<void> {
    const saga = this.trips.find(tripOf(key));
    if (isAt(saga, 'booking', step)) await this.next({ ...saga, state: 'undoing', at: saga.at - 1, reason });
  }

  @Subscribe(StepLate, inOrder)
  async late(@Payload() { step }: { step: Step }, @RoutingKey() key: string): Promise<void> {
    const saga = this.trips.find(tripOf(key));
    // Whether it was done is not known, so it is undone as well.
    if (isAt(saga, 'booking', step))
      await this.next({ ...saga, state: 'undoing', reason: `no answer from ${step}` });
  }

  @Subscribe(StepUndone, inOrder)
  async undone(@Payload() { step }: { step: Step }, @RoutingKey() key: string): Promise<void> {
    const saga = this.trips.find(tripOf(key));
    if (isAt(saga, 'undoing', step)) await this.next({ ...saga, at: saga.at - 1 });
  }

  /** Sends the command for where the saga is now, then saves that it is there. */
  private async next(saga: SagaState): Promise<void> {
    const { id, city, state, at, reason } = saga;
    const step = steps[at];
    if (step === undefined) {
      const end = state === 'booking' ? 'booked' : 'cancelled';
      await this.trips.save({ ...saga, state: end });
      console.log(`${city}: ${end}${reason === undefined ? '' : ` (${reason})`}`);
      return;
    }
    if (state === 'booking') {
      await this.publisher.publish(StepLate, { step }, { params: { id }, delay: this.stepTimeout });
      await this.publisher.send(Do[step], { id, city });
    } else {
      await this.publisher.send(Undo[step], { id, city });
    }
    await this.trips.save(saga);
  }
}

/** Whether that is what the saga waits for; anything else is a repeated or late message. */
function isAt(saga: SagaState | undefined, state: SagaState['state'], step: Step): saga is SagaState {
  return saga?.state === state && steps[saga.at] === step;
}
