// What an operator does to a running broker: virtual hosts, users, permissions. The one place where the consequences
// are known: clients of a user or virtual host that is gone are disconnected.
import { AmqpFailure } from '../model/failure.js';
import { EVERYTHING, type Permissions, type TopicPermissions } from '../model/grants.js';
import type { User } from '../model/access.js';
import type { AccessChange, Change } from '../model/journal.js';
import type { PasswordHash } from '../model/password.js';
import { patternError } from '../model/name-pattern.js';
import type { Policy, PolicyKind } from '../model/policy.js';
import { badRequest, Refusal } from '../model/refusal.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Connection } from './connection.js';
import type { ServerContext } from './server-context.js';

/** Tags of users that the owner of the broker names: with all rights. */
const OWNER_TAGS = ['administrator'];

type AdminMethod =
  | 'addVhost'
  | 'deleteVhost'
  | 'addOwner'
  | 'addUser'
  | 'putUser'
  | 'changePassword'
  | 'deleteUser'
  | 'setPermissions'
  | 'setTopicPermissions'
  | 'setPolicy'
  | 'deletePolicy';

/** A call of an `Administration`, as data that can go to a worker. */
export type AdminCommand = {
  readonly [M in AdminMethod]: {
    readonly kind: 'admin';
    readonly method: M;
    readonly args: Parameters<Administration[M]>;
  };
}[AdminMethod];

export class Administration {
  /** Users that may do everything in every virtual host, also in those that are still to come. */
  private readonly everywhere = new Set<string>();

  constructor(
    readonly context: ServerContext,
    readonly connections: ReadonlySet<Connection>,
  ) {}

  /** True when it is new. */
  addVhost(name: string): boolean {
    if (this.context.vhosts.has(name)) return false;
    this.context.addVhost(name);
    for (const user of this.everywhere) this.grantAll(user, name);
    return true;
  }

  /** Queues, exchanges and permissions go with it. Throws a Refusal when there is none. */
  deleteVhost(name: string): void {
    const vhost = this.vhost(name);
    this.context.vhosts.delete(name);
    this.context.access.removeVhost(name);
    this.disconnect(({ agreed }) => agreed?.vhost === vhost, `vhost '${name}' is deleted`);
    vhost.close();
  }

  /** A user with all rights; one that is there gets them, and the password. */
  addOwner(name: string, password: string): void {
    this.context.access.putUser(name, password, OWNER_TAGS);
    this.everywhere.add(name);
    this.noteUser(name);
    for (const vhost of this.context.vhosts.keys()) this.grantAll(name, vhost);
  }

  /** A user with these permissions by virtual host, and no others. Throws a Refusal like `setPermissions`, and nothing has changed then. */
  addUser(
    name: string,
    password: string,
    tags: readonly string[],
    permissions: Readonly<Record<string, Permissions>>,
  ): void {
    const byVhost = new Map(Object.entries(permissions));
    for (const [vhost, each] of byVhost) {
      this.vhost(vhost);
      for (const pattern of Object.values<string>({ ...each })) checkPattern(pattern);
    }
    this.everywhere.delete(name);
    this.putUser(name, password, tags);
    for (const vhost of this.context.vhosts.keys()) this.setPermissions(name, vhost, byVhost.get(vhost));
  }

  private grantAll(user: string, vhost: string): void {
    this.context.access.grant(user, vhost, EVERYTHING);
    this.note({ op: 'permission', user, vhost, permissions: EVERYTHING });
  }

  /** Puts back what the journal has of users. */
  restore(change: AccessChange): void {
    const { access } = this.context;
    if (change.op === 'user') {
      access.putUser(change.user, change.password, change.tags);
      if (change.everywhere) this.everywhere.add(change.user);
    } else if (change.op === 'permission') access.grant(change.user, change.vhost, change.permissions);
    else if (change.op === 'topic-permission') {
      access.grants(change.user, change.vhost).setTopic(change.exchange, change.permissions);
    }
  }

  private note(change: Change): void {
    this.context.journal?.note(change);
  }

  private noteUser(name: string): void {
    const { password, tags } = this.existing(name);
    this.note({ op: 'user', user: name, password, tags, everywhere: this.everywhere.has(name) });
  }

  /** A user who may do nothing yet, or the new password and tags of one. True when the user is new. */
  putUser(name: string, password: PasswordHash | string | undefined, tags: readonly string[]): boolean {
    if (name === '') throw badRequest('a user needs a name');
    const isNew = this.context.access.putUser(name, password, tags);
    this.noteUser(name);
    return isNew;
  }

  /** Throws a Refusal when there is no such user. */
  changePassword(name: string, password: string): void {
    this.putUser(name, password, this.existing(name).tags);
  }

  /** Throws a Refusal when there is none. */
  deleteUser(name: string): void {
    this.existing(name);
    this.context.access.removeUser(name);
    this.everywhere.delete(name);
    this.note({ op: 'user-gone', user: name });
    this.disconnect(({ agreed }) => agreed?.user === name, `user '${name}' is deleted`);
  }

  /** Throws a Refusal for an unknown user or virtual host, or what is no regular expression. True when it is new. */
  setPermissions(user: string, vhost: string, permissions: Permissions | undefined): boolean {
    this.known(user, vhost);
    for (const pattern of Object.values<string>({ ...permissions })) checkPattern(pattern);
    const grants = this.context.access.grants(user, vhost);
    const isNew = grants.permissions === undefined;
    grants.set(permissions);
    if (permissions) this.note({ op: 'permission', user, vhost, permissions });
    else this.note({ op: 'permission-gone', user, vhost });
    return isNew;
  }

  /** Takes them away with `undefined`, all of them without an exchange. Throws a Refusal like `setPermissions`. */
  setTopicPermissions(
    user: string,
    vhost: string,
    exchange: string | undefined,
    permissions: TopicPermissions | undefined,
  ): boolean {
    this.known(user, vhost);
    const grants = this.context.access.grants(user, vhost);
    if (!permissions || exchange === undefined) {
      const cleared = exchange === undefined ? [...grants.topicPermissions.keys()] : [exchange];
      grants.clearTopic(exchange);
      for (const each of cleared) this.note({ op: 'topic-permission-gone', user, vhost, exchange: each });
      return false;
    }
    for (const pattern of Object.values<string>({ ...permissions })) checkPattern(pattern);
    const isNew = !grants.topicPermissions.has(exchange);
    grants.setTopic(exchange, permissions);
    this.note({ op: 'topic-permission', user, vhost, exchange, permissions });
    return isNew;
  }

  /** True when it is new. Throws a Refusal for what RabbitMQ does not take. */
  setPolicy(vhost: string, kind: PolicyKind, policy: Policy): boolean {
    const isNew = this.vhost(vhost).policies.set(kind, policy);
    this.note({ op: 'policy', vhost, kind, policy });
    return isNew;
  }

  /** Throws a Refusal when there is none. */
  deletePolicy(vhost: string, kind: PolicyKind, name: string): void {
    this.vhost(vhost).policies.delete(kind, name);
    this.note({ op: 'policy-gone', vhost, kind, name });
  }

  /** Throws a Refusal when there is none. */
  vhost(name: string): VirtualHost {
    const vhost = this.context.vhosts.get(name);
    if (!vhost) throw new Refusal('not_found', `there is no virtual host '${name}'`);
    return vhost;
  }

  /** Closes the connections that are meant with 320, as an operator would. */
  disconnect(meant: (connection: Connection) => boolean, reason: string): void {
    for (const connection of [...this.connections]) {
      if (meant(connection)) connection.closeBecause(new AmqpFailure(320, reason));
    }
  }

  /** Carries out a command. Throws a Refusal like the methods. */
  perform(command: AdminCommand): void {
    // The command's type says that the arguments belong to the method; TypeScript cannot follow that through the lookup.
    const methods = this as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
    methods[command.method](...command.args);
  }

  private existing(name: string): User {
    const user = this.context.access.user(name);
    if (!user) throw new Refusal('not_found', `there is no user '${name}'`);
    return user;
  }

  private known(user: string, vhost: string): void {
    if (this.context.vhosts.has(vhost) && this.context.access.user(user)) return;
    throw badRequest('vhost_or_user_not_found');
  }
}

function checkPattern(source: string): void {
  const wrong = patternError(source);
  if (wrong !== undefined) throw badRequest(`invalid_regexp: ${wrong}`);
}
