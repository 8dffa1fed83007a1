// basic.consume on a stream: it must have a prefetch and acks, which are its credit, and begins where it says.
import { AmqpFailure, called, precondition } from '../model/failure.js';
import type { Stream } from '../model/stream.js';
import { streamReading } from '../model/stream-arguments.js';
import { decodeTable } from '../wire/field-table.js';
import type { Args } from '../wire/methods.js';
import type { Channel } from './channel-context.js';
import { Subscription } from './subscription.js';

/** Throws what RabbitMQ does: 406 without a prefetch or for wrong arguments, 540 without acks or for a global prefetch. */
export function readStream(channel: Channel, queue: Stream, tag: string, args: Args<'basic.consume'>): void {
  const { vhost, context } = channel.connection;
  const where = called('queue', queue.name, vhost.name);
  const { filtersStreams, channelPrefetch } = context.traits;
  if (channel.prefetch === 0) {
    throw precondition(
      `consumer prefetch count is not set for ${channelPrefetch ? `'${where}'` : `stream ${where}`}`,
    );
  }
  if (args.noAck) {
    const what = channelPrefetch ? 'stream queues' : 'stream';
    throw new AmqpFailure(540, `automatic acknowledgement not supported by ${what} ${where}`);
  }
  if (channel.unacked.limit > 0) throw new AmqpFailure(540, `${where} does not support global qos`);
  const table = decodeTable(args.arguments);
  const reading = streamReading(queue.name, vhost.name, table, filtersStreams);
  const subscription = new Subscription(channel, queue, {
    tag,
    noAck: false,
    // RabbitMQ accepts the flag, and lets others read all the same.
    exclusive: false,
    priority: 0,
    prefetch: channel.prefetch,
    arguments: table,
  });
  channel.connection.context.meter.declare('consumer', subscription, tag, args.arguments.length);
  channel.subscriptions.set(tag, subscription);
  queue.read(subscription, reading);
  if (!args.nowait) channel.reply('basic.consume-ok', { consumerTag: tag });
  queue.pump();
}
