// Spans around attempts at messages: active in everything that handles them, and ended with the verdict.

import {
  context,
  SpanKind,
  trace,
  type Context,
  type Link,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';
import type { BatchNext, Delivery, DeliveryNext, HandlerInfo, Verdict } from '@warren/amqp';
import { placeOf, placeOfBatch } from './contexts.js';
import { destinationName, SPANS, type SpanAttributes } from './conventions.js';
import type { ParentRule } from './options.js';
import { callEvent, describeIds, errorType, failed, set, type Tracing } from './publishing.js';

/** What a delivery's span is known by when its message is sent on. */
export interface Attempt {
  readonly context: SpanContext;
  readonly span: Span;
  /** Items of a streamed reply. */
  items: number;
}

/** The attempts that are recorded, by their deliveries. */
export type Attempts = WeakMap<Delivery, Attempt>;

const CONSUMER = SpanKind[SPANS.process.kind];
const SERVER = SpanKind[SPANS.server.kind];

/** Around each attempt of one handler. */
export function attemptSpans(
  next: DeliveryNext,
  handler: HandlerInfo,
  rule: ParentRule,
  attempts: Attempts,
  tracing: Tracing,
): DeliveryNext {
  const start = handler.kind === 'rpc' ? serverSpans(handler, tracing) : consumerSpans(handler, tracing);
  const destinationOf = destinations(handler.queue);
  return (delivery) => {
    const { parent, links } = placeOf(delivery, rule, handler);
    const span = start(destinationOf(delivery), parent, links);
    const inside = trace.setSpan(parent, span);
    if (!span.isRecording()) return context.with(inside, next, undefined, delivery);
    describe(delivery, handler, span);
    const attempt: Attempt = { context: span.spanContext(), span, items: 0 };
    attempts.set(delivery, attempt);
    const stop = handler.kind === 'rpc' ? callEvents(delivery, attempt) : undefined;
    const verdict = context.with(inside, next, undefined, delivery);
    const end = (ended: Verdict): Verdict => {
      stop?.();
      // Whether a call is idempotent is known when it was handled.
      if (handler.kind === 'rpc') describeCall(delivery, span);
      const decided = delivery.decided ?? ended;
      // Nothing is sent on of it, and entries cost the garbage collector more than all of this.
      if (decided.kind === 'ack' || decided.kind === 'drop') attempts.delete(delivery);
      conclude(decided, handler, attempt);
      return ended;
    };
    return 'then' in verdict ? verdict.then(end) : end(verdict);
  };
}

function conclude(verdict: Verdict, handler: HandlerInfo, { span, items }: Attempt): void {
  concluded(verdict, handler, span);
  if (items > 0) set(span, 'warren.rpc.items', items);
  span.end();
}

/** Around each run of a handler of batches. */
export function batchSpans(
  next: BatchNext,
  handler: HandlerInfo,
  attempts: Attempts,
  tracing: Tracing,
): BatchNext {
  const start = consumerSpans(handler, tracing);
  return async (deliveries) => {
    const { parent, links } = placeOfBatch(deliveries);
    const span = start(handler.queue, parent, links, deliveries.length);
    const inside = trace.setSpan(parent, span);
    if (!span.isRecording()) return context.with(inside, next, undefined, deliveries);
    set(span, 'code.function.name', handler.id);
    set(span, 'warren.attempts', handler.attempts);
    const attempt: Attempt = { context: span.spanContext(), span, items: 0 };
    for (const delivery of deliveries) attempts.set(delivery, attempt);
    const verdicts = await context.with(inside, next, undefined, deliveries);
    const decided = verdicts.map((verdict, index) => deliveries[index].decided ?? verdict);
    concluded(worst(decided), handler, span);
    decided.forEach((verdict, index) => {
      if ('error' in verdict) messageFailed(deliveries[index], verdict, span);
    });
    span.end();
    return verdicts;
  };
}

/** Names of where deliveries come from: mostly the one of the delivery before. */
function destinations(queue: string): (delivery: Delivery) => string {
  let exchange: string | undefined;
  let routingKey: string | undefined;
  let name = '';
  return (delivery) => {
    if (delivery.exchange !== exchange || delivery.routingKey !== routingKey) {
      ({ exchange, routingKey } = delivery);
      name = destinationName(exchange, routingKey, queue);
    }
    return name;
  };
}

type StartSpan = (destination: string, parent: Context, links: Link[] | undefined, messages?: number) => Span;

// Objects with attributes are written in one piece, as those of publishes.
function serverSpans({ patterns, queue }: HandlerInfo, tracing: Tracing): StartSpan {
  const method = patterns.length === 1 ? patterns[0] : queue;
  const { tracer } = tracing;
  return (destination, parent, links) => {
    const { consumer } = tracing;
    const attributes: SpanAttributes = {
      'rpc.system.name': 'warren',
      'rpc.method': method,
      'messaging.destination.name': destination,
      'messaging.client.id': consumer.client,
      'server.address': consumer.address,
      'server.port': consumer.port,
      'network.peer.address': consumer.peer,
      'network.peer.port': consumer.peerPort,
    };
    return tracer.startSpan(method, { kind: SERVER, attributes, links }, parent);
  };
}

function consumerSpans({ patterns, queue, temporary }: HandlerInfo, tracing: Tracing): StartSpan {
  const pattern = patterns.length === 1 ? patterns[0] : undefined;
  // The queue of one process has a name of its own.
  const template = temporary ? pattern : queue;
  const name = template === undefined ? 'process' : `process ${template}`;
  const { tracer } = tracing;
  return (destination, parent, links, messages) => {
    const { consumer } = tracing;
    const attributes: SpanAttributes = {
      'messaging.system.name': 'rabbitmq',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': destination,
      'messaging.destination.template': template,
      'messaging.destination.temporary': temporary || undefined,
      'messaging.batch.message_count': messages,
      'messaging.client.id': consumer.client,
      'server.address': consumer.address,
      'server.port': consumer.port,
      'network.peer.address': consumer.peer,
      'network.peer.port': consumer.peerPort,
    };
    return tracer.startSpan(name, { kind: CONSUMER, attributes, links }, parent);
  };
}

function describe({ message, routingKey, attempt }: Delivery, handler: HandlerInfo, span: Span): void {
  const { properties } = message;
  const isCall = properties.replyTo !== undefined;
  if (handler.kind !== 'rpc') describeIds(properties, { isCall, isIdempotent: false }, span);
  if (routingKey !== '') set(span, 'rabbitmq.destination.routing_key', routingKey);
  set(span, 'rabbitmq.message.delivery_tag', message.deliveryTag);
  set(span, 'code.function.name', handler.id);
  set(span, 'warren.attempt', attempt);
  set(span, 'warren.attempts', handler.attempts);
}

function describeCall({ message, call }: Delivery, span: Span): void {
  describeIds(message.properties, { isCall: true, isIdempotent: call?.idempotent === true }, span);
}

/** Says when the caller leaves, or the time is over. Returns a function that ends that. */
function callEvents(delivery: Delivery, { span }: Attempt): () => void {
  const { signal } = delivery;
  const left = Number(delivery.message.properties.expiration);
  if (left > 0) set(span, 'warren.rpc.timeout_ms', left);
  const aborted = (): void => callEvent(signal.reason, span);
  signal.addEventListener('abort', aborted, { once: true });
  return () => signal.removeEventListener('abort', aborted);
}

function concluded(verdict: Verdict, handler: HandlerInfo, span: Span): void {
  set(span, 'warren.verdict', verdict.kind);
  if (verdict.kind === 'retry') {
    set(span, 'warren.retry.after_ms', verdict.after);
    // Asked for, it is no failure.
    if (errorType(verdict.error) !== 'Retry') failed(span, verdict.error);
  } else if (verdict.kind === 'dead-letter') {
    set(span, 'warren.dead_letter.reason', verdict.reason);
    if (handler.deadQueue !== undefined) set(span, 'warren.dead_letter.queue', handler.deadQueue);
    failed(span, verdict.error);
  }
}

const ORDER: readonly Verdict['kind'][] = ['dead-letter', 'retry', 'requeue', 'drop', 'open', 'ack'];

function worst(verdicts: readonly Verdict[]): Verdict {
  const rank = ({ kind }: Verdict): number => ORDER.indexOf(kind);
  return verdicts.reduce((one, other) => (rank(other) < rank(one) ? other : one));
}

function messageFailed(
  { message }: Delivery,
  verdict: Extract<Verdict, { readonly error: unknown }>,
  span: Span,
): void {
  const { messageId } = message.properties;
  span.addEvent('warren.batch.failed', {
    ...(messageId === undefined ? {} : { 'messaging.message.id': messageId }),
    'warren.verdict': verdict.kind,
    'error.type': errorType(verdict.error),
  });
}
