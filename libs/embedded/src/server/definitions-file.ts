// Definitions as RabbitMQ exports them, read from JSON: every part is checked before anything is done with it, and what is
// wrong is named with its place, like `queues[3].vhost`.
import type { Permissions, TopicPermissions } from '../model/grants.js';
import { isHashingAlgorithm, type PasswordHash } from '../model/password.js';
import type { Policy, PolicyKind, PolicyTarget } from '../model/policy.js';
import { badRequest } from '../model/refusal.js';
import type { Table } from '../wire/field-table.js';
import { type Plain, toTable } from '../wire/plain.js';

/** A thing of the file, and where in it. */
export type Placed<T> = T & { readonly place: string };

export interface DefinedUser {
  readonly name: string;
  readonly password: PasswordHash | string | undefined;
  readonly tags: readonly string[];
}

interface InVhost {
  readonly vhost: string;
}

export interface DefinedQueue extends InVhost {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Table;
}

export interface DefinedExchange extends DefinedQueue {
  readonly type: string;
  readonly internal: boolean;
}

export interface DefinedBinding extends InVhost {
  readonly source: string;
  readonly destination: string;
  readonly kind: 'queue' | 'exchange';
  readonly key: string;
  readonly arguments: Table;
}

export interface Definitions {
  readonly users: readonly Placed<DefinedUser>[];
  readonly vhosts: readonly Placed<{ name: string }>[];
  readonly permissions: readonly Placed<InVhost & { user: string; permissions: Permissions }>[];
  readonly topicPermissions: readonly Placed<
    InVhost & { user: string; exchange: string; permissions: TopicPermissions }
  >[];
  readonly policies: readonly Placed<InVhost & { kind: PolicyKind; policy: Policy }>[];
  readonly queues: readonly Placed<DefinedQueue>[];
  readonly exchanges: readonly Placed<DefinedExchange>[];
  readonly bindings: readonly Placed<DefinedBinding>[];
}

/** Throws a Refusal that names the place. `vhost` is where things are that do not say it, as in the export of one. */
export function readDefinitions(file: unknown, vhost?: string): Definitions {
  const root = new Part(file, '', vhost);
  const policies = root.list('policies').map((part) => definedPolicy(part, part, 'policy'));
  const operators = root
    .list('parameters')
    .filter((part) => part.text('component') === 'operator_policy')
    .map((part) => definedPolicy(part, part.object('value'), 'operator_policy'));
  return {
    users: root.list('users').map((part) => part.placed(definedUser(part))),
    vhosts: root.list('vhosts').map((part) => part.placed({ name: part.text('name') })),
    permissions: root.list('permissions').map((part) => part.placed(definedPermission(part))),
    topicPermissions: root.list('topic_permissions').map((part) => part.placed(definedTopic(part))),
    policies: [...policies, ...operators],
    queues: root.list('queues').map((part) => part.placed(definedQueue(part))),
    exchanges: root.list('exchanges').map((part) => part.placed(definedExchange(part))),
    bindings: root.list('bindings').map((part) => part.placed(definedBinding(part))),
  };
}

function definedUser(part: Part): DefinedUser {
  const tags = part.value('tags');
  const list: readonly unknown[] =
    typeof tags === 'string' ? tags.split(',') : Array.isArray(tags) ? tags : [];
  if (!list.every((tag) => typeof tag === 'string')) part.wrong('tags', 'must be strings');
  return {
    name: part.text('name'),
    password: passwordOf(part),
    tags: (list as string[]).filter((tag) => tag !== ''),
  };
}

function passwordOf(part: Part): PasswordHash | string | undefined {
  if (part.value('password') !== undefined) return part.text('password');
  const hash = part.text('password_hash', '');
  if (hash === '') return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(hash)) part.wrong('password_hash', 'must be base64');
  const algorithm = part.text('hashing_algorithm', 'rabbit_password_hashing_sha256');
  if (isHashingAlgorithm(algorithm)) return { algorithm, hash };
  return part.wrong('hashing_algorithm', `is '${algorithm}', which is not one of RabbitMQ's`);
}

function definedPermission(part: Part): Omit<Definitions['permissions'][number], 'place'> {
  const [configure, write, read] = ['configure', 'write', 'read'].map((name) => part.text(name));
  return { user: part.text('user'), vhost: part.vhost(), permissions: { configure, write, read } };
}

function definedTopic(part: Part): Omit<Definitions['topicPermissions'][number], 'place'> {
  const permissions = { write: part.text('write'), read: part.text('read') };
  return { user: part.text('user'), vhost: part.vhost(), exchange: part.text('exchange'), permissions };
}

function definedPolicy(part: Part, values: Part, kind: PolicyKind): Definitions['policies'][number] {
  const priority = values.value('priority') ?? 0;
  if (typeof priority !== 'number') values.wrong('priority', 'must be a number');
  const policy: Policy = {
    name: part.text('name'),
    pattern: values.text('pattern'),
    applyTo: values.text('apply-to', 'all') as PolicyTarget,
    priority: priority,
    definition: values.object('definition').values,
  };
  return part.placed({ vhost: part.vhost(), kind, policy });
}

function definedQueue(part: Part): DefinedQueue {
  return {
    name: part.text('name'),
    vhost: part.vhost(),
    durable: part.flag('durable', true),
    autoDelete: part.flag('auto_delete', false),
    arguments: part.table(),
  };
}

function definedExchange(part: Part): DefinedExchange {
  return { ...definedQueue(part), type: part.text('type', 'direct'), internal: part.flag('internal', false) };
}

function definedBinding(part: Part): DefinedBinding {
  const kind = part.text('destination_type');
  if (kind !== 'queue' && kind !== 'exchange')
    part.wrong('destination_type', "must be 'queue' or 'exchange'");
  return {
    vhost: part.vhost(),
    source: part.text('source'),
    destination: part.text('destination'),
    kind: kind,
    key: part.text('routing_key', ''),
    arguments: part.table(),
  };
}

/** An object of the file that knows its place. */
class Part {
  readonly values: Readonly<Record<string, Plain>>;

  constructor(
    value: unknown,
    private readonly place: string,
    private readonly usualVhost: string | undefined,
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw badRequest(`${place || 'the file'} must be an object`);
    }
    this.values = value as Readonly<Record<string, Plain>>;
  }

  value(name: string): Plain | undefined {
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }

  placed<T extends object>(thing: T): Placed<T> {
    return { ...thing, place: this.place };
  }

  wrong(name: string, what: string): never {
    throw badRequest(`${this.place ? `${this.place}.` : ''}${name} ${what}`);
  }

  text(name: string, usual?: string): string {
    const value = this.value(name) ?? usual;
    if (typeof value === 'string') return value;
    return this.wrong(
      name,
      value === undefined ? 'is missing' : `must be a string, but is ${JSON.stringify(value)}`,
    );
  }

  flag(name: string, usual: boolean): boolean {
    const value = this.value(name) ?? usual;
    return typeof value === 'boolean'
      ? value
      : this.wrong(name, `must be true or false, but is ${JSON.stringify(value)}`);
  }

  vhost(): string {
    return this.text('vhost', this.usualVhost);
  }

  list(name: string): Part[] {
    const value = this.value(name) ?? [];
    if (!Array.isArray(value)) this.wrong(name, 'must be a list');
    return (value as readonly Plain[]).map((each, at) => new Part(each, `${name}[${at}]`, this.usualVhost));
  }

  object(name: string): Part {
    const value = this.value(name);
    if (value === undefined) this.wrong(name, 'is missing');
    return new Part(value, `${this.place}.${name}`, this.usualVhost);
  }

  /** RabbitMQ writes no arguments also as an empty list. */
  table(): Table {
    const value = this.value('arguments') ?? {};
    if (Array.isArray(value) && value.length === 0) return new Map();
    if (typeof value !== 'object' || Array.isArray(value)) this.wrong('arguments', 'must be an object');
    return toTable(value as { readonly [name: string]: Plain });
  }
}
