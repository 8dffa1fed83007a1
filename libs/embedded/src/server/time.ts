// Control of the broker's clock, one due moment at a time, so that clients can react in between.
import type { MovableClock } from '../model/movable-clock.js';
import type { Connection } from './connection.js';
import type { ServerContext } from './server-context.js';

export type TimeCommand =
  | { readonly kind: 'time'; readonly do: 'stop' | 'start' | 'look' }
  | { readonly kind: 'time'; readonly do: 'step'; readonly until: number; readonly single: boolean };

/** How the time of a broker stands. Times are of its clock, in milliseconds. */
export interface TimeState {
  readonly now: number;
  /** When the next thing is due. */
  readonly next: number | undefined;
  /** False when a step found nothing to do: the clock stands at its end. */
  readonly stepped: boolean;
  /** Grows with everything that clients send or receive. */
  readonly traffic: number;
  /** Something is about to be sent. */
  readonly sending: boolean;
}

export function timeCommand(
  command: TimeCommand,
  { clock, traffic }: ServerContext,
  connections: Iterable<Connection>,
): TimeState {
  const all = [...connections];
  const sending = (): boolean => all.some(({ outbox }) => outbox.scheduled);
  const before = traffic.count;
  let stepped = false;
  if (command.do === 'stop') clock.stop();
  else if (command.do === 'start') clock.start();
  else if (command.do === 'step')
    stepped = steps(clock, command.until, () => command.single || sending() || traffic.count !== before);
  return { now: clock.monotonic(), next: clock.next(), stepped, traffic: traffic.count, sending: sending() };
}

/** Goes from moment to moment for as long as no client hears of it. */
function steps(clock: MovableClock, until: number, heard: () => boolean): boolean {
  while (clock.step(until)) if (heard()) return true;
  return false;
}
