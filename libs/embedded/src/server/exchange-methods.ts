// The exchange.* methods of a channel.
import { decodeTable } from '../wire/field-table.js';
import type { Answers } from './channel-context.js';
import { checkBinding, declareExchange, deleteExchange, oneLine } from './declaring.js';

export const exchangeMethods: Answers = {
  'exchange.declare': (channel, args) => {
    const { vhost, permitted } = channel.connection;
    const name = oneLine(args.exchange);
    if (args.passive) {
      if (name !== '') permitted.requireAny('exchange', name);
      vhost.exchanges.get(name);
    } else {
      const { type, durable, autoDelete, internal } = args;
      const settings = { type, durable, autoDelete, internal, arguments: decodeTable(args.arguments) };
      declareExchange(vhost, permitted, name, settings);
    }
    if (!args.nowait) channel.reply('exchange.declare-ok', {});
  },

  'exchange.delete': (channel, args) => {
    const { vhost, permitted } = channel.connection;
    deleteExchange(vhost, permitted, oneLine(args.exchange), args.ifUnused);
    if (!args.nowait) channel.reply('exchange.delete-ok', {});
  },

  'exchange.bind': (channel, args) => {
    const { vhost, permitted } = channel.connection;
    const { exchanges } = vhost;
    checkBinding(vhost, permitted, 'exchange', args);
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
    const { vhost, permitted } = channel.connection;
    const { exchanges } = vhost;
    checkBinding(vhost, permitted, 'exchange', args);
    const destination = exchanges.find(oneLine(args.destination));
    exchanges.unbind(oneLine(args.source), destination, args.routingKey, decodeTable(args.arguments));
    if (!args.nowait) channel.reply('exchange.unbind-ok', {});
  },
};
