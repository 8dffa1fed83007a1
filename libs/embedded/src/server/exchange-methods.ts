// The exchange.* methods of a channel.
import { decodeTable } from '../wire/field-table.js';
import type { Answers } from './channel-methods.js';

export const exchangeMethods: Answers = {
  'exchange.declare': (channel, args) => {
    const { exchanges } = channel.connection.vhost;
    if (args.passive) {
      exchanges.get(args.exchange);
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
    const { exchanges } = channel.connection.vhost;
    const source = exchanges.get(args.source);
    exchanges.bind(source, exchanges.get(args.destination), args.routingKey, decodeTable(args.arguments));
    if (!args.nowait) channel.reply('exchange.bind-ok', {});
  },

  'exchange.unbind': (channel, args) => {
    const { exchanges } = channel.connection.vhost;
    const destination = exchanges.find(args.destination);
    exchanges.unbind(args.source, destination, args.routingKey, decodeTable(args.arguments));
    if (!args.nowait) channel.reply('exchange.unbind-ok', {});
  },
};
