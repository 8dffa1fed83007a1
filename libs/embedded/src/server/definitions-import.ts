// Carries out definitions: users and virtual hosts first, bindings last. What is there already stays as it is, except users,
// permissions and policies, which are set anew, as RabbitMQ does it.
import { Refusal } from '../model/refusal.js';
import { AmqpFailure, notFound, type ResourceKind } from '../model/failure.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Destination } from '../model/exchange.js';
import type { Administration } from './administration.js';
import type { DefinedBinding, Definitions } from './definitions-file.js';

const OPERATOR = {};

/** Throws a Refusal that names the place in the file; what came before it is done. */
export function importDefinitions(administration: Administration, definitions: Definitions): void {
  each(definitions.vhosts, ({ name }) => administration.addVhost(name));
  each(definitions.users, ({ name, password, tags }) => administration.putUser(name, password, tags));
  each(definitions.permissions, ({ user, vhost, permissions }) =>
    administration.setPermissions(user, vhost, permissions),
  );
  each(definitions.topicPermissions, ({ user, vhost, exchange, permissions }) =>
    administration.setTopicPermissions(user, vhost, exchange, permissions),
  );
  each(definitions.policies, ({ vhost, kind, policy }) => administration.setPolicy(vhost, kind, policy));
  each(definitions.queues, ({ vhost, name, durable, autoDelete, arguments: table }) => {
    const there = administration.vhost(vhost);
    if (!there.has(name)) there.create(name, { durable, autoDelete, exclusive: false }, table, OPERATOR);
  });
  each(definitions.exchanges, ({ vhost, name, ...settings }) => {
    const { exchanges } = administration.vhost(vhost);
    if (!exchanges.find(name)) exchanges.create(name, settings);
  });
  each(definitions.bindings, (binding) => bind(administration.vhost(binding.vhost), binding));
}

function bind(
  vhost: VirtualHost,
  { source, destination, kind, key, arguments: table }: DefinedBinding,
): void {
  if (source === '') return;
  vhost.exchanges.bind(vhost.exchanges.get(source), end(vhost, kind, destination), key, table);
}

function end(vhost: VirtualHost, kind: ResourceKind, name: string): Destination {
  const found = kind === 'queue' ? vhost.named(name) : vhost.exchanges.find(name);
  if (!found) throw notFound(kind, name, vhost.name);
  return found;
}

function each<T extends { readonly place: string }>(things: readonly T[], act: (thing: T) => void): void {
  for (const thing of things) {
    try {
      act(thing);
    } catch (error) {
      if (error instanceof AmqpFailure || error instanceof Refusal) throw placed(thing.place, error);
      throw error;
    }
  }
}

function placed(place: string, { message }: Error): Refusal {
  return new Refusal('bad_request', `${place}: ${message}`);
}
