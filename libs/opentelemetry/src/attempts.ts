// Spans around attempts at messages: active in everything that handles them, and ended with the verdict.

import { context, SpanKind, trace, type Attributes, type Span, type SpanContext } from '@opentelemetry/api';
import type { BatchNext, Delivery, DeliveryNext, HandlerInfo, Verdict } from '@warren/amqp';
import { placeOf, placeOfBatch } from './contexts.js';
import { destinationName, SPANS, type SpanAttributes } from './conventions.js';
import type { ParentRule } from './options.js';
import { callEvent, errorType, failed, set, type Tracing } from './publishing.js';

/** What a delivery's span is known by when its message is sent on. */
export interface Attempt {
  readonly context: SpanContext;
  readonly span: Span;
  /** Items of a streamed reply. */
  items: number;
}

/** The attempts that are recorded, by their deliveries. */
export type Attempts = WeakMap<Delivery, Attempt>;

/** Around each attempt of one handler. */
export function attemptSpans(
  next: DeliveryNext,
  handler: HandlerInfo,
  rule: ParentRule,
  attempts: Attempts,
  tracing: Tracing,
): DeliveryNext {
  const { name, kind, attributes } = spanOf(handler);
  return (delivery) => {
    const { parent, links } = placeOf(delivery, rule, handler);
    const { exchange, routingKey } = delivery;
    const all = {
      ...attributes,
      'messaging.destination.name': destinationName(exchange, routingKey, handler.queue),
      ...tracing.server,
    };
    const span = tracing.tracer.startSpan(name, { kind, attributes: all, links }, parent);
    const inside = trace.setSpan(parent, span);
    if (!span.isRecording()) return context.with(inside, next, undefined, delivery);
    describe(delivery, handler, span);
    const attempt: Attempt = { context: span.spanContext(), span, items: 0 };
    attempts.set(delivery, attempt);
    const stop = handler.kind === 'rpc' ? callEvents(delivery, attempt) : undefined;
    const end = (verdict: Verdict): Verdict => {
      stop?.();
      concluded(delivery.decided ?? verdict, handler, span);
      if (attempt.items > 0) set(span, 'warren.rpc.items', attempt.items);
      span.end();
      return verdict;
    };
    const verdict = context.with(inside, next, undefined, delivery);
    return 'then' in verdict ? verdict.then(end) : end(verdict);
  };
}

/** Around each run of a handler of batches. */
export function batchSpans(
  next: BatchNext,
  handler: HandlerInfo,
  attempts: Attempts,
  tracing: Tracing,
): BatchNext {
  const { name, kind, attributes } = spanOf(handler);
  return async (deliveries) => {
    const { parent, links } = placeOfBatch(deliveries);
    const all = {
      ...attributes,
      'messaging.destination.name': handler.queue,
      'messaging.batch.message_count': deliveries.length,
      ...tracing.server,
    };
    const span = tracing.tracer.startSpan(name, { kind, attributes: all, links }, parent);
    const inside = trace.setSpan(parent, span);
    if (!span.isRecording()) return context.with(inside, next, undefined, deliveries);
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

function spanOf(handler: HandlerInfo): { name: string; kind: SpanKind; attributes: Attributes } {
  const { id, kind, patterns, queue, temporary } = handler;
  const pattern = patterns.length === 1 ? patterns[0] : undefined;
  if (kind === 'rpc') {
    const method = pattern ?? queue;
    const attributes = { 'rpc.system.name': 'warren', 'rpc.method': method, 'code.function.name': id };
    return { name: method, kind: SpanKind[SPANS.server.kind], attributes };
  }
  // The queue of one process has a name of its own.
  const template = temporary ? pattern : queue;
  const attributes: SpanAttributes = {
    'messaging.system.name': 'rabbitmq',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'code.function.name': id,
  };
  if (template !== undefined) attributes['messaging.destination.template'] = template;
  if (temporary) attributes['messaging.destination.temporary'] = true;
  const name = template === undefined ? 'process' : `process ${template}`;
  return { name, kind: SpanKind[SPANS.process.kind], attributes };
}

function describe({ message, routingKey, attempt }: Delivery, handler: HandlerInfo, span: Span): void {
  const { messageId, correlationId } = message.properties;
  if (messageId !== undefined) set(span, 'messaging.message.id', messageId);
  if (correlationId !== undefined) set(span, 'messaging.message.conversation_id', correlationId);
  if (routingKey !== '') set(span, 'rabbitmq.destination.routing_key', routingKey);
  set(span, 'rabbitmq.message.delivery_tag', message.deliveryTag);
  set(span, 'warren.attempt', attempt);
  set(span, 'warren.attempts', handler.attempts);
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
