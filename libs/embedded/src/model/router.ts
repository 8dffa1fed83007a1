// What every kind of exchange is: a way to find the bindings that want a message.
import type { Binding } from './binding.js';
import type { Message } from './message.js';

/** Finds the bindings that want a message. */
export interface Router {
  add(binding: Binding): void;
  remove(binding: Binding): void;
  route(message: Message, found: (binding: Binding) => void): void;
}
