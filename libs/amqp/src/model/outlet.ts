// What the consuming side needs of the publishing side: to send a message on before it acks the
// original. An interface, so that the two sides never import each other.

import type { CodecLookup } from './codec.js';
import type { OutgoingMessage } from './message.js';

/** Sends with a confirm. */
export interface Outlet {
  /** Resolves when the broker has it; rejects like a publish otherwise. */
  send(message: OutgoingMessage): Promise<void>;
  /** The same after a wait in the broker. */
  sendLater(message: OutgoingMessage, wait: number): Promise<void>;
  readonly codecs: CodecLookup;
}
