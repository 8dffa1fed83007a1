// Who listens to the events of one broker object, and how they are told without ever harming it.

import { describeError, printable, type BrokerLogger } from '../model/logger.js';
import { isSubscribed, publishDiagnostics, type DiagnosticsSource } from './diagnostics.js';
import type { BrokerEvent, BrokerEventKind } from './events.js';

const REPEAT_AFTER = 10_000;

/** Listeners of one broker. A listener that fails is logged, every ten seconds at most, and harms nobody. */
export class Events {
  private readonly listeners = new Map<(event: BrokerEvent) => unknown, { quietUntil: number }>();

  private readonly source: DiagnosticsSource;

  /** `service` and `broker` are for who hears several of them on node:diagnostics_channel. */
  constructor(
    private readonly logger: BrokerLogger,
    service: string,
    broker = 'default',
  ) {
    this.source = { service, broker };
  }

  /** Whether building an event of this kind is worth it. */
  hears(kind: BrokerEventKind): boolean {
    return this.listeners.size > 0 || isSubscribed(kind);
  }

  /** Adds a listener; returns what ends it. */
  on(listener: (event: BrokerEvent) => void): () => void {
    // The same function may listen twice, and either may leave alone.
    const own = (event: BrokerEvent): unknown => listener(event);
    this.listeners.set(own, { quietUntil: -Infinity });
    return () => this.listeners.delete(own);
  }

  emit(event: BrokerEvent): void {
    publishDiagnostics(this.source, event);
    for (const listener of this.listeners.keys()) {
      try {
        const result = listener(event);
        if (result instanceof Promise)
          result.catch((error: unknown) => this.complain(listener, event, error));
      } catch (error) {
        this.complain(listener, event, error);
      }
    }
  }

  private complain(listener: (event: BrokerEvent) => unknown, { kind }: BrokerEvent, error: unknown): void {
    const state = this.listeners.get(listener);
    const now = performance.now();
    if (state && now < state.quietUntil) return;
    if (state) state.quietUntil = now + REPEAT_AFTER;
    this.logger.error(`a listener of '${kind}' failed: ${printable(describeError(error))}`);
  }
}
