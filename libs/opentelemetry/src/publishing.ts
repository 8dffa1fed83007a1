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

/** The broker and the connection to it, once they are known. */
export interface Server {
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** IP address and port of the socket's other end. */
  readonly peer: string | undefined;
  readonly peerPort: number | undefined;
  /** The name of the connection. */
  readonly client: string | undefined;
}

/** What spans are made with. */
export interface Tracing {
  readonly tracer: Tracer;
  readonly template: OpenTelemetryOptions['template'];
  /** Of the connection that publishes and calls. */
  publisher: Server;
  /** Of the connection that consumes. */
  consumer: Server;
}

/** What is not a publish of the application, and has its context already. */
export type InternalKind = Extract<PublishKind, 'reply' | 'retry' | 'dead-letter' | 'replay'>;

type TracedKind = Exclude<PublishKind, InternalKind>;

const PRODUCER = SpanKind[SPANS.publish.kind];
const CLIENT = SpanKind[SPANS.client.kind];

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
  const { kind } = message;
  const isCall = kind !== 'publish' && kind !== 'send';
  const span = isCall ? clientSpan(message, tracing, active) : producerSpan(message, tracing, active);
  const inside = trace.setSpan(active, span);
  const result = context.with(inside, next, undefined, carrying(message, inside));
  if (!span.isRecording()) return result;
  describe(message, isCall, span);
  return result.then(
    (outcome) => {
      succeeded(isCall, outcome, span);
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
  const headers = injected(from, message.properties.headers);
  if (headers === undefined) return message;
  try {
    return message.with({ headers });
  } catch {
    return message;
  }
}

// Objects with attributes are written in one piece: the SDK reads those that were put together from others, or that grow,
// many times more slowly. It leaves out what is undefined.
function producerSpan(
  message: PublishContext & { readonly kind: TracedKind },
  { tracer, template: named, publisher }: Tracing,
  active: Context,
): Span {
  const { kind, exchange, routingKey, template: given } = message;
  const name = destinationName(exchange, routingKey);
  const template = given === undefined ? named?.({ exchange, routingKey }) : destinationName(exchange, given);
  const attributes: SpanAttributes = {
    'messaging.system.name': 'rabbitmq',
    'messaging.operation.name': kind,
    'messaging.operation.type': 'send',
    'messaging.destination.name': name,
    'messaging.destination.template': template,
    'messaging.client.id': publisher.client,
    'server.address': publisher.address,
    'server.port': publisher.port,
    'network.peer.address': publisher.peer,
    'network.peer.port': publisher.peerPort,
  };
  const options = { kind: PRODUCER, attributes, links: links(message) };
  return tracer.startSpan(`${kind} ${template ?? name}`, options, active);
}

function clientSpan(
  { exchange, routingKey, properties }: PublishContext,
  { tracer, template, publisher }: Tracing,
  active: Context,
): Span {
  const method = template?.({ exchange, routingKey }) ?? routingKey;
  const timeout = Number(properties.expiration);
  const attributes: SpanAttributes = {
    'rpc.system.name': 'warren',
    'rpc.method': method,
    'messaging.destination.name': destinationName(exchange, routingKey),
    'messaging.client.id': publisher.client,
    'server.address': publisher.address,
    'server.port': publisher.port,
    'network.peer.address': publisher.peer,
    'network.peer.port': publisher.peerPort,
    'warren.rpc.timeout_ms': timeout > 0 ? timeout : undefined,
  };
  return tracer.startSpan(method, { kind: CLIENT, attributes }, active);
}

/** Of a message to which somebody gave a context: what it belongs to. */
function links({ properties: { headers } }: PublishContext): Link[] | undefined {
  if (headers === undefined || !hasContext(headers)) return undefined;
  const created = trace.getSpanContext(extracted(headers));
  return created && [{ context: created, attributes: { [LINK]: 'created' } }];
}

function describe({ routingKey, properties, idempotent }: PublishContext, isCall: boolean, span: Span): void {
  describeIds(properties, { isCall, isIdempotent: idempotent }, span);
  if (routingKey !== '') set(span, 'rabbitmq.destination.routing_key', routingKey);
}

/** Part of the wire contract of Warren: the chain that a request belongs to. */
const CORRELATION = 'x-correlation-id';

/**
 * The ids of a message that others may see: whoever knows the correlation id of a call can reply to it, and whoever knows
 * the message id of an idempotent one may get its stored reply.
 */
export function describeIds(
  { messageId, correlationId, headers }: PublishContext['properties'],
  { isCall, isIdempotent }: { readonly isCall: boolean; readonly isIdempotent: boolean },
  span: Span,
): void {
  if (messageId !== undefined && !isIdempotent) set(span, 'messaging.message.id', messageId);
  const conversation = isCall ? headers?.[CORRELATION] : correlationId;
  if (typeof conversation === 'string') set(span, 'messaging.message.conversation_id', conversation);
}

function succeeded(isCall: boolean, { routed, resent, nacked, replies }: PublishResult, span: Span): void {
  if (!isCall) set(span, 'warren.routed', routed);
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
