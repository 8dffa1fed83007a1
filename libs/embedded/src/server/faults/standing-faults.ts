// Faults that last: connections that are not served, or slowly. They are for connections that come later as well; one
// whose client must be known first, from the moment that it is.
import type { Connection } from '../connection.js';
import { type ConnectionMatch, isMeant } from './connection-match.js';

export interface StandingFault {
  readonly match: ConnectionMatch;
  /** Nothing is read from them or sent to them. */
  readonly frozen?: boolean;
  /** What is sent to them takes this long, in milliseconds. */
  readonly latency?: number;
}

export class StandingFaults {
  private readonly faults = new Set<StandingFault>();

  add(fault: StandingFault): void {
    this.faults.add(fault);
  }

  remove(fault: StandingFault): void {
    this.faults.delete(fault);
  }

  /** Makes a connection as it must be now. */
  apply(connection: Connection): void {
    const all = [...this.faults].filter(({ match }) => isMeant(match, connection));
    connection.delay(Math.max(0, ...all.map(({ latency = 0 }) => latency)));
    connection.freeze(all.some(({ frozen }) => frozen));
  }
}
