// What a connection goes through, as log lines and events. One line per change of state; while a broker
// stays away, a line every half minute is enough.

import type { ConnectionEvent } from './connection.js';
import type { Clock } from '../runtime/clock.js';
import { humanDuration } from '../options/duration.js';
import { printable, type BrokerLogger } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';

const REPEAT_AFTER = 30_000;

/** Nothing is wrong, but each message costs more. */
const SLOW = " (every frame through the client library's public functions)";

/** A listener for one connection. */
export function connectionLog(
  connection: string,
  logger: BrokerLogger,
  events: Events,
  clock: Clock,
): (event: ConnectionEvent) => void {
  let refusedAt = -Infinity;
  return (event) => {
    switch (event.kind) {
      case 'open':
        refusedAt = -Infinity;
        logger.log(`${connection} connected to ${event.endpoint}${event.direct ? '' : SLOW}`);
        events.emit({ kind: 'connected', connection, endpoint: event.endpoint });
        return;
      case 'lost':
        logger.warn(`${connection} lost its connection (${printable(event.reason)}); reconnecting`);
        events.emit({ kind: 'disconnected', connection, reason: event.reason });
        return;
      case 'refused':
        if (clock.monotonic() - refusedAt >= REPEAT_AFTER) {
          refusedAt = clock.monotonic();
          // Whoever is told at once may end the process: then there is no next attempt.
          const next = event.told ? '' : `; next attempt in ${humanDuration(event.retryIn)}`;
          logger.warn(`${connection}: ${printable(event.error.message)}${next}`);
        }
        events.emit({ kind: 'connect-failed', connection, error: event.error, retryIn: event.retryIn });
        return;
      case 'blocked':
        logger.warn(`${connection} is blocked by the broker (${printable(event.reason)}); publishes wait`);
        events.emit({ kind: 'blocked', connection, reason: event.reason });
        return;
      case 'unblocked':
        logger.log(`${connection} is unblocked; publishing again`);
        events.emit({ kind: 'unblocked', connection });
    }
  };
}
