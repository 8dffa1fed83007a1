// The consumer of one wait queue. It has its own channel, since closing the channel is the only way to return
// messages that keeps their order.

import { describeError, printable, type BrokerLogger } from '../runtime/logger.js';
import { HEADER } from '../message/headers.js';
import { AccessRefusedError, TopologyMissingError } from '../errors/topology-errors.js';
import { withTimeout, type Clock } from '../runtime/clock.js';
import type { Connection } from '../connection/connection.js';
import type { LiveChannel } from '../connection/channel.js';
import { RecoveringChannel } from '../connection/recovering-channel.js';
import { declareError } from '../topology/declare-error.js';
import { HELD_MOST, type WaitConsumer, type WaitConsumerEvents } from './wait-holder.js';

/** Dependencies of a wait consumer. */
export interface WaitConsumerOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly reconnect: { readonly min: number; readonly max: number };
  readonly logger: BrokerLogger;
  /** The queue is missing, or cannot be read. */
  readonly onGone: (missing: boolean) => void;
}

/** How long the broker may take to say that it has the acks before the channel closes, in ms. */
const ACKS_PATIENCE = 1_000;

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
    else if (endings.begun(channel)) return;
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
    onLost: (channel) => events.onLost(channel),
    onFailed: (error) => {
      const refused = error instanceof AccessRefusedError;
      if (refused) {
        const text = printable(describeError(error));
        options.logger.warn(
          `messages in '${queue}' will be late, because only the broker forwards them: ${text}`,
        );
      }
      if (refused || error instanceof TopologyMissingError) options.onGone(!refused);
    },
  });
  const endings = new OrderlyEndings(recovering, queue, options.clock);
  return endings;
}

/** Closes a channel when the queue has its acks. Messages that arrive meanwhile are returned with it. */
class OrderlyEndings implements WaitConsumer {
  private leaving: { readonly channel: LiveChannel; readonly taken: Promise<void> } | undefined;

  constructor(
    private readonly recovering: RecoveringChannel,
    private readonly queue: string,
    private readonly clock: Clock,
  ) {}

  start(): void {
    this.recovering.start();
  }

  renew(): void {
    const { recovering } = this;
    const { current } = recovering;
    if (current === undefined) return recovering.renew();
    void this.acksTaken(current).then(() => {
      if (recovering.current === current) recovering.renew();
    });
  }

  async close(): Promise<void> {
    const { current } = this.recovering;
    if (current !== undefined) await this.acksTaken(current);
    await this.recovering.close();
  }

  begun(channel: LiveChannel): boolean {
    return channel === this.leaving?.channel;
  }

  /** A quorum queue loses the last acks of a channel that closes, and forwarded messages would be forwarded again. */
  private acksTaken(channel: LiveChannel): Promise<void> {
    if (this.leaving?.channel === channel) return this.leaving.taken;
    const asked = channel.acksTaken(this.queue).catch(() => undefined);
    const taken = withTimeout(this.clock, ACKS_PATIENCE, (over) => Promise.race([asked, over]));
    this.leaving = { channel, taken };
    return taken;
  }
}
