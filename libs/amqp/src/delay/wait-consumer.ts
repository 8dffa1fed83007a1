// The consumer of one wait queue. It has its own channel, since closing the channel is the only way to return
// messages that keeps their order.

import { describeError, printable, type Log } from '../runtime/logger.js';
import { HEADER } from '../message/headers.js';
import { AccessRefusedError, TopologyMissingError } from '../errors/topology-errors.js';
import { withTimeout, type Clock } from '../runtime/clock.js';
import type { Connection } from '../connection/connection.js';
import type { LiveChannel } from '../connection/channel.js';
import { RecoveringChannel } from '../connection/recovering-channel.js';
import { declareError } from '../topology/declare-error.js';
import { HELD_MOST, type WaitConsumer, type WaitConsumerEvents } from './wait-holder.js';
import { errorFields } from '../errors/error-facts.js';

/** Dependencies of a wait consumer. */
export interface WaitConsumerOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly reconnect: { readonly min: number; readonly max: number };
  readonly logger: Log;
  /** The queue is missing, or cannot be read. */
  readonly onGone: (missing: boolean) => void;
}

/** How long the broker may take to say that it has the acks before the channel closes, in ms. */
const ACKS_TIMEOUT = 1_000;

/** Consumes `queue`. */
export function waitConsumer(
  queue: string,
  options: WaitConsumerOptions,
  events: WaitConsumerEvents,
): WaitConsumer {
  const asked = { what: 'queue', name: queue, declaredBy: 'the consumer that forwards retries' } as const;
  const onMessage = (
    message: Parameters<WaitConsumerEvents['onMessage']>[0] | 'cancelled',
    channel: LiveChannel,
  ) => {
    if (message === 'cancelled') recovering.renew();
    else if (channel.leaving) return;
    else if (message.properties.headers?.[HEADER.probe] !== undefined) channel.ack(message.deliveryTag);
    else events.onMessage(message, channel);
  };
  const recovering = new RecoveringChannel({
    ...options,
    kind: 'plain',
    setup: async (channel) => {
      try {
        const { messageCount } = await channel.declaring.checkQueue(queue);
        await channel.prefetch(HELD_MOST);
        events.onOpen(messageCount);
        await channel.consume(queue, { noAck: false, arguments: {} }, (message) =>
          onMessage(message, channel),
        );
      } catch (error) {
        throw declareError(error, asked);
      }
    },
    // A quorum queue loses the last acks of a channel that closes, and forwarded messages would be forwarded again.
    beforeClose: (channel) => {
      const asked = channel.acksTaken(queue).catch(() => undefined);
      return withTimeout(options.clock, ACKS_TIMEOUT, (over) => Promise.race([asked, over]));
    },
    onLost: (channel) => events.onLost(channel),
    onFailed: (error) => {
      const refused = error instanceof AccessRefusedError;
      if (refused) {
        const text = printable(describeError(error));
        options.logger.warn(
          `messages in '${queue}' will be late, because only the broker forwards them: ${text}`,
          { event: 'wait-queue-refused', queue, ...errorFields(error) },
        );
      }
      if (refused || error instanceof TopologyMissingError) options.onGone(!refused);
    },
  });
  return recovering;
}
