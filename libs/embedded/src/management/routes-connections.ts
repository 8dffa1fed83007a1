// Connections, channels and consumers: list them, close connections.
import type { VirtualHost } from '../model/virtual-host.js';
import type { Connection } from '../server/connection.js';
import { type Call, done, notFound, type Reply } from './call.js';
import { channelView, connectionName, connectionView } from './connection-view.js';
import { listed, shown } from './listing.js';
import { consumerView } from './queue-view.js';
import type { Route } from './router.js';

const REASON = 'Closed via management plugin';
const needs = 'manager';

export const connectionRoutes: readonly Route[] = [
  { path: '/connections', needs, GET: (call) => connections(call, mine(call)) },
  {
    path: '/connections/username/:name',
    needs,
    GET: (call) => connections(call, ofUser(call)),
    DELETE: closeAll,
  },
  { path: '/connections/:name', needs, GET: one, DELETE: close },
  { path: '/connections/:name/channels', needs, GET: channelsOf },
  { path: '/vhosts/:vhost/connections', needs, inVhost: true, GET: (call) => connections(call, mine(call)) },
  { path: '/vhosts/:vhost/channels', needs, inVhost: true, GET: (call) => channels(call, mine(call)) },
  { path: '/channels', needs, GET: (call) => channels(call, mine(call)) },
  { path: '/channels/:name', needs, GET: oneChannel },
  { path: '/consumers', needs, GET: consumers },
  { path: '/consumers/:vhost', needs, inVhost: true, GET: consumers },
];

/** Those that the user may see. */
function mine({ management, user, params }: Call): Connection[] {
  return management.connections(user, params.vhost);
}

function ofUser(call: Call): Connection[] {
  return mine(call).filter(({ agreed }) => agreed?.user === call.params.name);
}

function named(call: Call): Connection | undefined {
  return mine(call).find((connection) => connectionName(connection) === call.params.name);
}

function connections(call: Call, some: readonly Connection[]): Reply {
  return listed(
    call,
    some.map((connection) => connectionView(call.management, connection)),
  );
}

function one(call: Call): Reply {
  const connection = named(call);
  return connection ? shown(call, connectionView(call.management, connection)) : notFound;
}

function close(call: Call): Reply {
  const connection = named(call);
  if (!connection) return notFound;
  call.management.administration.disconnect((each) => each === connection, call.reason ?? REASON);
  return done;
}

function closeAll(call: Call): Reply {
  const all = new Set(ofUser(call));
  call.management.administration.disconnect((each) => all.has(each), call.reason ?? REASON);
  return done;
}

function channels(call: Call, some: readonly Connection[]): Reply {
  const all = some.flatMap((connection) => [...connection.channels.all()]).filter(({ closed }) => !closed);
  return listed(
    call,
    all.map((channel) => channelView(call.management, channel)),
  );
}

function channelsOf(call: Call): Reply {
  const connection = named(call);
  return connection ? channels(call, [connection]) : notFound;
}

function oneChannel(call: Call): Reply {
  for (const connection of mine(call)) {
    for (const channel of connection.channels.all()) {
      if (`${connectionName(connection)} (${channel.number})` !== call.params.name) continue;
      const details = [...channel.subscriptions.values()].map((each) =>
        consumerView(connection.vhost, each.queue, each),
      );
      return shown(call, { ...channelView(call.management, channel), consumer_details: details });
    }
  }
  return notFound;
}

function consumers(call: Call): Reply {
  const { management, user, params } = call;
  const ofVhost = (vhost: VirtualHost): Record<string, unknown>[] =>
    [...vhost.allQueues()].flatMap((queue) =>
      queue.consumers.all().map((consumer) => consumerView(vhost, queue, consumer)),
    );
  return listed(call, management.vhosts(user, params.vhost).flatMap(ofVhost));
}
