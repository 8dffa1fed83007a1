// The broker as a whole: overview, node, names, the small lists that clients ask for, and the export and
// import of definitions.
import { EXCHANGE_TYPES } from '../model/exchange.js';
import { Refusal } from '../model/refusal.js';
import { exportDefinitions, exportVhost } from '../server/definitions-export.js';
import { readDefinitions } from '../server/definitions-file.js';
import { importDefinitions } from '../server/definitions-import.js';
import { type Call, done, notFound, ok, type Reply } from './call.js';
import { DELIVERED, HELD, PUBLISHED, totals } from './counted.js';
import { listed, shown } from './listing.js';
import { type Management, NODE } from './management.js';
import type { Route } from './router.js';

const CLUSTER = 'embedded';
const uptime = process.uptime.bind(process);

export const overviewRoutes: readonly Route[] = [
  { path: '/overview', needs: 'manager', GET: overview },
  { path: '/nodes', needs: 'monitor', GET: (call) => listed(call, [node(call.management)]) },
  { path: '/nodes/:name', needs: 'monitor', GET: oneNode },
  { path: '/cluster-name', needs: 'manager', GET: () => ok({ name: CLUSTER }) },
  { path: '/extensions', needs: 'manager', GET: () => ok([]) },
  { path: '/feature-flags', needs: 'manager', GET: (call) => listed(call, []) },
  { path: '/version', needs: 'manager', GET: ({ management }) => ok(management.context.traits.number) },
  {
    path: '/definitions',
    needs: 'administrator',
    GET: ({ management }) => ok(exportDefinitions(management.context)),
    POST: load,
  },
  { path: '/definitions/:vhost', needs: 'administrator', GET: oneVhost, POST: load },
];

function listeners({ ports: { host, amqp, http } }: Management): object[] {
  const all: readonly (readonly [string, number])[] = [
    ['amqp', amqp],
    ['http', http],
  ];
  return all.map(([protocol, port]) => ({ node: NODE, protocol, ip_address: host, port, tls: false }));
}

const exchangeTypes = (): object[] =>
  EXCHANGE_TYPES.map((name) => ({ name, description: '', enabled: true }));

function overview(call: Call): Reply {
  const { management, user } = call;
  const { context, rates, administration } = management;
  const vhosts = management.vhosts(user, undefined);
  const all = vhosts.length === context.vhosts.size;
  const numbers = totals(vhosts, administration.connections);
  const thing = all ? context : vhosts;
  const queues = vhosts.flatMap((vhost) => [...vhost.allQueues()]);
  const connections = management.connections(user);
  return shown(call, {
    management_version: context.traits.number,
    rates_mode: 'basic',
    product_name: 'Warren embedded broker',
    product_version: context.traits.number,
    rabbitmq_version: context.traits.number,
    cluster_name: CLUSTER,
    cluster_tags: {},
    node_tags: {},
    default_queue_type: 'classic',
    is_op_policy_updating_enabled: true,
    node: NODE,
    exchange_types: exchangeTypes(),
    disable_stats: false,
    enable_queue_totals: false,
    statistics_db_event_queue: 0,
    message_stats: rates.stats(thing, numbers, PUBLISHED, DELIVERED).message_stats ?? {},
    queue_totals: queues.length > 0 ? rates.withRates(thing, numbers, HELD) : {},
    object_totals: {
      channels: connections.reduce((sum, { channels }) => sum + channels.count, 0),
      consumers: queues.reduce((sum, { consumers }) => sum + consumers.count, 0),
      // The default exchange is one, too.
      exchanges: vhosts.reduce((sum, { exchanges }) => sum + [...exchanges.all()].length + 1, 0),
      queues: queues.length,
      connections: connections.length,
    },
    listeners: listeners(management),
    contexts: contexts(management),
  });
}

function contexts({ ports }: Management): object[] {
  return [{ node: NODE, description: 'Management API', path: '/', ip: ports.host, port: String(ports.http) }];
}

function node(management: Management): Record<string, unknown> {
  const { context, administration } = management;
  const limit = context.limits.memoryLimit;
  return {
    name: NODE,
    type: 'disc',
    running: true,
    being_drained: false,
    os_pid: String(process.pid),
    uptime: Math.round(uptime() * 1000),
    mem_used: context.meter.held,
    mem_limit: Number.isFinite(limit) ? limit : Number.MAX_SAFE_INTEGER,
    mem_alarm: context.alarm !== undefined,
    disk_free_alarm: false,
    disk_free_limit: 0,
    disk_free: 0,
    fd_used: administration.connections.size,
    fd_total: 65_536,
    proc_used: administration.connections.size,
    proc_total: 65_536,
    sockets_total: 65_536,
    rabbitmq_version: context.traits.number,
    sockets_used: administration.connections.size,
    processors: 1,
    run_queue: 0,
    rates_mode: 'basic',
    partitions: [],
    applications: [],
    auth_mechanisms: context.traits.mechanisms.split(' ').map((name) => ({ name, enabled: true })),
    exchange_types: exchangeTypes(),
    enabled_plugins: [],
    log_files: [],
    config_files: [],
    contexts: contexts(management),
    net_ticktime: 60,
  };
}

function oneNode(call: Call): Reply {
  return call.params.name === NODE ? shown(call, node(call.management)) : notFound;
}

function oneVhost({ management, params }: Call): Reply {
  const vhost = management.context.vhosts.get(params.vhost);
  if (!vhost) throw new Refusal('bad_request', 'vhost_not_found');
  return ok(exportVhost(management.context, vhost));
}

function load({ management, params, body }: Call): Reply {
  if (params.vhost !== undefined && !management.context.vhosts.has(params.vhost)) {
    throw new Refusal('not_found', 'vhost_not_found');
  }
  importDefinitions(management.administration, readDefinitions(body, params.vhost));
  return done;
}
