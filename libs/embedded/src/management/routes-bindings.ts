// Bindings: list, make, remove.
import type { Destination } from '../model/exchange.js';
import { called, notFound as failure, refused, type ResourceKind } from '../model/failure.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { checkBinding } from '../server/declaring.js';
import { toTable } from '../wire/plain.js';
import { bindingViews, propertiesKey } from './binding-view.js';
import { type Call, done, notFound, objectOf, type Reply, textOf } from './call.js';
import { listed, shown } from './listing.js';
import type { Route } from './router.js';

const BETWEEN = '/bindings/:vhost/e/:source/:kind/:destination';
const inVhost = true;
const ORDER = ['vhost', 'source', 'destination_type', 'destination', 'routing_key', 'properties_key'];

export const bindingRoutes: readonly Route[] = [
  {
    path: '/bindings',
    needs: 'manager',
    GET: (call) => list(call, call.management.vhosts(call.user, undefined)),
  },
  { path: '/bindings/:vhost', needs: 'manager', inVhost, GET: (call) => list(call, [vhostOf(call)]) },
  { path: BETWEEN, needs: 'manager', inVhost, GET: between, POST: bind },
  { path: `${BETWEEN}/:properties`, needs: 'manager', inVhost, GET: one, DELETE: unbind },
  { path: '/queues/:vhost/:name/bindings', needs: 'manager', inVhost, GET: ofQueue },
  { path: '/exchanges/:vhost/:name/bindings/source', needs: 'manager', inVhost, GET: from },
  { path: '/exchanges/:vhost/:name/bindings/destination', needs: 'manager', inVhost, GET: to },
];

function vhostOf({ management, user, params }: Call): VirtualHost {
  return management.vhost(user, params.vhost) as VirtualHost;
}

type View = ReturnType<typeof bindingViews>[number];

function list(
  call: Call,
  vhosts: readonly VirtualHost[],
  wanted: (view: View) => boolean = () => true,
): Reply {
  return listed(call, vhosts.flatMap(bindingViews).filter(wanted), ORDER);
}

const exchangeName = (name: string): string => (name === 'amq.default' ? '' : name);

function ofQueue(call: Call): Reply {
  const vhost = vhostOf(call);
  const { name } = call.params;
  if (!vhost.has(name)) return notFound;
  return list(call, [vhost], (view) => view.destination_type === 'queue' && view.destination === name);
}

function from(call: Call): Reply {
  const name = exchangeName(call.params.name);
  const vhost = vhostOf(call);
  if (name !== '' && !vhost.exchanges.find(name)) return notFound;
  return list(call, [vhost], ({ source }) => source === name);
}

function to(call: Call): Reply {
  const name = exchangeName(call.params.name);
  const vhost = vhostOf(call);
  if (name !== '' && !vhost.exchanges.find(name)) return notFound;
  return list(call, [vhost], (view) => view.destination_type === 'exchange' && view.destination === name);
}

interface Ends {
  readonly vhost: VirtualHost;
  readonly source: string;
  readonly kind: ResourceKind;
  readonly destination: string;
}

/** Undefined for a path that names neither a queue nor an exchange. */
function endsOf(call: Call): Ends | undefined {
  const { source, kind, destination } = call.params;
  if (kind !== 'q' && kind !== 'e') return undefined;
  const [from, vhost] = [exchangeName(source), vhostOf(call)];
  return { vhost, source: from, kind: kind === 'q' ? 'queue' : 'exchange', destination };
}

function viewsBetween({ vhost, source, kind, destination }: Ends): View[] {
  return bindingViews(vhost).filter(
    (view) => view.source === source && view.destination_type === kind && view.destination === destination,
  );
}

function between(call: Call): Reply {
  const ends = endsOf(call);
  return ends ? listed(call, viewsBetween(ends), ORDER) : notFound;
}

function find(call: Call): { ends: Ends; view: View } | undefined {
  const ends = endsOf(call);
  const key = call.params.properties;
  // Decoded once as a part of the path, it may be as it was shown, or decoded once more.
  const view = ends && viewsBetween(ends).find((each) => [each.properties_key, unquoted(each)].includes(key));
  return ends && view && { ends, view };
}

function unquoted({ properties_key: key }: View): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}

function one(call: Call): Reply {
  const found = find(call);
  return found ? shown(call, found.view) : notFound;
}

function bind(call: Call): Reply {
  const ends = endsOf(call);
  if (!ends) return notFound;
  const { vhost, source, kind, destination } = ends;
  if (source === '') throw refused('operation not permitted on the default exchange');
  const [routingKey, table] = [
    textOf(call.body, 'routing_key', ''),
    toTable(objectOf(call.body, 'arguments')),
  ];
  const permitted = call.management.permitted(call.user, vhost.name);
  checkBinding(vhost, permitted, kind, { source, destination, routingKey });
  vhost.exchanges.bind(vhost.exchanges.get(source), destinationOf(ends), routingKey, table);
  const key = encodeURIComponent(propertiesKey(routingKey, table));
  return { status: 201, location: `${encodeURIComponent(destination)}/${key}` };
}

function destinationOf({ vhost, kind, destination }: Ends): Destination {
  if (kind === 'exchange') return vhost.exchanges.get(destination);
  const queue = vhost.named(destination);
  if (!queue) throw failure('queue', destination, vhost.name);
  if (queue.owner) throw refused(`${called('queue', destination, vhost.name)} is exclusive`);
  return queue;
}

function unbind(call: Call): Reply {
  const found = find(call);
  if (!found) return notFound;
  const { vhost, source, kind, destination } = found.ends;
  if (source === '') throw refused('operation not permitted on the default exchange');
  const { routing_key: routingKey, properties_key: wanted } = found.view;
  checkBinding(vhost, call.management.permitted(call.user, vhost.name), kind, {
    source,
    destination,
    routingKey,
  });
  const bindings = vhost.exchanges.get(source).bindings.values();
  const binding = [...bindings].find(
    (each) =>
      each.destination.kind === kind &&
      each.destination.name === destination &&
      propertiesKey(each.key, each.arguments) === wanted,
  );
  if (binding) vhost.exchanges.unbind(source, binding.destination, binding.key, binding.arguments);
  return done;
}
