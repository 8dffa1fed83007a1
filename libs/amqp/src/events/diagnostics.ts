// The same events on node:diagnostics_channel, for tools that are not part of the application: `warren:` and
// the kind. A channel without subscribers costs one property read for each event.

import { channel, type Channel } from 'node:diagnostics_channel';
import type { BrokerEvent, BrokerEventKind, BrokerEventOf } from './events.js';

/** What a subscriber of the channel `warren:<kind>` gets. */
export interface DiagnosticsMessage<K extends BrokerEventKind = BrokerEventKind> {
  /** The option `service` of the broker object. */
  readonly service: string;
  /** Which broker object of the process: in Nest the name of the connection, else `default`. */
  readonly broker: string;
  readonly event: BrokerEventOf<K>;
}

/** Who tells. */
export type DiagnosticsSource = Pick<DiagnosticsMessage, 'service' | 'broker'>;

// Node forgets channels that nobody holds.
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

/** Whether anybody subscribed to a kind. */
export function isSubscribed(kind: BrokerEventKind): boolean {
  return channels[kind].hasSubscribers;
}

/** Hands an event to the subscribers of its kind, if there are any. */
export function publishDiagnostics(source: DiagnosticsSource, event: BrokerEvent): void {
  const to = channels[event.kind];
  if (to.hasSubscribers) to.publish({ ...source, event } satisfies DiagnosticsMessage);
}
