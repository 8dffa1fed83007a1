// basic.qos, basic.consume, basic.cancel and basic.get: how messages get to a client.
import { AmqpFailure, called, precondition, refused } from '../model/failure.js';
import { isInteger } from '../model/queue-settings.js';
import type { Queue } from '../model/queue.js';
import { Stream } from '../model/stream.js';
import { serverName } from '../model/virtual-host.js';
import { decodeTable, type Table } from '../wire/field-table.js';
import type { Args } from '../wire/methods.js';
import type { Answers, Channel } from './channel-context.js';
import { namedQueue, queueName } from './queue-methods.js';
import { REPLY_QUEUE } from './direct-replies.js';
import { readStream } from './read-stream.js';
import { deliveredProperties, Subscription } from './subscription.js';

export const consumeMethods: Answers = {
  'basic.qos': (channel, { prefetchSize, prefetchCount, global }) => {
    if (prefetchSize !== 0) throw new AmqpFailure(540, `prefetch_size!=0 (${prefetchSize})`);
    if (global && channel.connection.context.traits.channelPrefetch) channel.unacked.limit = prefetchCount;
    else channel.prefetch = prefetchCount;
    channel.reply('basic.qos-ok', {});
    channel.unacked.goOn();
  },

  'basic.consume': (channel, args) => {
    if (args.queue === REPLY_QUEUE) consumeReplies(channel, args);
    else consume(channel, args);
  },

  'basic.cancel': (channel, { consumerTag, nowait }) => {
    const subscription = channel.subscriptions.get(consumerTag);
    if (subscription) channel.unsubscribe(subscription);
    if (channel.replies?.tag === consumerTag) {
      channel.connection.context.directReplies.close(channel.replies);
      channel.replies = undefined;
    }
    // Cancel-ok first: an auto-delete queue goes with its last consumer, and that consumer left by itself.
    if (!nowait) channel.reply('basic.cancel-ok', { consumerTag });
    if (!subscription) return;
    subscription.queue.removeConsumer(subscription);
    subscription.queue.pump();
  },

  'basic.get': (channel, args) => {
    channel.connection.permitted.require('read', 'queue', queueName(channel, args.queue));
    const queue = namedQueue(channel, args.queue);
    const held = queue.take();
    if (!held) {
      for (const { counters } of [queue, channel]) counters.get_empty += 1;
      channel.reply('basic.get-empty', { clusterId: '' });
      return;
    }
    const { message, redelivered } = held;
    for (const { counters } of [queue, channel]) counters.got(args.noAck, redelivered);
    const deliveryTag = channel.unacked.next();
    const { exchange, routingKey } = message;
    channel.connection.outbox.content(
      channel.number,
      'basic.get-ok',
      { deliveryTag, redelivered, exchange, routingKey, messages: queue.length },
      deliveredProperties(queue, held, channel.connection.context.traits, true),
      message.body,
    );
    if (args.noAck) queue.settle(held, 'not awaited');
    else channel.unacked.add({ tag: deliveryTag, queue, held, subscription: undefined });
  },
};

function consume(channel: Channel, args: Args<'basic.consume'>): void {
  channel.connection.permitted.require('read', 'queue', queueName(channel, args.queue));
  const queue = namedQueue(channel, args.queue);
  const tag = freshTag(channel, args.consumerTag);
  const table = decodeTable(args.arguments);
  if (queue instanceof Stream) {
    readStream(channel, queue, tag, args);
    return;
  }
  checkAccess(channel, queue, args.exclusive);
  const subscription = new Subscription(channel, queue, {
    tag,
    noAck: args.noAck,
    exclusive: args.exclusive,
    priority: consumerPriority(queue, channel, table),
    prefetch: channel.prefetch,
    arguments: table,
  });
  channel.connection.context.meter.declare('consumer', subscription, tag, args.arguments.length);
  channel.subscriptions.set(tag, subscription);
  queue.addConsumer(subscription);
  if (!args.nowait) channel.reply('basic.consume-ok', { consumerTag: tag });
  queue.pump();
}

function checkAccess(channel: Channel, queue: Queue, exclusive: boolean): void {
  const thing = called('queue', queue.name, channel.connection.vhost.name);
  if (queue.consumers.exclusive || (exclusive && queue.consumers.count > 0)) {
    throw refused(`${thing} in exclusive use`);
  }
  if (exclusive && queue.settings.single) {
    throw refused(`${thing} in exclusive use`);
  }
  if (queue.settings.quorum && channel.unacked.limit > 0) {
    throw new AmqpFailure(540, `${thing} does not support global qos`);
  }
}

function freshTag(channel: Channel, wanted: string): string {
  if (wanted === '') return serverName('amq.ctag-');
  if (channel.subscriptions.has(wanted) || channel.replies?.tag === wanted) {
    throw new AmqpFailure(530, `attempt to reuse consumer tag '${wanted}'`);
  }
  return wanted;
}

function consumerPriority(queue: Queue, channel: Channel, table: Table): number {
  const field = table.get('x-priority');
  if (!field) return 0;
  if (isInteger(field)) return Number(field.value);
  const thing = called('queue', queue.name, channel.connection.vhost.name);
  throw precondition(`invalid arg 'x-priority' for ${thing}: "expected integer, got ${field.type}"`);
}

function consumeReplies(channel: Channel, args: Args<'basic.consume'>): void {
  const tag = freshTag(channel, args.consumerTag);
  if (channel.replies) throw precondition('reply consumer already set');
  if (!args.noAck) throw precondition('reply consumer cannot acknowledge');
  const { connection, number, unacked } = channel;
  channel.replies = connection.context.directReplies.open(
    tag,
    ({ exchange, routingKey, properties, body }) => {
      const deliveryTag = unacked.next();
      const args = { consumerTag: tag, deliveryTag, redelivered: false, exchange, routingKey };
      connection.outbox.content(number, 'basic.deliver', args, properties, body);
    },
  );
  if (!args.nowait) channel.reply('basic.consume-ok', { consumerTag: tag });
}
