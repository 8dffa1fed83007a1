// The interface to durable storage: messages that are stored and removed; queues, exchanges and bindings that are declared
// and deleted; users, permissions and policies. Without a data folder there is no journal.
import type { Permissions, TopicPermissions } from './grants.js';
import type { Message } from './message.js';
import type { PasswordHash } from './password.js';
import type { Policy, PolicyKind } from './policy.js';

/** Where a message waits: in a queue, or in an exchange that delays it. */
export interface Place {
  readonly kind: 'queue' | 'exchange';
  readonly vhost: string;
  readonly name: string;
}

/** One change of what is durable; arguments are field tables in Base64. */
export type Change =
  | { readonly op: 'vhost' | 'vhost-gone'; readonly vhost: string }
  | {
      readonly op: 'queue';
      readonly vhost: string;
      readonly name: string;
      /** Messages up to this number were in an earlier queue of that name. */
      readonly since?: number;
      readonly autoDelete: boolean;
      readonly args: string;
    }
  | {
      readonly op: 'exchange';
      readonly vhost: string;
      readonly name: string;
      readonly since?: number;
      readonly type: string;
      readonly autoDelete: boolean;
      readonly internal: boolean;
      readonly args: string;
    }
  | { readonly op: 'queue-gone' | 'exchange-gone'; readonly vhost: string; readonly name: string }
  | BindingChange
  | AccessChange
  | { readonly op: 'policy'; readonly vhost: string; readonly kind: PolicyKind; readonly policy: Policy }
  | { readonly op: 'policy-gone'; readonly vhost: string; readonly kind: PolicyKind; readonly name: string };

/** Of users, who are in no virtual host, and of what they may do in one. */
export type AccessChange =
  | {
      readonly op: 'user';
      readonly user: string;
      readonly password: PasswordHash;
      readonly tags: readonly string[];
      /** Whether the user gets all rights in each virtual host that is added. */
      readonly everywhere: boolean;
    }
  | { readonly op: 'user-gone'; readonly user: string }
  | {
      readonly op: 'permission';
      readonly user: string;
      readonly vhost: string;
      readonly permissions: Permissions;
    }
  | { readonly op: 'permission-gone'; readonly user: string; readonly vhost: string }
  | {
      readonly op: 'topic-permission';
      readonly user: string;
      readonly vhost: string;
      readonly exchange: string;
      readonly permissions: TopicPermissions;
    }
  | {
      readonly op: 'topic-permission-gone';
      readonly user: string;
      readonly vhost: string;
      readonly exchange: string;
    };

export interface BindingChange {
  readonly op: 'binding' | 'binding-gone';
  readonly vhost: string;
  readonly source: string;
  readonly kind: 'queue' | 'exchange';
  readonly destination: string;
  readonly key: string;
  readonly args: string;
}

export interface Journal {
  /**
   * A message is in this place. `at` is when it leaves by itself, in milliseconds of the wall clock, or its offset in a
   * stream. `time` is when it came into a stream, in seconds of the wall clock. Answers with the number to drop it by.
   */
  keep(place: Place, message: Message, at: number | null, time?: number): number;
  /** It is there no longer. */
  drop(entry: number): void;
  note(change: Change): void;
}
