// Queues: list, declare, delete, purge, get.
import type { Held } from '../model/message.js';
import { badRequest, Refusal } from '../model/refusal.js';
import type { Queue } from '../model/queue.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { declareQueue, deleteQueue } from '../server/declaring.js';
import { deliveredProperties } from '../server/subscription.js';
import { toTable } from '../wire/plain.js';
import { type Call, done, flagOf, notFound, objectOf, put, type Reply, requireKeys, textOf } from './call.js';
import { listed, shown } from './listing.js';
import { isText, propertiesAsJson } from './message-json.js';
import { queueDetails, queueView } from './queue-view.js';
import type { Route } from './router.js';

/** Stands for a connection of the management API; exclusive queues belong to others. */
const NOBODY = {};
/** A response with this many characters of messages gets no further one. */
const MOST_TEXT = 64 * 1024 * 1024;
const ACK_MODES = ['ack_requeue_true', 'ack_requeue_false', 'reject_requeue_true', 'reject_requeue_false'];

export const queueRoutes: readonly Route[] = [
  { path: '/queues', needs: 'manager', GET: (call) => list(call, undefined) },
  { path: '/queues/detailed', needs: 'manager', GET: (call) => list(call, undefined) },
  { path: '/queues/:vhost', needs: 'manager', inVhost: true, GET: (call) => list(call, call.params.vhost) },
  { path: '/queues/:vhost/:name', needs: 'manager', inVhost: true, GET: one, PUT: declare, DELETE: remove },
  { path: '/queues/:vhost/:name/contents', needs: 'manager', inVhost: true, DELETE: purge },
  { path: '/queues/:vhost/:name/get', needs: 'manager', inVhost: true, POST: get },
];

function list(call: Call, vhost: string | undefined): Reply {
  const { management, user } = call;
  const views = management
    .vhosts(user, vhost)
    .flatMap((each) => [...each.allQueues()].map((queue) => queueView(management, each, queue)));
  return listed(call, views, ['vhost', 'name']);
}

function place({ management, user, params }: Call): { vhost: VirtualHost; queue: Queue | undefined } {
  const vhost = management.vhost(user, params.vhost) as VirtualHost;
  return { vhost, queue: vhost.named(params.name) };
}

function one(call: Call): Reply {
  const { vhost, queue } = place(call);
  return queue ? shown(call, queueDetails(call.management, vhost, queue)) : notFound;
}

function declare(call: Call): Reply {
  const { vhost, queue } = place(call);
  const { management, user, params, body } = call;
  const flags = {
    durable: flagOf(body, 'durable'),
    autoDelete: flagOf(body, 'auto_delete'),
    exclusive: false,
  };
  const declaration = { ...flags, arguments: toTable(objectOf(body, 'arguments')) };
  declareQueue(vhost, management.permitted(user, vhost.name), params.name, declaration, NOBODY);
  return put(queue === undefined);
}

function remove(call: Call): Reply {
  const { vhost, queue } = place(call);
  if (!queue) return notFound;
  const { management, user, query } = call;
  const only = { ifUnused: query.get('if-unused') === 'true', ifEmpty: query.get('if-empty') === 'true' };
  // An operator may delete the exclusive queue of a client.
  deleteQueue(vhost, management.permitted(user, vhost.name), queue.name, only, queue.owner ?? NOBODY);
  return done;
}

function purge(call: Call): Reply {
  const { vhost, queue } = place(call);
  if (!queue) return notFound;
  call.management.permitted(call.user, vhost.name).require('read', 'queue', queue.name);
  vhost.queue(queue.name, NOBODY).purge();
  return done;
}

function get(call: Call): Reply {
  const { vhost, queue } = place(call);
  const { management, user, body, params } = call;
  requireKeys(body, 'count', 'ackmode', 'encoding');
  const mode = textOf(body, 'ackmode');
  if (!ACK_MODES.includes(mode)) {
    throw badRequest(`Invalid ackmode value: ${mode}. Valid values are: ${ACK_MODES.join(', ')}`);
  }
  const encoding = textOf(body, 'encoding');
  if (encoding !== 'auto' && encoding !== 'base64') {
    throw badRequest('Unsupported encoding. Please use auto or base64.');
  }
  const count = whole(body.count);
  const truncate = body.truncate === undefined ? Infinity : whole(body.truncate);
  if (!queue) throw new Refusal('not_found', `no queue '${params.name}' in vhost '${vhost.name}'`);
  management.permitted(user, vhost.name).require('read', 'queue', queue.name);
  const taken: Held[] = [];
  const messages: string[] = [];
  let text: string;
  try {
    for (let size = 0; taken.length < count && size < MOST_TEXT;) {
      const held = vhost.queue(queue.name, NOBODY).take();
      if (!held) break;
      taken.push(held);
      const message = JSON.stringify(messageView(management.context.traits, queue, held, encoding, truncate));
      messages.push(message);
      size += message.length;
    }
    text = `[${messages.join(',')}]`;
  } catch (error) {
    // Nobody hears of what was taken.
    giveBack(queue, taken, 'ack_requeue_true');
    throw error;
  }
  for (const held of taken) queue.counters.got(mode === 'ack_requeue_false', held.redelivered);
  giveBack(queue, taken, mode);
  return { status: 200, text };
}

function giveBack(queue: Queue, taken: readonly Held[], mode: string): void {
  if (mode === 'ack_requeue_false') for (const held of taken) queue.settle(held, 'not awaited');
  else if (mode === 'reject_requeue_false') for (const held of taken) queue.settle(held, 'rejected');
  else queue.requeue(taken, mode === 'reject_requeue_true' ? 'reject' : 'closed');
  queue.pump();
}

function messageView(
  traits: Parameters<typeof deliveredProperties>[2],
  queue: Queue,
  held: Held,
  encoding: string,
  truncate: number,
): object {
  const { exchange, routingKey, body } = held.message;
  const part = body.length > truncate ? body.subarray(0, truncate) : body;
  const asText = encoding === 'auto' && isText(part);
  return {
    payload_bytes: body.length,
    redelivered: held.redelivered,
    exchange,
    routing_key: routingKey,
    message_count: queue.length,
    properties: propertiesAsJson(deliveredProperties(queue, held, traits, true)),
    payload: part.toString(asText ? 'utf8' : 'base64'),
    payload_encoding: asText ? 'string' : 'base64',
  };
}

function whole(value: unknown): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0) return number;
  throw badRequest(`not_integer: ${JSON.stringify(value)}`);
}
