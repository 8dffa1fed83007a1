// The end of a shutdown's patience: handlers that still run are told to stop, and their messages go back to the queue.

import { patience } from '../model/clock.js';
import { ShuttingDownError } from './calls.js';
import type { HandlerRoom } from './step.js';
import type { Unsettled } from './unsettled.js';

/** How long streams may take to tell their callers that the application ends, in ms. */
const FAREWELL = 500;

/** Never rejects; settles soon. */
export async function giveUp(unsettled: Unsettled, queue: string, room: HandlerRoom): Promise<void> {
  const { clock, logger } = room;
  let streams = false;
  for (const delivery of unsettled.deliveries()) {
    const end =
      room.plan.ack === 'none'
        ? 'its message is gone, as always without acks'
        : `its message goes back to '${queue}'`;
    logger.warn(
      `${delivery.handler || `a message of '${queue}' that waited`} did not finish in time; ${end}`,
    );
    delivery.abort(new ShuttingDownError());
    streams ||= delivery.run.streamed;
  }
  for (const delivery of unsettled.orphans()) delivery.abort(new ShuttingDownError());
  // One that its caller has begun to read must not begin anew elsewhere: it says so and is settled.
  if (streams) await patience(clock, FAREWELL, (over) => Promise.race([unsettled.none(), over]));
}
