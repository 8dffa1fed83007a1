// Health checks: 200 with `ok`, or 503 with what is wrong.
import { Message } from '../model/message.js';
import { badRequest } from '../model/refusal.js';
import { NO_PROPERTIES } from '../wire/properties.js';
import { EMPTY_TABLE } from '../wire/field-table.js';
import { type Call, ok, type Reply } from './call.js';
import { NODE } from './management.js';
import type { Route } from './router.js';

const needs = 'manager';
const fine = (): Reply => ok({ status: 'ok' });
const alone = (): Reply => ok({ status: 'ok', reason: 'single node cluster' });
const sick = (body: object): Reply => ({ status: 503, body: { status: 'failed', ...body } });

export const healthRoutes: readonly Route[] = [
  { path: '/aliveness-test/:vhost', needs, inVhost: true, GET: aliveness },
  { path: '/healthchecks/node', needs, GET: alarms },
  { path: '/healthchecks/node/:name', needs, GET: alarms },
  { path: '/health/checks/alarms', needs, GET: alarms },
  { path: '/health/checks/local-alarms', needs, GET: alarms },
  { path: '/health/checks/virtual-hosts', needs, GET: fine },
  { path: '/health/checks/node-is-quorum-critical', needs, GET: alone },
  { path: '/health/checks/certificate-expiration/:within/:unit', needs, GET: fine },
  { path: '/health/checks/port-listener/:port', needs, GET: port },
  { path: '/health/checks/protocol-listener/:protocol', needs, GET: protocol },
  { path: '/health/checks/is-in-service', needs, GET: fine },
  { path: '/health/checks/ready-to-serve-clients', needs, GET: fine },
];

function alarms({ management }: Call): Reply {
  if (management.context.alarm === undefined) return fine();
  return sick({
    reason: 'There are alarms in effect in the cluster',
    alarms: [{ node: NODE, resource: 'memory' }],
  });
}

function port({ management: { ports }, params }: Call): Reply {
  if (!/^[0-9]+$/.test(params.port)) throw badRequest('Invalid port');
  const [wanted, open] = [Number(params.port), [ports.http, ports.amqp]];
  if (open.includes(wanted)) return ok({ status: 'ok', port: wanted });
  return sick({ reason: 'No active listener', missing: wanted, ports: open });
}

function protocol({ management, params }: Call): Reply {
  const open = ['amqp', 'http'];
  const since4 = management.context.traits.comparesTypes;
  const wanted = since4 ? params.protocol.split(',') : [params.protocol];
  const missing = wanted.filter((each) => !open.includes(each));
  if (missing.length > 0) {
    return sick({ reason: 'No active listener', missing: since4 ? missing : missing[0], protocols: open });
  }
  return ok({ status: 'ok', ...(since4 ? { protocols: open } : { protocol: params.protocol }) });
}

/** A message goes through a queue that is there for that. */
function aliveness({ management, user, params }: Call): Reply {
  const vhost = management.vhost(user, params.vhost);
  const name = 'aliveness-test';
  const flags = { durable: false, autoDelete: false, exclusive: false };
  const queue = vhost?.declare(name, flags, EMPTY_TABLE, {});
  vhost?.publish(new Message('', [name], NO_PROPERTIES, Buffer.from('test_message')));
  const held = queue?.take();
  if (!queue || !held) return sick({ reason: 'the message did not arrive' });
  queue.settle(held, 'not awaited');
  return fine();
}
