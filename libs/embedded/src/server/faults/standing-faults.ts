// Faults that last: connections that are not served, or slowly. They are for connections that come later as well; one
// whose client must be known first, from the moment that it is.
import { type ConnectionMatch, isMeant } from './fault-command.js';

export interface StandingFault {
  readonly match: ConnectionMatch;
  /** Nothing is read from them or sent to them. */
  readonly frozen?: boolean;
  /** What is sent to them takes this long, in milliseconds. */
  readonly latency?: number;
}

/** A connection, as far as these faults touch it. */
type Afflicted = Parameters<typeof isMeant>[1] & {
  freeze(frozen: boolean): void;
  delay(ms: number): void;
};

export class StandingFaults {
  private readonly faults = new Set<StandingFault>();

  add(fault: StandingFault): void {
    this.faults.add(fault);
  }

  remove(fault: StandingFault): void {
    this.faults.delete(fault);
  }

  /** Makes a connection as it must be now. */
  apply(connection: Afflicted): void {
    const all = [...this.faults].filter(({ match }) => isMeant(match, connection));
    connection.delay(Math.max(0, ...all.map(({ latency = 0 }) => latency)));
    connection.freeze(all.some(({ frozen }) => frozen));
  }
}
