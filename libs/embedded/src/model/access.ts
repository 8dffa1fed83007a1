// Users with their passwords and tags, and their permissions in each virtual host.
import { Grants, type Permissions } from './grants.js';
import { hashPassword, NO_PASSWORD, type PasswordHash, passwordMatches } from './password.js';

export interface User {
  readonly name: string;
  readonly password: PasswordHash;
  /** What the management API lets the user do: `administrator`, `monitoring`, `policymaker`, `management`. */
  readonly tags: readonly string[];
}

export class Access {
  private readonly byName = new Map<string, User>();
  private readonly byVhost = new Map<string, Map<string, Grants>>();

  users(): Iterable<User> {
    return this.byName.values();
  }

  user(name: string): User | undefined {
    return this.byName.get(name);
  }

  /** True when the user is new. */
  putUser(name: string, password: PasswordHash | string | undefined, tags: readonly string[]): boolean {
    const isNew = !this.byName.has(name);
    const hash = typeof password === 'string' ? hashPassword(password) : (password ?? NO_PASSWORD);
    this.byName.set(name, { name, password: hash, tags });
    return isNew;
  }

  /** False when there was none. */
  removeUser(name: string): boolean {
    if (!this.byName.delete(name)) return false;
    for (const vhost of this.byVhost.keys()) this.forget(vhost, name);
    return true;
  }

  /** The virtual host is gone, and with it all that anybody may do there. */
  removeVhost(vhost: string): void {
    for (const user of this.byVhost.get(vhost)?.keys() ?? []) this.forget(vhost, user);
    this.byVhost.delete(vhost);
  }

  authenticates(name: string, password: string): boolean {
    const user = this.byName.get(name);
    return user !== undefined && passwordMatches(user.password, password);
  }

  /** What the user may do there; the object stays the same as long as the user and the virtual host are there. */
  grants(user: string, vhost: string): Grants {
    const users = this.byVhost.get(vhost) ?? new Map<string, Grants>();
    this.byVhost.set(vhost, users);
    const grants = users.get(user) ?? new Grants(user, vhost);
    users.set(user, grants);
    return grants;
  }

  /** Throws a SyntaxError for what is no regular expression. */
  grant(user: string, vhost: string, permissions: Permissions): void {
    this.grants(user, vhost).set(permissions);
  }

  *allGrants(): Iterable<Grants> {
    for (const users of this.byVhost.values()) yield* users.values();
  }

  private forget(vhost: string, user: string): void {
    const grants = this.byVhost.get(vhost)?.get(user);
    grants?.set(undefined);
    grants?.clearTopic();
    this.byVhost.get(vhost)?.delete(user);
  }
}
