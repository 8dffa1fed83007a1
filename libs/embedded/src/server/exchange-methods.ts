// The exchange.* methods of a channel.
import { notFound } from '../model/failure.js';
import { decodeTable } from '../wire/field-table.js';
import type { Args } from '../wire/methods.js';
import type { Channel } from './channel.js';
import type { Answers } from './channel-methods.js';

export const exchangeMethods: Answers = {
  'exchange.declare': (channel, args) => {
    const { exchanges } = channel.connection.vhost;
    if (args.passive) {
      if (args.exchange !== '') exchanges.get(args.exchange);
      else throw notFound('exchange', '', channel.connection.vhost.name);
    } else {
      const { type, durable, autoDelete, internal } = args;
      const settings = { type, durable, autoDelete, internal, arguments: decodeTable(args.arguments) };
      exchanges.declare(args.exchange, settings);
    }
    if (!args.nowait) channel.reply('exchange.declare-ok', {});
  },

  'exchange.delete': (channel, args) => {
    channel.connection.vhost.exchanges.delete(args.exchange, args.ifUnused);
    if (!args.nowait) channel.reply('exchange.delete-ok', {});
  },

  'exchange.bind': (channel, args) => {
    link(channel, args, 'bind');
    if (!args.nowait) channel.reply('exchange.bind-ok', {});
  },

  'exchange.unbind': (channel, args) => {
    link(channel, args, 'unbind');
    if (!args.nowait) channel.reply('exchange.unbind-ok', {});
  },
};

function link(channel: Channel, args: Args<'exchange.bind'>, action: 'bind' | 'unbind'): void {
  const { exchanges } = channel.connection.vhost;
  const source = exchanges.get(args.source);
  const destination = exchanges.get(args.destination);
  exchanges[action](source, destination, args.routingKey, decodeTable(args.arguments));
}
