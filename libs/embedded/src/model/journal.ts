// What a broker that keeps its durable things on disk is told of: messages that come to a place and leave it, and
// queues, exchanges and bindings that are declared and deleted. Without a folder for data there is no journal.
import type { Message } from './message.js';

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
  | BindingChange;

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
   * stream. Answers with the number to drop it by.
   */
  keep(place: Place, message: Message, at: number | null): number;
  /** It is there no longer. */
  drop(entry: number): void;
  note(change: Change): void;
}
