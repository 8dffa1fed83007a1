// The interface of all exchange types: finds the bindings that match a message. A router sees only the parts of a binding
// that it decides by.
import type { Table } from '../wire/field-table.js';
import type { Message } from './message.js';
import type { QueueType } from './queue-settings.js';

/** A binding, as far as a router looks at it. */
export interface Routable {
  readonly id: string;
  readonly key: string;
  readonly arguments: Table;
  readonly destination: RoutableQueue | { readonly kind: 'exchange'; readonly name: string };
}

/** A queue that is bound. */
interface RoutableQueue {
  readonly kind: 'queue';
  readonly name: string;
  readonly settings: { readonly type: QueueType };
  publish(message: Message): void;
}

/** Finds the bindings that want a message. */
export interface Router<B extends Routable> {
  add(binding: B): void;
  remove(binding: B): void;
  route(message: Message, found: (binding: B) => void): void;
}
