// A consumer at a shutdown: what is said to the broker, so that nothing loses its order or runs twice; and the end of the
// `shutdown` time, when handlers that still run are told to stop and their messages go back to the queue.

import type { LiveChannel } from '../connection/channel.js';
import { withTimeout, type Clock } from '../runtime/clock.js';
import { humanDuration } from '../options/duration.js';
import { ShuttingDownError } from '../errors/rpc-errors.js';
import { aboutMessage, named } from '../message/delivery.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { queueTypeOf } from '../topology/specs.js';
import type { HandlerContext } from './step.js';
import type { Unacked } from './settlement.js';

/** How long streams may take to tell their callers that the application ends, in ms. */
const FAREWELL = 500;

/** How long the broker may take to say that it has the acks before the channel closes, in ms. */
const ACKS_TIMEOUT = 1_000;

/**
 * Whether to say first that nothing more is wanted. A quorum queue loses the order of what it was about to deliver then;
 * and one with a single active consumer would go on with the next one while messages before those still run here.
 */
export function mayCancel({ queue, ack }: HandlerPlan): boolean {
  if (ack === 'none') return true;
  if (queue.arguments['x-single-active-consumer'] === true) return false;
  return queue.temporary || ['classic', 'stream'].includes(queueTypeOf(queue) ?? '');
}

/**
 * A channel that closes may overtake its last acks: a quorum queue forgets those that still wait for their turn, and to a
 * classic queue on another node of a cluster they go by another process. Waits until the queue has them. Bounded.
 */
export async function acksTaken(
  channel: LiveChannel,
  { queue }: HandlerPlan,
  queueName: string,
  clock: Clock,
): Promise<void> {
  const type = queueTypeOf(queue);
  if (type === 'stream' || queue.temporary) return;
  const asked = async (): Promise<void> => {
    if (type !== 'quorum') await channel.acksForwarded(queueName);
    if (type !== 'classic') await channel.acksTaken(queueName);
  };
  await withTimeout(clock, ACKS_TIMEOUT, (over) => Promise.race([asked().catch(() => undefined), over]));
}

/** Never rejects; settles soon. */
export async function abortHandlers(unacked: Unacked, queue: string, context: HandlerContext): Promise<void> {
  const { clock, logger, settings } = context;
  let streams = false;
  for (const delivery of unacked.deliveries()) {
    const end = context.plan.ack === 'none' ? "it is lost (ack: 'none')" : `it returns to '${queue}'`;
    const what =
      delivery.handler === ''
        ? `${named(delivery)} was not handled`
        : `${delivery.handler} did not finish ${named(delivery)}`;
    logger.warn(`${what} in time (shutdown: ${humanDuration(settings.shutdown)}); ${end}`, {
      event: 'shutdown-abandoned',
      ...aboutMessage(delivery),
      ms: delivery.run.beganAt > 0 ? Math.round(clock.monotonic() - delivery.run.beganAt) : undefined,
    });
    delivery.abort(new ShuttingDownError());
    streams ||= delivery.run.streamed;
  }
  for (const delivery of unacked.orphans()) delivery.abort(new ShuttingDownError());
  // One that its caller has begun to read must not begin anew elsewhere: it says so and is settled.
  if (streams) await withTimeout(clock, FAREWELL, (over) => Promise.race([unacked.none(), over]));
}
