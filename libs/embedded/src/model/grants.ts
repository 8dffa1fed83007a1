// The permissions of one user in one virtual host: regular expressions for names. The object lives as long as the user, so
// connections can keep it and changes apply at once.
import { NamePattern } from './name-pattern.js';

export type AccessKind = 'configure' | 'write' | 'read';

/** Regular expressions for the names of queues and exchanges; an empty one allows nothing. */
export interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Regular expressions for the routing keys of one topic exchange. */
export interface TopicPermissions {
  readonly write: string;
  readonly read: string;
}

export const EVERYTHING: Permissions = { configure: '.*', write: '.*', read: '.*' };

type Patterns = Readonly<Record<AccessKind, NamePattern>>;

const pattern = (source: string): NamePattern => new NamePattern(source === '' ? '^$' : source);

export class Grants {
  private patterns: Patterns | undefined;
  private given: Permissions | undefined;
  private readonly topics = new Map<string, TopicPermissions>();

  constructor(
    readonly user: string,
    readonly vhost: string,
  ) {}

  /** Undefined for a user who has no access to the virtual host. */
  get permissions(): Permissions | undefined {
    return this.given;
  }

  /** By exchange. */
  get topicPermissions(): ReadonlyMap<string, TopicPermissions> {
    return this.topics;
  }

  /** Throws a SyntaxError for what is no regular expression. */
  set(permissions: Permissions | undefined): void {
    this.patterns = permissions && {
      configure: pattern(permissions.configure),
      write: pattern(permissions.write),
      read: pattern(permissions.read),
    };
    this.given = permissions;
  }

  /** Throws a SyntaxError for what is no regular expression. */
  setTopic(exchange: string, permissions: TopicPermissions): void {
    for (const source of [permissions.write, permissions.read]) void pattern(source);
    this.topics.set(exchange, permissions);
  }

  /** All of them without an exchange. */
  clearTopic(exchange?: string): void {
    if (exchange === undefined) this.topics.clear();
    else this.topics.delete(exchange);
  }

  allows(kind: AccessKind, name: string): boolean {
    return this.patterns?.[kind].matches(name) ?? false;
  }

  allowsTopic(kind: 'write' | 'read', exchange: string, key: string): boolean {
    const permissions = this.topics.size > 0 ? this.topics.get(exchange) : undefined;
    if (!permissions) return true;
    const filled = permissions[kind].replaceAll('{username}', this.user).replaceAll('{vhost}', this.vhost);
    return pattern(filled).matches(key);
  }
}
