// Users and their permissions, which can be changed while the broker runs.
import type { Permissions, TopicPermissions } from './model/grants.js';
import type { AdminCommand } from './server/administration.js';

/** What a new user gets; without `permissions` the user may do everything in every virtual host. */
export interface NewUser {
  /** What the management API lets the user do. Default `['administrator']` for a user without `permissions`, else none. */
  readonly tags?: readonly string[];
  /** Permissions by virtual host; in others the user has no access. */
  readonly permissions?: Readonly<Record<string, Permissions>>;
}

type Perform = (command: AdminCommand) => Promise<unknown>;

/** The users of an embedded broker. What changes counts at once, for open connections too. */
export class BrokerUsers {
  readonly #perform: Perform;
  readonly #onPassword: (name: string, password: string | undefined) => void;

  /** Made by `EmbeddedBroker`; a user who is deleted has no password any more. */
  constructor(perform: Perform, onPassword: (name: string, password: string | undefined) => void) {
    this.#perform = perform;
    this.#onPassword = onPassword;
  }

  /** Adds a user; one of that name gets the password and the rights. */
  async add(name: string, password: string, { tags, permissions }: NewUser = {}): Promise<void> {
    if (permissions) {
      const args: [string, string, readonly string[], typeof permissions] = [
        name,
        password,
        tags ?? [],
        permissions,
      ];
      await this.#perform({ kind: 'admin', method: 'addUser', args });
    } else {
      await this.#perform({ kind: 'admin', method: 'addOwner', args: [name, password] });
      if (tags) await this.#perform({ kind: 'admin', method: 'putUser', args: [name, password, tags] });
    }
    this.#onPassword(name, password);
  }

  /** Changes a password; open connections stay. Rejects when there is no such user. */
  async changePassword(name: string, password: string): Promise<void> {
    await this.#perform({ kind: 'admin', method: 'changePassword', args: [name, password] });
    this.#onPassword(name, password);
  }

  /** Removes a user and closes their connections with 320. Rejects when there is no such user. */
  async delete(name: string): Promise<void> {
    await this.#perform({ kind: 'admin', method: 'deleteUser', args: [name] });
    this.#onPassword(name, undefined);
  }

  /** What a user may do in a virtual host, as regular expressions for names. Rejects when one of the two is not there. */
  async setPermissions(name: string, vhost: string, permissions: Permissions): Promise<void> {
    await this.#perform({ kind: 'admin', method: 'setPermissions', args: [name, vhost, permissions] });
  }

  /** Removes all permissions of a user in a virtual host. */
  async clearPermissions(name: string, vhost: string): Promise<void> {
    await this.#perform({ kind: 'admin', method: 'setPermissions', args: [name, vhost, undefined] });
  }

  /** Which routing keys of a topic exchange a user may use. */
  async setTopicPermissions(
    name: string,
    vhost: string,
    exchange: string,
    permissions: TopicPermissions,
  ): Promise<void> {
    const args: [string, string, string, TopicPermissions] = [name, vhost, exchange, permissions];
    await this.#perform({ kind: 'admin', method: 'setTopicPermissions', args });
  }

  /** Removes topic permissions, those for all exchanges when none is given. */
  async clearTopicPermissions(name: string, vhost: string, exchange?: string): Promise<void> {
    const args: [string, string, string | undefined, undefined] = [name, vhost, exchange, undefined];
    await this.#perform({ kind: 'admin', method: 'setTopicPermissions', args });
  }
}
