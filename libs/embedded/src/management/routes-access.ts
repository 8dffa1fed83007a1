// Virtual hosts, users, permissions, topic permissions.
import type { User } from '../model/access.js';
import type { Grants } from '../model/grants.js';
import { isHashingAlgorithm, type PasswordHash } from '../model/password.js';
import { badRequest } from '../model/refusal.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Plain } from '../wire/plain.js';
import {
  flagOf,
  type Body,
  type Call,
  done,
  notFound,
  ok,
  put,
  type Reply,
  requireKeys,
  textOf,
} from './call.js';
import { DELIVERED, HELD, OCTETS, PUBLISHED, totals } from './counted.js';
import { listed, shown } from './listing.js';
import { isMonitor, type Management, NODE } from './management.js';
import type { Route } from './router.js';
import { tracing } from './routes-missing.js';

const needs = 'administrator';

export const accessRoutes: readonly Route[] = [
  {
    path: '/whoami',
    needs: 'manager',
    GET: ({ user: { name, tags } }) => ok({ name, tags, is_internal_user: true }),
  },
  { path: '/vhosts', needs: 'manager', GET: listVhosts },
  { path: '/vhosts/:vhost', needs: 'manager', GET: oneVhost },
  { path: '/vhosts/:vhost', needs, PUT: putVhost, DELETE: deleteVhost },
  {
    path: '/vhosts/:vhost/permissions',
    needs,
    inVhost: true,
    GET: (call) => permissions(call, byVhost(call)),
  },
  {
    path: '/vhosts/:vhost/topic-permissions',
    needs,
    inVhost: true,
    GET: (call) => topics(call, byVhost(call)),
  },
  { path: '/users/without-permissions', needs, GET: (call) => listUsers(call, true) },
  { path: '/users/bulk-delete', needs, POST: bulkDelete },
  { path: '/users', needs, GET: (call) => listUsers(call, false) },
  { path: '/users/:user', needs, GET: oneUser, PUT: putUser, DELETE: deleteUser },
  {
    path: '/users/:user/permissions',
    needs,
    GET: (call) => (userOf(call) ? permissions(call, byUser(call)) : notFound),
  },
  {
    path: '/users/:user/topic-permissions',
    needs,
    GET: (call) => (userOf(call) ? topics(call, byUser(call)) : notFound),
  },
  { path: '/permissions', needs, GET: (call) => permissions(call, () => true) },
  {
    path: '/permissions/:vhost/:user',
    needs,
    GET: onePermission,
    PUT: putPermission,
    DELETE: deletePermission,
  },
  { path: '/topic-permissions', needs, GET: (call) => topics(call, () => true) },
  { path: '/topic-permissions/:vhost/:user', needs, GET: topicsThere, PUT: putTopic, DELETE: deleteTopics },
  { path: '/topic-permissions/:vhost/:user/:exchange', needs, DELETE: deleteTopics },
  { path: '/user-limits', needs, GET: (call) => listed(call, []) },
  { path: '/user-limits/:user', needs, GET: (call) => listed(call, []) },
  { path: '/vhost-limits', needs: 'manager', GET: (call) => listed(call, []) },
  { path: '/vhost-limits/:vhost', needs: 'manager', inVhost: true, GET: (call) => listed(call, []) },
];

function vhostView(
  { rates, context, administration }: Management,
  vhost: VirtualHost,
): Record<string, unknown> {
  const numbers = totals([vhost], administration.connections);
  const type = context.traits.comparesTypes ? 'classic' : 'undefined';
  const description = vhost.name === '/' ? 'Default virtual host' : '';
  return {
    name: vhost.name,
    description,
    tags: [],
    default_queue_type: type,
    metadata: { description, tags: [] },
    tracing: false,
    cluster_state: { [NODE]: 'running' },
    ...rates.withRates(vhost, numbers, [...HELD, ...OCTETS]),
    ...rates.stats(vhost, numbers, PUBLISHED, DELIVERED),
  };
}

function listVhosts(call: Call): Reply {
  const { management, user } = call;
  const visible = isMonitor(user)
    ? [...management.context.vhosts.values()]
    : management.vhosts(user, undefined);
  return listed(
    call,
    visible.map((vhost) => vhostView(management, vhost)),
  );
}

function oneVhost(call: Call): Reply {
  const { management, user, params } = call;
  const vhost = isMonitor(user)
    ? management.context.vhosts.get(params.vhost)
    : management.vhost(user, params.vhost);
  return vhost ? shown(call, vhostView(management, vhost)) : notFound;
}

/** The creator of a virtual host gets all permissions in it. */
function putVhost({ management, user, params: { vhost }, body }: Call): Reply {
  if (flagOf(body, 'tracing')) tracing();
  if (vhost === '') throw badRequest('a virtual host needs a name');
  const isNew = management.administration.addVhost(vhost);
  if (isNew) {
    const everything = { configure: '.*', write: '.*', read: '.*' };
    management.administration.setPermissions(user.name, vhost, everything);
  }
  return put(isNew);
}

function deleteVhost({ management, params: { vhost } }: Call): Reply {
  if (!management.context.vhosts.has(vhost)) return notFound;
  management.administration.deleteVhost(vhost);
  return done;
}

function userView({ name, password, tags }: User): Record<string, unknown> {
  return { name, password_hash: password.hash, hashing_algorithm: password.algorithm, tags, limits: {} };
}

function userOf({ management, params }: Call): User | undefined {
  return management.context.access.user(params.user);
}

function listUsers(call: Call, withoutPermissions: boolean): Reply {
  const { access } = call.management.context;
  const permitted = new Set(
    [...access.allGrants()].filter((grants) => grants.permissions).map(({ user }) => user),
  );
  const users = [...access.users()].filter(({ name }) => !withoutPermissions || !permitted.has(name));
  return listed(call, users.map(userView), ['name']);
}

function oneUser(call: Call): Reply {
  const user = userOf(call);
  return user ? shown(call, userView(user)) : notFound;
}

function putUser({ management, params, body }: Call): Reply {
  if (body.tags === undefined) throw badRequest('tags_not_present');
  return put(management.administration.putUser(params.user, passwordFrom(body), tagsFrom(body.tags)));
}

function passwordFrom(body: Body): PasswordHash | string | undefined {
  if (typeof body.password === 'string' && body.password !== '') return body.password;
  const hash = body.password_hash;
  if (typeof hash !== 'string' || hash === '') return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(hash)) throw badRequest('not_base64');
  const algorithm = body.hashing_algorithm ?? 'rabbit_password_hashing_sha256';
  if (!isHashingAlgorithm(algorithm))
    throw badRequest(`unknown hashing_algorithm ${JSON.stringify(algorithm)}`);
  return { algorithm, hash };
}

/** A list, or words between commas. */
function tagsFrom(tags: Plain): string[] {
  const list: readonly unknown[] =
    typeof tags === 'string' ? tags.split(',') : Array.isArray(tags) ? tags : [tags];
  if (!list.every((tag) => typeof tag === 'string')) throw badRequest('tags must be strings');
  return list.map((tag) => tag.trim()).filter((tag) => tag !== '');
}

function deleteUser(call: Call): Reply {
  if (!userOf(call)) return notFound;
  call.management.administration.deleteUser(call.params.user);
  return done;
}

function bulkDelete({ management, body }: Call): Reply {
  requireKeys(body, 'users');
  const names: readonly unknown[] = Array.isArray(body.users) ? body.users : [];
  for (const name of names) {
    if (typeof name === 'string' && management.context.access.user(name))
      management.administration.deleteUser(name);
  }
  return done;
}

type Wanted = (grants: Grants) => boolean;
const byVhost =
  ({ params }: Call): Wanted =>
  (grants) =>
    grants.vhost === params.vhost;
const byUser =
  ({ params }: Call): Wanted =>
  (grants) =>
    grants.user === params.user;
const byBoth =
  ({ params }: Call): Wanted =>
  (grants) =>
    grants.vhost === params.vhost && grants.user === params.user;

function permissions(call: Call, wanted: Wanted): Reply {
  const views = [...call.management.context.access.allGrants()]
    .filter((grants) => grants.permissions && wanted(grants))
    .map(({ user, vhost, permissions }) => ({ user, vhost, ...permissions }));
  return listed(call, views);
}

function topics(call: Call, wanted: Wanted): Reply {
  const views = [...call.management.context.access.allGrants()]
    .filter(wanted)
    .flatMap(({ user, vhost, topicPermissions }) =>
      [...topicPermissions].map(([exchange, permissions]) => ({ user, vhost, exchange, ...permissions })),
    );
  return listed(call, views);
}

/** Undefined when there are none. */
function grantsOf({ management, params: { vhost, user } }: Call): Grants | undefined {
  const { vhosts, access } = management.context;
  return vhosts.has(vhost) && access.user(user) ? access.grants(user, vhost) : undefined;
}

function onePermission(call: Call): Reply {
  const found = grantsOf(call)?.permissions;
  const { user, vhost } = call.params;
  return found ? shown(call, { user, vhost, ...found }) : notFound;
}

function putPermission({ management, params: { user, vhost }, body }: Call): Reply {
  requireKeys(body, 'configure', 'write', 'read');
  const [configure, write, read] = ['configure', 'write', 'read'].map((name) => textOf(body, name));
  return put(management.administration.setPermissions(user, vhost, { configure, write, read }));
}

function deletePermission(call: Call): Reply {
  if (!grantsOf(call)?.permissions) return notFound;
  call.management.administration.setPermissions(call.params.user, call.params.vhost, undefined);
  return done;
}

function topicsThere(call: Call): Reply {
  return grantsOf(call)?.topicPermissions.size ? topics(call, byBoth(call)) : notFound;
}

function putTopic({ management, params: { user, vhost }, body }: Call): Reply {
  requireKeys(body, 'exchange', 'write', 'read');
  const [exchange, write, read] = ['exchange', 'write', 'read'].map((name) => textOf(body, name));
  return put(management.administration.setTopicPermissions(user, vhost, exchange, { write, read }));
}

function deleteTopics(call: Call): Reply {
  const { user, vhost, exchange } = call.params;
  const topicPermissions = grantsOf(call)?.topicPermissions;
  if (!topicPermissions?.size || (exchange !== undefined && !topicPermissions.has(exchange))) return notFound;
  call.management.administration.setTopicPermissions(user, vhost, exchange, undefined);
  return done;
}
