// Policies and operator policies, and the latter once more as parameters, which is where RabbitMQ exports them.
import type { Policy, PolicyDefinition, PolicyKind, PolicyTarget } from '../model/policy.js';
import { badRequest, Refusal } from '../model/refusal.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { type Body, type Call, done, notFound, put, type Reply, requireKeys } from './call.js';
import { listed, shown } from './listing.js';
import type { Route } from './router.js';

export const policyRoutes: readonly Route[] = [
  ...routesFor('/policies', 'policy', 'policymaker'),
  ...routesFor('/operator-policies', 'operator_policy', 'administrator'),
  { path: '/parameters', needs: 'policymaker', GET: parameters },
  { path: '/parameters/:component', needs: 'policymaker', GET: parameters },
  { path: '/parameters/:component/:vhost', needs: 'policymaker', inVhost: true, GET: parameters },
  { path: '/global-parameters', needs: 'policymaker', GET: (call) => listed(call, []) },
];

function routesFor(path: string, kind: PolicyKind, changing: 'policymaker' | 'administrator'): Route[] {
  const name = `${path}/:vhost/:name`;
  return [
    { path, needs: 'manager', GET: (call) => list(call, kind, undefined) },
    {
      path: `${path}/:vhost`,
      needs: 'manager',
      inVhost: true,
      GET: (call) => list(call, kind, call.params.vhost),
    },
    { path: name, needs: 'policymaker', inVhost: true, GET: (call) => one(call, kind) },
    { path: name, needs: changing, inVhost: true, DELETE: (call) => remove(call, kind) },
    { path: name, needs: changing, PUT: (call) => set(call, kind) },
  ];
}

export function policyView(policy: Policy, vhost?: string): Record<string, unknown> {
  const { name, pattern, applyTo, definition, priority } = policy;
  return { ...(vhost !== undefined && { vhost }), name, pattern, 'apply-to': applyTo, definition, priority };
}

/** A policy as a body or a file has it, not checked yet. Throws a Refusal when it lacks something. */
export function policyFrom(name: string, body: Body): Policy {
  requireKeys(body, 'pattern', 'definition');
  return {
    name,
    pattern: body.pattern as string,
    definition: body.definition as PolicyDefinition,
    applyTo: (body['apply-to'] ?? 'all') as PolicyTarget,
    priority: (body.priority ?? 0) as number,
  };
}

function list(call: Call, kind: PolicyKind, vhost: string | undefined): Reply {
  const { management, user } = call;
  const views = management
    .vhosts(user, vhost)
    .flatMap((each) => each.policies.list(kind).map((policy) => policyView(policy, each.name)));
  return listed(call, views, ['vhost', 'priority']);
}

function policies({ management, user, params }: Call): VirtualHost['policies'] {
  return (management.vhost(user, params.vhost) as VirtualHost).policies;
}

function one(call: Call, kind: PolicyKind): Reply {
  const policy = policies(call).get(kind, call.params.name);
  return policy ? shown(call, policyView(policy, call.params.vhost)) : notFound;
}

function set({ management, user, params, body }: Call, kind: PolicyKind): Reply {
  if (!management.vhost(user, params.vhost)) throw new Refusal('not_found', 'vhost_not_found');
  if (params.name === '') throw badRequest('a policy needs a name');
  return put(management.administration.setPolicy(params.vhost, kind, policyFrom(params.name, body)));
}

function remove(call: Call, kind: PolicyKind): Reply {
  if (!policies(call).get(kind, call.params.name)) return notFound;
  call.management.administration.deletePolicy(call.params.vhost, kind, call.params.name);
  return done;
}

function parameters(call: Call): Reply {
  const { management, user, params } = call;
  const component = 'operator_policy';
  if (params.component !== undefined && params.component !== component) return listed(call, []);
  return listed(call, management.vhosts(user, params.vhost).flatMap(parameterViews));
}

/** Operator policies as parameters. */
export function parameterViews({ name: vhost, policies: all }: VirtualHost): Record<string, unknown>[] {
  return all.list('operator_policy').map(({ name, pattern, definition, priority, applyTo }) => ({
    vhost,
    component: 'operator_policy',
    name,
    value: { pattern, definition, priority, 'apply-to': applyTo },
  }));
}
