// The end of a shutdown's patience: handlers that still run are told to stop, and their messages go back to the queue.

import { patience } from '../runtime/clock.js';
import { humanDuration } from '../options/duration.js';
import { ShuttingDownError } from '../rpc/server/active-calls.js';
import { named } from '../message/message-label.js';
import type { HandlerRoom } from './step.js';
import type { Unsettled } from './unacked.js';

/** How long streams may take to tell their callers that the application ends, in ms. */
const FAREWELL = 500;

/** Never rejects; settles soon. */
export async function giveUp(unsettled: Unsettled, queue: string, room: HandlerRoom): Promise<void> {
  const { clock, logger, settings } = room;
  let streams = false;
  for (const delivery of unsettled.deliveries()) {
    const end = room.plan.ack === 'none' ? "it is gone (ack: 'none')" : `it goes back to '${queue}'`;
    const what =
      delivery.handler === ''
        ? `${named(delivery)} was not handled`
        : `${delivery.handler} did not finish ${named(delivery)}`;
    logger.warn(`${what} in time (shutdown: ${humanDuration(settings.shutdown)}); ${end}`);
    delivery.abort(new ShuttingDownError());
    streams ||= delivery.run.streamed;
  }
  for (const delivery of unsettled.orphans()) delivery.abort(new ShuttingDownError());
  // One that its caller has begun to read must not begin anew elsewhere: it says so and is settled.
  if (streams) await patience(clock, FAREWELL, (over) => Promise.race([unsettled.none(), over]));
}
