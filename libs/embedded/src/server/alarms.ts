// Why publishers are blocked: the memory limit, the owner of the broker, a fault that a test asked for.
import type { Connection } from './connection.js';
import type { ServerContext } from './server-context.js';

export class Alarms {
  private readonly reasons = new Map<string, string>();

  constructor(
    private readonly context: ServerContext,
    private readonly connections: Iterable<Connection>,
  ) {}

  /** Without a reason the alarm is over. */
  set(source: string, reason: string | undefined): void {
    if (reason === undefined) this.reasons.delete(source);
    else this.reasons.set(source, reason);
    const { context } = this;
    const before = context.alarm;
    context.alarm = this.reasons.get('owner') ?? [...this.reasons.values()].at(-1);
    if (before === context.alarm) return;
    if (context.alarm !== undefined) {
      context.logger.warn(`publishers are blocked: ${context.alarm}`);
      return;
    }
    context.logger.log('publishers are unblocked');
    for (const connection of this.connections) connection.unblock();
  }
}
