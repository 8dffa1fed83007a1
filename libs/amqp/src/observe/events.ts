// What happens inside, told to whoever listens: statistics, tests, an application's own metrics. A
// listener that throws is logged and harms nobody.

import type { Delivery } from '../model/delivery.js';
import { describeError, type BrokerLogger } from '../model/logger.js';
import type { Verdict } from '../model/verdict.js';

/** How a publish ended. */
export type PublishOutcome = 'confirmed' | 'returned' | 'nacked' | 'timeout' | 'unknown' | 'refused';

/** Everything that can be heard. */
export type BrokerEvent =
  | { readonly kind: 'connected'; readonly connection: string; readonly endpoint: string }
  | { readonly kind: 'disconnected'; readonly connection: string; readonly reason: string }
  | {
      readonly kind: 'connect-failed';
      readonly connection: string;
      readonly error: Error;
      readonly retryIn: number;
    }
  | { readonly kind: 'blocked'; readonly connection: string; readonly reason: string }
  | { readonly kind: 'unblocked'; readonly connection: string }
  | { readonly kind: 'consumer-ready'; readonly queue: string }
  | { readonly kind: 'consumer-lost'; readonly queue: string; readonly reason: string }
  /** A delivery has its verdict; `ms` from its arrival at the handler's pipeline. */
  | {
      readonly kind: 'handled';
      readonly handler: string;
      readonly queue: string;
      readonly delivery: Delivery;
      readonly verdict: Verdict;
      readonly ms: number;
    }
  /** The verdict was carried out; `false`: the channel had died and the broker delivers it again. */
  | {
      readonly kind: 'settled';
      readonly queue: string;
      readonly delivery: Delivery;
      readonly onTime: boolean;
    }
  | {
      readonly kind: 'published';
      readonly exchange: string;
      readonly routingKey: string;
      readonly messageId: string;
      readonly payload: unknown;
      readonly outcome: PublishOutcome;
    }
  /** A reply that nobody waits for (any more): late, repeated, foreign or unreadable. */
  | { readonly kind: 'reply-ignored'; readonly correlationId: string };

/** Listeners of one broker. */
export class Events {
  private readonly listeners = new Set<(event: BrokerEvent) => void>();

  constructor(private readonly logger: BrokerLogger) {}

  /** Whether building an event is worth it. */
  get heard(): boolean {
    return this.listeners.size > 0;
  }

  on(listener: (event: BrokerEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  emit(event: BrokerEvent): void {
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch (error) {
        this.logger.error(`a listener of '${event.kind}' failed: ${describeError(error)}`);
      }
    }
  }
}
