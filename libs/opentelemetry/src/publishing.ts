// Spans around messages that leave.

import {
  context,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Link,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import type { PublishContext, PublishKind, PublishNext, PublishResult } from '@warren/amqp';
import { extracted, hasContext, injected } from './contexts.js';
import { destinationName, LINK, SPANS, type AttributeName, type SpanAttributes } from './conventions.js';
import type { OpenTelemetryOptions } from './options.js';

/** What the broker is called in spans. */
export type Server = Pick<SpanAttributes, 'server.address' | 'server.port'>;

/** What spans are made with. */
export interface Tracing {
  readonly tracer: Tracer;
  readonly template: OpenTelemetryOptions['template'];
  server: Server;
}

/** What is not a publish of the application, and has its context already. */
export type InternalKind = Extract<PublishKind, 'reply' | 'retry' | 'dead-letter' | 'replay'>;

type TracedKind = Exclude<PublishKind, InternalKind>;

/** Whether the application sends it. */
export function isTraced(message: PublishContext): message is PublishContext & { readonly kind: TracedKind } {
  const { kind } = message;
  return kind !== 'reply' && kind !== 'retry' && kind !== 'dead-letter' && kind !== 'replay';
}

/** Sends a message in a span of its own, which ends with the broker's answer, or with the call. */
export function publishSpan(
  message: PublishContext & { readonly kind: TracedKind },
  next: PublishNext,
  tracing: Tracing,
): Promise<PublishResult> {
  const active = context.active();
  const { headers } = message.properties;
  const own = headers !== undefined && hasContext(headers);
  const isCall = message.kind !== 'publish' && message.kind !== 'send';
  const span = isCall
    ? clientSpan(message, tracing)
    : producerSpan(message, tracing, own ? links(message) : []);
  const inside = trace.setSpan(active, span);
  const sent = carrying(message, inside);
  const result = context.with(inside, next, undefined, sent);
  if (!span.isRecording()) return result;
  describe(message, span);
  return result.then(
    (outcome) => {
      succeeded(message.kind, outcome, span);
      return outcome;
    },
    (error: unknown) => {
      callEvent(error, span);
      failed(span, error);
      span.end();
      throw error;
    },
  );
}

/** The message with a context. One whose headers are full goes without. */
function carrying(message: PublishContext, from: Context): PublishContext {
  const carrier = injected(from, message.properties.headers);
  if (carrier === undefined) return message;
  try {
    return message.with({ headers: carrier });
  } catch {
    return message;
  }
}

function producerSpan(
  { kind, exchange, routingKey, template: given }: PublishContext & { readonly kind: TracedKind },
  { tracer, template: named, server }: Tracing,
  links: Link[],
): Span {
  const name = destinationName(exchange, routingKey);
  const template = given === undefined ? named?.({ exchange, routingKey }) : destinationName(exchange, given);
  const attributes: SpanAttributes = {
    'messaging.system.name': 'rabbitmq',
    'messaging.operation.name': kind,
    'messaging.operation.type': 'send',
    'messaging.destination.name': name,
    ...server,
  };
  if (template !== undefined) attributes['messaging.destination.template'] = template;
  const row = kind === 'send' ? SPANS.send : SPANS.publish;
  return tracer.startSpan(`${kind} ${template ?? name}`, { kind: SpanKind[row.kind], attributes, links });
}

function clientSpan(
  { exchange, routingKey, properties }: PublishContext,
  { tracer, template, server }: Tracing,
): Span {
  const method = template?.({ exchange, routingKey }) ?? routingKey;
  const attributes: SpanAttributes = {
    'rpc.system.name': 'warren',
    'rpc.method': method,
    'messaging.destination.name': destinationName(exchange, routingKey),
    ...server,
  };
  const timeout = Number(properties.expiration);
  if (timeout > 0) attributes['warren.rpc.timeout_ms'] = timeout;
  return tracer.startSpan(method, { kind: SpanKind[SPANS.client.kind], attributes });
}

/** Of a message to which somebody gave a context: what it belongs to. */
function links({ properties }: PublishContext): Link[] {
  const created = trace.getSpanContext(extracted(properties.headers ?? {}));
  return created ? [{ context: created, attributes: { [LINK]: 'created' } }] : [];
}

function describe({ routingKey, properties }: PublishContext, span: Span): void {
  const { messageId, correlationId } = properties;
  if (messageId !== undefined) set(span, 'messaging.message.id', messageId);
  if (correlationId !== undefined) set(span, 'messaging.message.conversation_id', correlationId);
  if (routingKey !== '') set(span, 'rabbitmq.destination.routing_key', routingKey);
}

function succeeded(kind: TracedKind, { routed, resent, nacked, replies }: PublishResult, span: Span): void {
  if (kind === 'publish' || kind === 'send') set(span, 'warren.routed', routed);
  if (resent) set(span, 'warren.resent', resent);
  if (nacked) set(span, 'warren.nacked', nacked);
  if (replies !== undefined) set(span, 'warren.rpc.items', replies);
  span.end();
}

const ENDS: ReadonlyMap<unknown, string> = new Map([
  ['WARREN_RPC_CANCELLED', 'warren.rpc.cancelled'],
  ['WARREN_CALLER_LEFT', 'warren.rpc.cancelled'],
  ['WARREN_RPC_TIMEOUT', 'warren.rpc.deadline_exceeded'],
  ['WARREN_HANDLER_TIMEOUT', 'warren.rpc.deadline_exceeded'],
]);

/** Says on a span that a call was cancelled, or too late. */
export function callEvent(error: unknown, span: Span): void {
  const event = ENDS.get((error as { code?: unknown } | null)?.code);
  if (event !== undefined) span.addEvent(event);
}

/** The class of an error; of one that came from another service, its class there. */
export function errorType(error: unknown): string {
  const { name, remoteName } = (error ?? {}) as { name?: unknown; remoteName?: unknown };
  if (typeof remoteName === 'string') return remoteName;
  return error instanceof Error && typeof name === 'string' ? name : '_OTHER';
}

/** Marks a span as failed. */
export function failed(span: Span, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  set(span, 'error.type', errorType(error));
  span.recordException(error instanceof Error ? error : message);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** Sets an attribute of the table. */
export function set<Name extends AttributeName>(
  span: Span,
  name: Name,
  value: NonNullable<SpanAttributes[Name]>,
): void {
  span.setAttribute(name, value);
}
