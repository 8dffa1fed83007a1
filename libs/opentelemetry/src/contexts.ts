// Contexts in messages: read from headers, written into them, and whether a span goes on with the trace of its message.

import {
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Baggage,
  type BaggageEntry,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type TextMapGetter,
} from '@opentelemetry/api';
import type { Delivery, HandlerInfo, Headers } from '@warren/amqp';
import { LINK } from './conventions.js';
import type { ParentRule } from './options.js';

/** Headers of Warren that say where a message has been; part of its wire contract. */
const HEADER = {
  replayed: 'x-warren-replayed',
  move: 'x-warren-move',
  due: 'x-warren-due',
  traceId: 'x-warren-trace-id',
  spanId: 'x-warren-span-id',
} as const;

const getter: TextMapGetter<Headers> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  },
};

/** What a message carries, on top of `base`. */
export function extracted(headers: Headers, base = ROOT_CONTEXT): Context {
  return propagation.extract(base, headers, getter);
}

/**
 * The headers that carry `from`, without those that a message has already: a context that somebody put into it stays.
 * Undefined when there are none.
 */
export function injected(from: Context, present: Headers | undefined): Headers | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(from, carrier);
  const own = present !== undefined && hasContext(present);
  let any = false;
  for (const name in carrier) {
    if (present?.[name] !== undefined || (own && name !== 'baggage')) delete carrier[name];
    else any = true;
  }
  return any ? carrier : undefined;
}

/** Whether a message that is to be sent has a context already. */
export function hasContext(headers: Headers): boolean {
  let fields: string[] | undefined;
  for (const name in headers) {
    // Most messages have no headers, or one of ours.
    fields ??= propagation.fields();
    if (name !== 'baggage' && headers[name] !== undefined && fields.includes(name)) return true;
  }
  return false;
}

// Known to the SDK by this text; its package is none of ours.
const SUPPRESS = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/** Runs `work` so that nobody traces it. */
export function untraced<T>(work: () => T): T {
  return context.with(context.active().setValue(SUPPRESS, true), work);
}

/** Where a span belongs. */
export interface Place {
  readonly parent: Context;
  readonly links: Link[] | undefined;
}

/** Where the span of an attempt belongs. Nothing is active when a delivery comes, unless a plugin around this one made it. */
export function placeOf(delivery: Delivery, rule: ParentRule, handler: HandlerInfo): Place {
  const { headers } = delivery;
  const ambient = ambientSpan();
  if (ambient) return placeInside(ambient, delivery);
  const carried = extracted(headers);
  const created = trace.getSpanContext(carried);
  const before = attemptLink(delivery);
  if (created === undefined || isChild(delivery, rule, handler) || !isSampled(created)) {
    // What nobody records at its publish is recorded nowhere.
    return { parent: carried, links: before && [before] };
  }
  const origin = link(created, 'created');
  return { parent: trace.deleteSpan(carried), links: before ? [before, origin] : [origin] };
}

function placeInside(ambient: Span, delivery: Delivery): Place {
  const { headers } = delivery;
  const links: Link[] = [];
  const before = attemptLink(delivery);
  if (before) links.push(before);
  const created = trace.getSpanContext(extracted(headers));
  if (created) links.push(link(created, 'created'));
  return { parent: trace.setSpan(extracted(headers, context.active()), ambient), links };
}

/** Where the span of a batch belongs: a link for each message, and the baggage that all of them have. */
export function placeOfBatch(deliveries: readonly Delivery[]): Place {
  const ambient = ambientSpan();
  const links: Link[] = [];
  let shared: Map<string, BaggageEntry> | undefined;
  for (const delivery of deliveries) {
    const carried = extracted(delivery.headers);
    const created = trace.getSpanContext(carried);
    const before = attemptLink(delivery);
    if (before) links.push(before);
    if (created && isSampled(created)) links.push(link(created, 'created'));
    const own = propagation.getBaggage(carried);
    shared = shared === undefined ? new Map(own?.getAllEntries()) : common(shared, own);
  }
  const base = ambient ? context.active() : ROOT_CONTEXT;
  if (shared === undefined || shared.size === 0) return { parent: base, links };
  const baggage = propagation.createBaggage(Object.fromEntries(shared));
  return { parent: propagation.setBaggage(base, baggage), links };
}

function common(shared: Map<string, BaggageEntry>, own: Baggage | undefined): Map<string, BaggageEntry> {
  return new Map([...shared].filter(([name, { value }]) => own?.getEntry(name)?.value === value));
}

/** The headers that name the span of a failed attempt: for who looks at a dead letter, and for links of what comes next. */
export function failureHeaders({ traceId, spanId }: SpanContext): Headers {
  return { [HEADER.traceId]: traceId, [HEADER.spanId]: spanId };
}

function ambientSpan(): Span | undefined {
  const span = trace.getActiveSpan();
  return span?.isRecording() ? span : undefined;
}

function isChild({ attempt, headers }: Delivery, rule: ParentRule, handler: HandlerInfo): boolean {
  // Whoever replays it does so another day.
  if (rule === 'link' || headers[HEADER.replayed] !== undefined) return false;
  // A caller waits for all attempts, and for all instances.
  if (rule === 'child' || handler.kind === 'rpc') return true;
  const waited = attempt > 1 || headers[HEADER.move] !== undefined || headers[HEADER.due] !== undefined;
  return !waited && !handler.temporary;
}

/** A link to the attempt before this one, if this one comes after a failure. */
function attemptLink({ attempt, headers }: Delivery): Link | undefined {
  if (attempt === 1 && headers[HEADER.replayed] === undefined) return undefined;
  const { [HEADER.traceId]: traceId, [HEADER.spanId]: spanId } = headers;
  if (typeof traceId !== 'string' || typeof spanId !== 'string') return undefined;
  const before: SpanContext = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return trace.isSpanContextValid(before) ? link(before, 'attempt') : undefined;
}

const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & TraceFlags.SAMPLED) !== 0;

const link = (to: SpanContext, what: 'created' | 'attempt'): Link => ({
  context: to,
  attributes: { [LINK]: what },
});
