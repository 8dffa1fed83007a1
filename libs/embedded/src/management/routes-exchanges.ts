// Exchanges: list, declare, delete, publish. The default exchange is `amq.default` in paths and has no name in lists.
import type { Exchange } from '../model/exchange.js';
import { precondition } from '../model/failure.js';
import { Message } from '../model/message.js';
import { refused } from '../model/failure.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { declareExchange, deleteExchange } from '../server/declaring.js';
import { checkExchange, checkExpiration, withCopies } from '../server/publish.js';
import { EMPTY_TABLE } from '../wire/field-table.js';
import { fromTable, toTable } from '../wire/plain.js';
import {
  type Call,
  done,
  flagOf,
  notFound,
  objectOf,
  ok,
  put,
  type Reply,
  requireKeys,
  textOf,
} from './call.js';
import { exchangeNumbers } from './counted.js';
import { listed, shown } from './listing.js';
import type { Management } from './management.js';
import { payloadFrom, propertiesFrom } from './message-json.js';
import type { Route } from './router.js';

const DEFAULT = 'amq.default';

export const exchangeRoutes: readonly Route[] = [
  { path: '/exchanges', needs: 'manager', GET: (call) => list(call, undefined) },
  {
    path: '/exchanges/:vhost',
    needs: 'manager',
    inVhost: true,
    GET: (call) => list(call, call.params.vhost),
  },
  {
    path: '/exchanges/:vhost/:name',
    needs: 'manager',
    inVhost: true,
    GET: one,
    PUT: declare,
    DELETE: remove,
  },
  { path: '/exchanges/:vhost/:name/publish', needs: 'manager', inVhost: true, POST: publish },
];

type Shown = Pick<Exchange, 'name' | 'settings' | 'counters' | 'policy'>;

function all({ exchanges }: VirtualHost): Shown[] {
  const settings = {
    type: 'direct',
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: EMPTY_TABLE,
  };
  const policy = { policy: undefined, operator: undefined, definition: {} };
  return [{ name: '', settings, counters: exchanges.counters, policy }, ...exchanges.all()];
}

function view({ rates }: Management, vhost: VirtualHost, exchange: Shown): Record<string, unknown> {
  const { name, settings, counters, policy } = exchange;
  return {
    name,
    vhost: vhost.name,
    type: settings.type,
    durable: settings.durable,
    auto_delete: settings.autoDelete,
    internal: settings.internal,
    arguments: fromTable(settings.arguments),
    ...(policy.policy && { policy: policy.policy.name }),
    ...rates.stats(counters, exchangeNumbers(counters), ['publish_in', 'publish_out']),
  };
}

function list(call: Call, vhost: string | undefined): Reply {
  const { management, user } = call;
  const views = management
    .vhosts(user, vhost)
    .flatMap((each) => all(each).map((exchange) => view(management, each, exchange)));
  return listed(call, views, ['vhost', 'name']);
}

function place({ management, user, params }: Call): {
  vhost: VirtualHost;
  name: string;
  found: Shown | undefined;
} {
  const vhost = management.vhost(user, params.vhost) as VirtualHost;
  const name = params.name === DEFAULT ? '' : params.name;
  return { vhost, name, found: name === '' ? all(vhost)[0] : vhost.exchanges.find(name) };
}

function one(call: Call): Reply {
  const { vhost, found } = place(call);
  return found
    ? shown(call, { ...view(call.management, vhost, found), incoming: [], outgoing: [] })
    : notFound;
}

function declare(call: Call): Reply {
  const { vhost, name, found } = place(call);
  const { management, user, body } = call;
  declareExchange(vhost, management.permitted(user, vhost.name), name, {
    type: textOf(body, 'type', 'direct'),
    durable: flagOf(body, 'durable'),
    autoDelete: flagOf(body, 'auto_delete'),
    internal: flagOf(body, 'internal'),
    arguments: toTable(objectOf(body, 'arguments')),
  });
  return put(found === undefined);
}

function remove(call: Call): Reply {
  const { vhost, name, found } = place(call);
  if (!found) return notFound;
  const ifUnused = call.query.get('if-unused') === 'true';
  deleteExchange(vhost, call.management.permitted(call.user, vhost.name), name, ifUnused);
  return done;
}

function publish(call: Call): Reply {
  const { vhost, name } = place(call);
  const { management, user, body } = call;
  requireKeys(body, 'properties', 'routing_key', 'payload', 'payload_encoding');
  const properties = propertiesFrom(objectOf(body, 'properties'));
  const payload = payloadFrom(textOf(body, 'payload'), textOf(body, 'payload_encoding'));
  const { maxMessageSize } = management.context.limits;
  if (payload.length > maxMessageSize) {
    throw precondition(`message size ${payload.length} is larger than configured max size ${maxMessageSize}`);
  }
  if (management.context.alarm !== undefined)
    throw refused(`publishers are blocked: ${management.context.alarm}`);
  const permitted = management.permitted(user, vhost.name);
  const source = checkExchange({ permitted, vhost }, name);
  const message = withCopies(new Message(name, [textOf(body, 'routing_key')], properties, payload));
  checkExpiration(message);
  for (const key of message.routingKeys) permitted.requireTopic('write', source, key);
  const { queues } = vhost.publish(message);
  const { counters } = vhost;
  counters.publish += 1;
  if (queues === 0) counters.return_unroutable += 1;
  return ok({ routed: queues > 0 });
}
