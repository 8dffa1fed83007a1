// The queue.* methods of a channel. An empty queue name stands for the queue this channel declared last.
import { AmqpFailure, notFound } from '../model/failure.js';
import type { Queue } from '../model/queue.js';
import { decodeTable } from '../wire/field-table.js';
import type { Args } from '../wire/methods.js';
import type { Answers, Channel } from './channel-context.js';
import { checkBinding, declareQueue, deleteQueue, oneLine } from './declaring.js';
import { isReplyName, REPLY_QUEUE } from './direct-replies.js';

export const queueMethods: Answers = {
  'queue.declare': (channel, declared) => {
    const args = { ...declared, queue: oneLine(declared.queue) };
    if (args.queue === REPLY_QUEUE || isReplyName(args.queue)) {
      checkReplyName(channel, args.queue);
      if (!args.nowait) channel.reply('queue.declare-ok', { queue: args.queue, messages: 0, consumers: 1 });
      return;
    }
    const queue = declare(channel, args);
    channel.lastQueue = queue.name;
    if (args.nowait) return;
    // RabbitMQ does not count the consumers of a stream here.
    const consumers = queue.settings.type === 'stream' ? 0 : queue.consumers.count;
    channel.reply('queue.declare-ok', { queue: queue.name, messages: queue.length, consumers });
  },

  'queue.bind': (channel, args) => {
    const { vhost, permitted } = channel.connection;
    const { exchanges } = vhost;
    const name = queueName(channel, oneLine(args.queue));
    const { exchange: source, routingKey } = args;
    checkBinding(vhost, permitted, 'queue', { source, destination: name, routingKey });
    const queue = vhost.queue(name, channel.connection);
    exchanges.bind(
      exchanges.get(oneLine(args.exchange)),
      queue,
      bindingKey(args, queue.name),
      decodeTable(args.arguments),
    );
    if (!args.nowait) channel.reply('queue.bind-ok', {});
  },

  'queue.unbind': (channel, args) => {
    const { vhost, permitted } = channel.connection;
    const name = queueName(channel, oneLine(args.queue));
    const { exchange: source, routingKey } = args;
    checkBinding(vhost, permitted, 'queue', { source, destination: name, routingKey });
    const queue = vhost.has(name) ? vhost.queue(name, channel.connection) : undefined;
    vhost.exchanges.unbind(
      oneLine(args.exchange),
      queue,
      bindingKey(args, name),
      decodeTable(args.arguments),
    );
    channel.reply('queue.unbind-ok', {});
  },

  'queue.purge': (channel, args) => {
    channel.connection.permitted.require('read', 'queue', queueName(channel, args.queue));
    const messages = namedQueue(channel, args.queue).purge();
    if (!args.nowait) channel.reply('queue.purge-ok', { messages });
  },

  'queue.delete': (channel, args) => {
    const { vhost, permitted } = channel.connection;
    const name = queueName(channel, oneLine(args.queue));
    const messages = deleteQueue(vhost, permitted, name, args, channel.connection);
    if (!args.nowait) channel.reply('queue.delete-ok', { messages });
  },
};

/** Without queue and key, the key is the name of the queue. */
function bindingKey(args: Args<'queue.unbind'> | Args<'queue.bind'>, queue: string): string {
  return args.routingKey === '' && args.queue === '' ? queue : args.routingKey;
}

function declare(channel: Channel, args: Args<'queue.declare'>): Queue {
  const { connection } = channel;
  if (args.passive) {
    connection.permitted.requireAny('queue', args.queue);
    const queue = connection.vhost.queue(args.queue, connection);
    queue.named();
    return queue;
  }
  const declaration = { ...args, arguments: decodeTable(args.arguments) };
  return declareQueue(connection.vhost, connection.permitted, args.queue, declaration, connection);
}

/** Asking for a reply address says whether the requester is still there; the bare name is always there. */
function checkReplyName(channel: Channel, name: string): void {
  const { context, vhost } = channel.connection;
  if (name !== REPLY_QUEUE && !context.directReplies.find(name)) throw notFound('queue', name, vhost.name);
}

export function queueName(channel: Channel, name: string): string {
  if (name !== '') return name;
  if (channel.lastQueue === '') throw new AmqpFailure(404, 'no previously declared queue');
  return channel.lastQueue;
}

/** The queue a method means. Throws 404 when it is not there, 405 when it belongs to another connection. */
export function namedQueue(channel: Channel, name: string): Queue {
  return channel.connection.vhost.queue(queueName(channel, name), channel.connection);
}
