// basic.publish: checks a message, routes it, returns it when it is unroutable, and confirms it.
import { AmqpFailure, precondition, refused } from '../model/failure.js';
import { copies } from '../model/dead-letter.js';
import type { Exchange } from '../model/exchange.js';
import { Message } from '../model/message.js';
import { MAX_EXPIRY } from '../model/queue-settings.js';
import type { Routed, VirtualHost } from '../model/virtual-host.js';
import { encodeTable } from '../wire/field-table.js';
import type { Args } from '../wire/methods.js';
import { changeProperties, hasProperty, tableProperty, textProperty } from '../wire/properties.js';
import type { Channel } from './channel-context.js';
import type { Permitted } from './permitted.js';
import { isReplyName, REPLY_QUEUE } from './direct-replies.js';
import type { RoutedPublish } from './transaction.js';

const NO_ROUTE = 312;

export function publish(
  channel: Channel,
  args: Args<'basic.publish'>,
  properties: Buffer,
  body: Buffer,
  keys: readonly string[] = [args.routingKey],
): void {
  if (args.immediate) throw new AmqpFailure(540, 'immediate=true');
  const { exchange, routingKey, mandatory } = args;
  const source = checkExchange(channel.connection, exchange);
  const message = accept(channel, new Message(exchange, keys, properties, body));
  for (const key of message.routingKeys) channel.connection.permitted.requireTopic('write', source, key);
  if (channel.transaction) {
    const reply = exchange === '' && isReplyName(routingKey);
    const queues = reply ? undefined : [...channel.connection.vhost.route(message)];
    channel.transaction.publish({ message, mandatory, queues });
    return;
  }
  const { confirms } = channel;
  if (!confirms) {
    deliver(channel, { message, mandatory, queues: undefined });
    return;
  }
  const tag = confirms.next();
  const fault = channel.connection.context.publishFaults.of(message, channel.connection.vhost);
  if (fault === 'nack') {
    confirms.settle(tag, false);
    return;
  }
  const routed = deliver(channel, { message, mandatory, queues: undefined });
  if (fault === 'dropConfirm') {
    confirms.drop();
    return;
  }
  if (routed.accepted) channel.counters.confirm += 1;
  confirms.settle(tag, routed.accepted);
}

/** A message goes to its queues, or back to its publisher when it is mandatory and has none. */
export function deliver(channel: Channel, { message, mandatory, queues }: RoutedPublish): Routed {
  const { vhost, outbox } = channel.connection;
  const routed = queues ? vhost.deliver(message, vhost.present(queues)) : send(channel, message);
  const { counters } = channel;
  counters.publish += 1;
  if (routed.queues === 0) counters[mandatory ? 'return_unroutable' : 'drop_unroutable'] += 1;
  if (mandatory && routed.queues === 0) {
    // The return must be out before the confirm; confirms wait for the end of the turn.
    const { exchange, routingKey, properties, body } = message;
    const args = { code: NO_ROUTE, text: 'NO_ROUTE', exchange, routingKey };
    outbox.content(channel.number, 'basic.return', args, properties, body);
  }
  return routed;
}

/** Throws 403 or 404 when nothing can be published there; undefined is the default exchange. */
export function checkExchange(
  { permitted, vhost }: { readonly permitted: Permitted; readonly vhost: VirtualHost },
  name: string,
): Exchange | undefined {
  permitted.require('write', 'exchange', name);
  if (name === '') return undefined;
  const exchange = vhost.exchanges.get(name);
  if (!exchange.settings.internal) return exchange;
  throw refused(`cannot publish to internal exchange '${name}' in vhost '${vhost.name}'`);
}

function send(channel: Channel, message: Message): Routed {
  const { connection } = channel;
  if (message.exchange !== '' || !isReplyName(message.routingKey)) return connection.vhost.publish(message);
  const found = connection.context.directReplies.find(message.routingKey);
  found?.deliver(message);
  // It is no queue: until 4.3 a mandatory message comes back also when it was delivered.
  return { queues: found && !connection.context.traits.returnsReplies ? 1 : 0, accepted: true };
}

/** The message as it goes on: checked, BCC taken out, the reply address made real. Throws 406 for a bad property. */
function accept(channel: Channel, message: Message): Message {
  const { properties } = message;
  checkUser(channel, message);
  checkExpiration(message);
  let result = message;
  if (hasProperty(properties, 'headers')) result = withCopies(result);
  if (message.text('replyTo') === REPLY_QUEUE) {
    if (!channel.replies) throw precondition('fast reply consumer does not exist');
    const raw = changeProperties(result.properties, [['replyTo', textProperty(channel.replies.name)]]);
    result = new Message(result.exchange, result.routingKeys, raw, result.body);
  }
  return result;
}

function checkUser(channel: Channel, message: Message): void {
  const claimed = message.text('userId');
  const user = channel.connection.agreed?.user;
  if (claimed === undefined || claimed === user) return;
  if (channel.connection.context.access.user(user ?? '')?.tags.includes('impersonator')) return;
  throw precondition(`user_id property set to '${claimed}' but authenticated user was '${user}'`);
}

/** Throws 406 for an expiration that is no number of milliseconds. */
export function checkExpiration(message: Message): void {
  const expiration = message.text('expiration');
  if (expiration === undefined) return;
  const [, number, rest] = /^([+-]?[0-9]+)?(.*)$/s.exec(expiration) ?? [];
  const value = Number(number);
  const wrong =
    number === undefined
      ? 'no_integer'
      : rest !== ''
        ? `{leftover_string,${JSON.stringify(rest)}}`
        : value < 0
          ? `{value_negative,${value}}`
          : value > MAX_EXPIRY
            ? `{value_too_large,${value}}`
            : undefined;
  if (wrong !== undefined) throw precondition(`invalid expiration '${expiration}': ${wrong}`);
}

/** The message with the routing keys of CC and BCC, and without BCC. Throws 406 for wrong ones. */
export function withCopies(message: Message): Message {
  const { headers } = message;
  if (headers.size === 0) return message;
  for (const name of ['CC', 'BCC']) {
    const field = headers.get(name);
    if (!field || field.type === 'array') continue;
    throw precondition(`invalid message: {unacceptable_type_in_header,"${name}",${field.type}}`);
  }
  const hidden = copies(headers, 'BCC');
  const more = [...copies(headers, 'CC'), ...hidden];
  if (more.length === 0 && !headers.has('BCC')) return message;
  let { properties } = message;
  if (headers.has('BCC')) {
    const visible = new Map(headers);
    visible.delete('BCC');
    properties = changeProperties(properties, [['headers', tableProperty(encodeTable(visible))]]);
  }
  return new Message(message.exchange, [...message.routingKeys, ...more], properties, message.body);
}
