// Why publishers are blocked: the memory limit, the owner of the broker, a fault that a test asked for.
import type { Connection } from './connection.js';
import type { House } from './house.js';

export class Alarms {
  private readonly reasons = new Map<string, string>();

  constructor(
    private readonly house: House,
    private readonly connections: Iterable<Connection>,
  ) {}

  /** Without a reason the alarm is over. */
  set(source: string, reason: string | undefined): void {
    if (reason === undefined) this.reasons.delete(source);
    else this.reasons.set(source, reason);
    const { house } = this;
    const before = house.alarm;
    house.alarm = this.reasons.get('owner') ?? [...this.reasons.values()].at(-1);
    if (before === house.alarm) return;
    if (house.alarm !== undefined) {
      house.logger.warn(`publishers are blocked: ${house.alarm}`);
      return;
    }
    house.logger.log('publishers are unblocked');
    for (const connection of this.connections) connection.unblock();
  }
}
