// Three services, here in one class. Each does a command once, however often it arrives, and says what came of it.
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher } from '@warren/nestjs';
import { Do, type Step, StepDone, StepFailed, StepUndone, type Trip, Undo } from './contracts.js';

@Injectable()
export class Services {
  private readonly bookings = new Map<string, 'booked' | 'undone'>();

  constructor(private readonly publisher: Publisher) {}

  @Consume(Do.flight)
  bookFlight(@Payload() trip: Trip): Promise<void> {
    return this.book('flight', trip);
  }

  @Consume(Do.room)
  bookRoom(@Payload() trip: Trip): Promise<void> {
    return trip.city === 'Paris' ? this.refuse('room', trip, 'no room in Paris') : this.book('room', trip);
  }

  @Consume(Do.payment)
  async charge(@Payload() trip: Trip): Promise<void> {
    if (trip.city !== 'Oslo') await this.book('payment', trip); // for Oslo it never answers
  }

  @Consume(Undo.flight)
  cancelFlight(@Payload() trip: Trip): Promise<void> {
    return this.undo('flight', trip);
  }

  @Consume(Undo.room)
  cancelRoom(@Payload() trip: Trip): Promise<void> {
    return this.undo('room', trip);
  }

  @Consume(Undo.payment)
  refund(@Payload() trip: Trip): Promise<void> {
    return this.undo('payment', trip);
  }

  /** The steps of a trip that are booked now. */
  booked({ id }: Pick<Trip, 'id'>): string[] {
    return [...this.bookings].flatMap(([key, state]) => {
      const [step, trip] = key.split(' ');
      return step !== undefined && trip === id && state === 'booked' ? [step] : [];
    });
  }

  private async book(step: Step, { id, city }: Trip): Promise<void> {
    const key = `${step} ${id}`;
    // A command that comes after its own cancellation must not book.
    if (this.bookings.get(key) === 'undone') return;
    if (!this.bookings.has(key)) console.log(`${city}: ${step} booked`);
    this.bookings.set(key, 'booked');
    await this.publisher.publish(StepDone, { step }, { params: { id } });
  }

  private async refuse(step: Step, { id, city }: Trip, reason: string): Promise<void> {
    console.log(`${city}: ${step} refused`);
    await this.publisher.publish(StepFailed, { step, reason }, { params: { id } });
  }

  private async undo(step: Step, { id, city }: Trip): Promise<void> {
    const key = `${step} ${id}`;
    if (this.bookings.get(key) === 'booked') console.log(`${city}: ${step} cancelled`);
    this.bookings.set(key, 'undone');
    await this.publisher.publish(StepUndone, { step }, { params: { id } });
  }
}
