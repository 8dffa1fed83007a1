// The listeners of one broker object's events. A listener that throws never affects the broker object.

import { channel, type Channel } from 'node:diagnostics_channel';
import type { BrokerEvent, BrokerEventKind, BrokerEventOf } from './events.js';
import { describeError, printable, type Log } from '../runtime/logger.js';
import { errorFields, stackText } from '../errors/error-facts.js';

// The same events on node:diagnostics_channel, for tools that are not part of the application: `warren:` and
// the kind. A channel without subscribers costs one property read for each event.

/** What a subscriber of the channel `warren:<kind>` gets. */
export interface DiagnosticsMessage<K extends BrokerEventKind = BrokerEventKind> {
  /** The option `service` of the broker object. */
  readonly service: string;
  /** Which broker object of the process: in Nest the name of the connection, else `default`. */
  readonly broker: string;
  readonly event: BrokerEventOf<K>;
}

/** The source of the events. */
export type DiagnosticsSource = Pick<DiagnosticsMessage, 'service' | 'broker'>;

// Node garbage-collects channels that nothing references.
const channels: Readonly<Record<BrokerEventKind, Channel>> = {
  connected: channel('warren:connected'),
  disconnected: channel('warren:disconnected'),
  'connect-failed': channel('warren:connect-failed'),
  blocked: channel('warren:blocked'),
  unblocked: channel('warren:unblocked'),
  'consumer-ready': channel('warren:consumer-ready'),
  'consumer-lost': channel('warren:consumer-lost'),
  'consumer-failed': channel('warren:consumer-failed'),
  'consumer-restarted': channel('warren:consumer-restarted'),
  'consumer-not-ready': channel('warren:consumer-not-ready'),
  'consumer-paused': channel('warren:consumer-paused'),
  'consumer-resumed': channel('warren:consumer-resumed'),
  'consumer-changed': channel('warren:consumer-changed'),
  'breaker-open': channel('warren:breaker-open'),
  'breaker-half-open': channel('warren:breaker-half-open'),
  'breaker-closed': channel('warren:breaker-closed'),
  handled: channel('warren:handled'),
  settled: channel('warren:settled'),
  'forward-failed': channel('warren:forward-failed'),
  'handler-late': channel('warren:handler-late'),
  'call-skipped': channel('warren:call-skipped'),
  published: channel('warren:published'),
  returned: channel('warren:returned'),
  'retries-late': channel('warren:retries-late'),
  'publish-buffer-full': channel('warren:publish-buffer-full'),
  'reply-ignored': channel('warren:reply-ignored'),
  'topology-restored': channel('warren:topology-restored'),
  'start-failed': channel('warren:start-failed'),
  closing: channel('warren:closing'),
  closed: channel('warren:closed'),
};

/** All kinds of events. */
export const BROKER_EVENT_KINDS = Object.keys(channels) as readonly BrokerEventKind[];

/** Publishes an event to the subscribers of its kind, if there are any. */
export function publishDiagnostics(source: DiagnosticsSource, event: BrokerEvent): void {
  const to = channels[event.kind];
  if (to.hasSubscribers) to.publish({ ...source, event } satisfies DiagnosticsMessage);
}

const REPEAT_AFTER = 10_000;

interface Listener {
  readonly tell: (event: BrokerEvent) => unknown;
  readonly kinds: readonly BrokerEventKind[] | undefined;
  /** Until then its failures are not logged again: a listener that always fails must not fill the log. */
  quietUntil: number;
}

/** The listeners of one broker object. One that throws is logged and affects nothing else. */
export class Events {
  private readonly listeners = new Set<Listener>();
  /** Kinds that have listeners. */
  private heard: ReadonlySet<BrokerEventKind> = new Set();
  private readonly source: DiagnosticsSource;

  /** `service` and `broker` identify the source on node:diagnostics_channel. */
  constructor(
    private readonly logger: Log,
    service: string,
    broker = 'default',
  ) {
    this.source = { service, broker };
  }

  /** Whether building an event of this kind is worth it. */
  hasListeners(kind: BrokerEventKind): boolean {
    return this.heard.has(kind) || channels[kind].hasSubscribers;
  }

  /** Adds a listener, whose function name is used in the log when it fails; returns a function that removes it. */
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
    this.logger.error(`a listener of '${kind}'${name} failed: ${printable(describeError(error))}`, {
      event: 'listener-failed',
      ...errorFields(error),
      stack: stackText(error),
    });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function';
}
