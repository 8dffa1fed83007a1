// Who listens to the events of one broker object, and how they are told without ever harming it.

import { describeError, printable, type BrokerLogger } from '../runtime/logger.js';
import {
  BROKER_EVENT_KINDS,
  isSubscribed,
  publishDiagnostics,
  type DiagnosticsSource,
} from './diagnostics.js';
import type { BrokerEvent, BrokerEventKind } from './events.js';

const REPEAT_AFTER = 10_000;

interface Listener {
  readonly tell: (event: BrokerEvent) => unknown;
  readonly kinds: readonly BrokerEventKind[] | undefined;
  /** Until then its failures are not logged again: one that always fails must not fill the log. */
  quietUntil: number;
}

/** Listeners of one broker. One that fails is logged and harms nobody. */
export class Events {
  private readonly listeners = new Set<Listener>();
  /** Kinds that somebody listens to. */
  private heard: ReadonlySet<BrokerEventKind> = new Set();
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
  hasListeners(kind: BrokerEventKind): boolean {
    return this.heard.has(kind) || isSubscribed(kind);
  }

  /** Adds a listener, whose function name stands in the log when it fails; returns what ends it. */
  on(listener: (event: BrokerEvent) => void, kinds?: readonly BrokerEventKind[]): () => void {
    const own: Listener = { tell: listener, kinds, quietUntil: -Infinity };
    this.listeners.add(own);
    this.count();
    return () => {
      this.listeners.delete(own);
      this.count();
    };
  }

  emit(event: BrokerEvent): void {
    publishDiagnostics(this.source, event);
    if (!this.heard.has(event.kind)) return;
    for (const listener of this.listeners) {
      if (listener.kinds && !listener.kinds.includes(event.kind)) continue;
      const failed = (error: unknown): void => this.complain(listener, event.kind, error);
      try {
        const result = listener.tell(event);
        if (isThenable(result)) result.then(undefined, failed);
      } catch (error) {
        failed(error);
      }
    }
  }

  private count(): void {
    this.heard = new Set([...this.listeners].flatMap(({ kinds }) => kinds ?? BROKER_EVENT_KINDS));
  }

  private complain(listener: Listener, kind: BrokerEventKind, error: unknown): void {
    const now = performance.now();
    if (now < listener.quietUntil) return;
    listener.quietUntil = now + REPEAT_AFTER;
    const name = listener.tell.name ? ` (${listener.tell.name})` : '';
    this.logger.error(`a listener of '${kind}'${name} failed: ${printable(describeError(error))}`);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function';
}
