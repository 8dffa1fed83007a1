// Definitions of a broker in the form in which RabbitMQ exports and imports them. Exclusive queues belong to connections
// and are not among them, neither is what every broker has.
import type { ExchangeSettings } from '../model/exchange.js';
import type { Policy } from '../model/policy.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { fromTable, type Plain } from '../wire/plain.js';
import type { ServerContext } from './server-context.js';

/** Definitions as plain data for JSON. */
export interface ExportedDefinitions {
  readonly [part: string]: Plain;
}

type Thing = { readonly [name: string]: Plain };

/** Everything there is. */
export function exportDefinitions(context: ServerContext): ExportedDefinitions {
  const vhosts = [...context.vhosts.values()];
  const grants = [...context.access.allGrants()];
  const parts = vhosts.map((vhost) => ({ vhost: vhost.name, ...partsOf(vhost) }));
  const all = (part: keyof ReturnType<typeof partsOf>): Thing[] =>
    parts.flatMap((each) => each[part].map((thing) => ({ ...thing, vhost: each.vhost })));
  return {
    ...versions(context),
    users: [...context.access.users()].map(({ name, password, tags }) => ({
      name,
      password_hash: password.hash,
      hashing_algorithm: password.algorithm,
      tags,
      limits: {},
    })),
    vhosts: vhosts.map(({ name }) => ({ name })),
    permissions: grants.flatMap(({ user, vhost, permissions }) =>
      permissions ? [{ user, vhost, ...permissions }] : [],
    ),
    topic_permissions: grants.flatMap(({ user, vhost, topicPermissions }) =>
      [...topicPermissions].map(([exchange, permissions]) => ({ user, vhost, exchange, ...permissions })),
    ),
    parameters: all('parameters'),
    global_parameters: [],
    policies: all('policies'),
    queues: all('queues'),
    exchanges: all('exchanges'),
    bindings: all('bindings'),
  };
}

/** One virtual host, without its name, so that it can be imported into another. */
export function exportVhost(context: ServerContext, vhost: VirtualHost): ExportedDefinitions {
  const format = { rabbitmq_definition_format: 'single_virtual_host', original_vhost_name: vhost.name };
  return { ...versions(context), ...format, ...partsOf(vhost) };
}

function versions({ traits: { number } }: ServerContext): Thing {
  return {
    rabbit_version: number,
    rabbitmq_version: number,
    product_name: 'Warren embedded broker',
    product_version: number,
  };
}

function partsOf(vhost: VirtualHost): {
  readonly parameters: readonly Thing[];
  readonly policies: readonly Thing[];
  readonly queues: readonly Thing[];
  readonly exchanges: readonly Thing[];
  readonly bindings: readonly Thing[];
} {
  const { policies, exchanges } = vhost;
  const named = [...exchanges.all()].filter(({ name }) => !name.startsWith('amq.'));
  return {
    parameters: policies.list('operator_policy').map((policy) => {
      const { name, ...value } = policyOf(policy);
      return { component: 'operator_policy', name, value };
    }),
    policies: policies.list('policy').map(policyOf),
    queues: [...vhost.allQueues()]
      .filter(({ owner }) => !owner)
      .map(({ name, declared }) => ({ name, ...flags(declared) })),
    exchanges: named.map(({ name, settings }) => exchangeOf(name, settings)),
    bindings: [...exchanges.all()].flatMap(({ name: source, bindings }) =>
      [...bindings.values()].flatMap(({ destination, key, arguments: table }) => {
        if (destination.kind === 'queue' && destination.owner) return [];
        const ends = { source, destination: destination.name, destination_type: destination.kind };
        return [{ ...ends, routing_key: key, arguments: fromTable(table) }];
      }),
    ),
  };
}

function policyOf({
  name,
  pattern,
  applyTo,
  definition,
  priority,
}: Policy): Thing & { readonly name: string } {
  return { name, pattern, 'apply-to': applyTo, definition, priority };
}

function flags(settings: Pick<ExchangeSettings, 'durable' | 'autoDelete' | 'arguments'>): Thing {
  const { durable, autoDelete, arguments: table } = settings;
  return { durable, auto_delete: autoDelete, arguments: fromTable(table) };
}

function exchangeOf(name: string, settings: ExchangeSettings): Thing {
  return { name, type: settings.type, internal: settings.internal, ...flags(settings) };
}
