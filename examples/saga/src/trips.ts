// Stands in for the table of sagas. Their state is all that must survive; it is changed after the messages were sent.
import { Injectable } from '@nestjs/common';
import type { Trip } from './contracts.js';

export interface SagaState extends Trip {
  readonly state: 'booking' | 'undoing' | 'booked' | 'cancelled';
  /** Index of the step that is being done, or undone. */
  readonly at: number;
  readonly reason?: string;
}

@Injectable()
export class Trips {
  private readonly rows = new Map<string, SagaState>();

  find(id: string): SagaState | undefined {
    return this.rows.get(id);
  }

  async save(row: SagaState): Promise<void> {
    this.rows.set(row.id, row);
  }
}
