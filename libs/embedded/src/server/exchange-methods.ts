// The exchange.* methods of a channel.
import { decodeTable } from '../wire/field-table.js';
import type { Answers } from './channel-methods.js';
import { oneLine } from './queue-methods.js';

export const exchangeMethods: Answers = {
  'exchange.declare': (channel, args) => {
    const { exchanges } = channel.connection.vhost;
    if (args.passive) {
      exchanges.get(oneLine(args.exchange));
    } else {
      const { type, durable, autoDelete, internal } = args;
      const settings = { type, durable, autoDelete, internal, arguments: decodeTable(args.arguments) };
      exchanges.declare(oneLine(args.exchange), settings);
    }
    if (!args.nowait) channel.reply('exchange.declare-ok', {});
  },

  'exchange.delete': (channel, args) => {
    channel.connection.vhost.exchanges.delete(oneLine(args.exchange), args.ifUnused);
    if (!args.nowait) channel.reply('exchange.delete-ok', {});
  },

  'exchange.bind': (channel, args) => {
    const { exchanges } = channel.connection.vhost;
    const source = exchanges.get(oneLine(args.source));
    exchanges.bind(
      source,
      exchanges.get(oneLine(args.destination)),
      args.routingKey,
      decodeTable(args.arguments),
    );
    if (!args.nowait) channel.reply('exchange.bind-ok', {});
  },

  'exchange.unbind': (channel, args) => {
    const { exchanges } = channel.connection.vhost;
    const destination = exchanges.find(oneLine(args.destination));
    exchanges.unbind(oneLine(args.source), destination, args.routingKey, decodeTable(args.arguments));
    if (!args.nowait) channel.reply('exchange.unbind-ok', {});
  },
};
