// The instruments that metrics are made of, as one table: what measures them, the outlets, the documentation, the dashboard
// and the alerts all read it.

import type { BrokerCounters } from '../events/events.js';

/** One thing that is measured. */
export interface Instrument {
  /** As OpenTelemetry names it; `prometheusName` has the other one. */
  readonly name: string;
  /** `counter`: only grows. `histogram`: distribution of values. `gauge`: the value at the time of the collection. */
  readonly kind: 'counter' | 'histogram' | 'gauge';
  /** A UCUM code: `s`, `By`; in braces what is counted. Empty for a gauge that is 1 or 0. */
  readonly unit: string;
  /** Names of its labels, as OpenTelemetry writes them. A series may lack some of them. */
  readonly labels: readonly string[];
  /** One sentence. */
  readonly meaning: string;
  /** Upper bounds of the buckets of a histogram. */
  readonly buckets?: readonly number[];
}

/** Those that OpenTelemetry's conventions for messaging give. */
const CONVENTION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Timestamps of messages have seconds. */
const LAG_BUCKETS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600];

const OPERATION = [
  'connection',
  'messaging.system.name',
  'messaging.operation.name',
  'messaging.operation.type',
  'messaging.destination.name',
];

function instrument(
  kind: Instrument['kind'],
  name: string,
  unit: string,
  labels: readonly string[],
  meaning: string,
  buckets?: readonly number[],
): Instrument {
  const all = labels.includes('connection') ? labels : ['connection', ...labels];
  return { kind, name, unit, labels: all, meaning, ...(buckets && { buckets }) };
}

const HANDLER = ['queue', 'handler'];

/** Every instrument, by the name that the library has for it. */
export const METRICS = {
  operationDuration: instrument(
    'histogram',
    'messaging.client.operation.duration',
    's',
    [...OPERATION, 'error.type'],
    'Time from a publish to the answer of the broker. Calls have `warren.call.duration` instead.',
    CONVENTION_BUCKETS,
  ),
  sentMessages: instrument(
    'counter',
    'messaging.client.sent.messages',
    '{message}',
    [...OPERATION, 'error.type'],
    'Messages that were sent: publishes, requests of calls, replies, retries, dead letters, replays.',
  ),
  consumedMessages: instrument(
    'counter',
    'messaging.client.consumed.messages',
    '{message}',
    [...OPERATION, 'handler'],
    'Deliveries that were handed to a handler, each attempt once.',
  ),
  processDuration: instrument(
    'histogram',
    'messaging.process.duration',
    's',
    [...OPERATION, 'handler', 'error.type'],
    'Time that a handler took, guards, pipes and reply included; for a handler with `batch` one value for each batch.',
    CONVENTION_BUCKETS,
  ),
  attempts: instrument(
    'counter',
    'warren.handler.attempts',
    '{attempt}',
    [...HANDLER, 'attempt'],
    'Attempts that began, by their number: `1`, `2`, ...; from the tenth on `10+`.',
  ),
  verdicts: instrument(
    'counter',
    'warren.handler.verdicts',
    '{verdict}',
    [...HANDLER, 'verdict'],
    'Attempts that ended, by what becomes of the message: `ack`, `drop`, `retry`, `dead-letter`, `requeue`, `open`.',
  ),
  deadLetters: instrument(
    'counter',
    'warren.dead_letters',
    '{message}',
    [...HANDLER, 'reason'],
    'Messages that reached a dead-letter queue, by `x-warren-reason`. What the broker itself dead-letters is not here.',
  ),
  lag: instrument(
    'histogram',
    'warren.delivery.lag',
    's',
    HANDLER,
    'Time from the timestamp of a message to the start of its handler, for first attempts at messages that have a timestamp and no delay.',
    LAG_BUCKETS,
  ),
  unrouted: instrument(
    'counter',
    'warren.publish.unrouted',
    '{message}',
    ['messaging.destination.name'],
    'Publishes that the broker confirmed although no queue got them.',
  ),
  callDuration: instrument(
    'histogram',
    'warren.call.duration',
    's',
    ['call', 'outcome'],
    'Time from a call to its end. `call`: `request`, `stream`, `gather`. `outcome`: `replied`, or why not.',
    CONVENTION_BUCKETS,
  ),
  inFlight: instrument('gauge', 'warren.in_flight', '{message}', ['queue'], 'Deliveries not settled yet.'),
  bufferMessages: instrument(
    'gauge',
    'warren.publish.buffer.messages',
    '{message}',
    [],
    'Publishes in the publish buffer.',
  ),
  bufferBytes: instrument('gauge', 'warren.publish.buffer.size', 'By', [], 'Their bytes.'),
  bufferUsage: instrument(
    'gauge',
    'warren.publish.buffer.usage',
    '1',
    [],
    'Share of the publish buffer that is in use, by messages or bytes, from 0 to 1.',
  ),
  unconfirmed: instrument(
    'gauge',
    'warren.publish.unconfirmed',
    '{message}',
    [],
    'Messages sent and not confirmed yet.',
  ),
  pendingCalls: instrument('gauge', 'warren.call.pending', '{call}', [], 'Calls that wait for their reply.'),
  waiting: instrument(
    'gauge',
    'warren.retry.waiting',
    '{message}',
    [],
    'Retried and delayed messages that this process holds until they are due.',
  ),
  consumerReady: instrument(
    'gauge',
    'warren.consumer.ready',
    '',
    ['queue'],
    '1 when the broker has confirmed the consumer of the queue, else 0.',
  ),
  consumerPaused: instrument(
    'gauge',
    'warren.consumer.paused',
    '',
    ['queue'],
    '1 while the consumer of the queue is paused, else 0.',
  ),
  utilization: instrument(
    'gauge',
    'warren.consumer.utilization',
    '1',
    ['queue'],
    'Share of the concurrency that is in use: handlers, or batches, that run now, from 0 to 1.',
  ),
  consumerLag: instrument(
    'gauge',
    'warren.consumer.lag',
    's',
    ['queue'],
    'Age of the oldest message in flight, by its timestamp; 0 when there is none. Without retries, delayed and replayed messages.',
  ),
  connectionUp: instrument(
    'gauge',
    'warren.connection.up',
    '',
    ['role'],
    '1 when the connection is open, else 0. `role`: `publish`, `consume`, `reply`.',
  ),
  connectionBlocked: instrument(
    'gauge',
    'warren.connection.blocked',
    '',
    ['role'],
    '1 when the broker accepts no messages on the connection (memory or disk alarm), else 0.',
  ),
} satisfies Record<string, Instrument>;

const counter = (name: string, unit: string, meaning: string): Instrument =>
  instrument('counter', name, unit, [], meaning);

/** Instruments of the counters in `broker.status()`. */
export const STATUS_COUNTERS: Readonly<Record<keyof BrokerCounters, Instrument>> = {
  connectionsLost: counter('warren.connection.losses', '{loss}', 'Open connections that were lost.'),
  reconnects: counter(
    'warren.connection.reconnects',
    '{reconnect}',
    'Connections opened again after a loss.',
  ),
  consumersLost: counter('warren.consumer.losses', '{loss}', 'Consumers that were lost.'),
  consumersRestarted: counter(
    'warren.consumer.restarts',
    '{restart}',
    'Consumers that the watchdog restarted.',
  ),
  staleSettlements: counter(
    'warren.settlement.stale',
    '{delivery}',
    'Outcomes that came after their channel was closed: the broker delivers these messages again.',
  ),
  forwardFailures: counter(
    'warren.forward.failures',
    '{message}',
    'Retries and dead letters that could not be forwarded: their messages went back to their queues.',
  ),
  retriesLate: counter('warren.retry.late', '{message}', 'Retried or delayed messages more than 5 s late.'),
  resent: counter(
    'warren.publish.resent',
    '{message}',
    'Messages sent again after a loss before their confirm.',
  ),
  nacked: counter('warren.publish.nacked', '{message}', 'Messages nacked by the broker and sent again.'),
  repliesLost: counter(
    'warren.reply.lost',
    '{message}',
    'Replies to remote callers that were not delivered.',
  ),
  repliesIgnored: counter('warren.reply.ignored', '{message}', 'Replies without a pending call.'),
  topologyRestored: counter(
    'warren.topology.restored',
    '{declaration}',
    'Exchanges and queues that had been deleted while connected, and were declared again.',
  ),
};

/** The table. Labels have few values each: docs/metrics.md says which and why. */
export const INSTRUMENTS: readonly Instrument[] = [
  ...Object.values(METRICS),
  ...Object.values(STATUS_COUNTERS),
];

const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', 1: '_ratio' };

/** The name in Prometheus, by the mapping that OpenTelemetry gives for it. */
export function prometheusName({ name, unit, kind }: Instrument): string {
  return `${prometheusLabel(name)}${UNITS[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`;
}

/** The name of a label in Prometheus. */
export function prometheusLabel(label: string): string {
  return label.replace(/\W/g, '_');
}
