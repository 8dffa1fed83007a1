// The plugin: where spans begin and end is in publishing.ts and attempts.ts, what they are called in conventions.ts.

import { trace, type SpanContext } from '@opentelemetry/api';
import type { BrokerEventOf, Delivery, HandlerInfo, Plugin } from '@warren/amqp';
import { attemptSpans, batchSpans, type Attempts } from './attempts.js';
import { failureHeaders, untraced } from './contexts.js';
import { SCHEMA_URL } from './conventions.js';
import { parentRule, type OpenTelemetryOptions, type ParentRule } from './options.js';
import { isTraced, publishSpan, type Server, type Tracing } from './publishing.js';

/** As in package.json. */
export const VERSION = '0.2.0';

const UNKNOWN: Server = {
  address: undefined,
  port: undefined,
  peer: undefined,
  peerPort: undefined,
  client: undefined,
};

/**
 * Traces of everything that is published and handled, by OpenTelemetry's conventions: a span for each publish, call and
 * attempt, in one trace or linked. Spans go to the SDK that the application has set up; without one nothing happens.
 *
 * @example
 * RabbitModule.forRoot({ plugins: [openTelemetry()] });
 * @throws TypeError for an invalid option
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Plugin {
  const rule = parentRule(options.parent, 'openTelemetry()') ?? 'auto';
  const tracer = (options.tracerProvider ?? trace).getTracer('@warren/opentelemetry', VERSION, {
    schemaUrl: SCHEMA_URL,
  });
  const tracing: Tracing = { tracer, template: options.template, publisher: UNKNOWN, consumer: UNKNOWN };
  const attempts: Attempts = new WeakMap();
  const failedAttempt = (delivery: Delivery | undefined): SpanContext | undefined =>
    delivery && attempts.get(delivery)?.context;
  let started = 0;
  return {
    name: 'opentelemetry',
    publish: (next) => (message) => {
      if (isTraced(message)) return publishSpan(message, next, tracing);
      const { delivery, kind, part } = message;
      if (part !== undefined && delivery) countItem(attempts, delivery);
      const failed = kind === 'retry' || kind === 'dead-letter' ? failedAttempt(delivery) : undefined;
      return next(failed === undefined ? message : message.with({ headers: failureHeaders(failed) }));
    },
    delivery: (next, handler) => attemptSpans(next, handler, ruleOf(handler, rule), attempts, tracing),
    batch: (next, handler) => {
      ruleOf(handler, rule);
      return batchSpans(next, handler, attempts, tracing);
    },
    start: (host) => {
      // One plugin of several broker objects cannot tell their servers apart.
      if (++started > 1) tracing.publisher = tracing.consumer = UNKNOWN;
      host.on(
        (event) => {
          if (started === 1) connected(event, tracing);
        },
        ['connected'],
      );
    },
    stop: () => void started--,
    logSuffix: (delivery) => {
      const failed = failedAttempt(delivery);
      return failed && `trace ${failed.traceId}, span ${failed.spanId}`;
    },
    channel: (channel) => unwatched(channel as ClientChannel),
  };
}

function ruleOf({ id, options }: HandlerInfo, rule: ParentRule): ParentRule {
  const own = options as { readonly parent?: ParentRule } | undefined;
  return parentRule(own?.parent, `${id}: plugins.opentelemetry`) ?? rule;
}

function countItem(attempts: Attempts, delivery: Delivery): void {
  const attempt = attempts.get(delivery);
  if (attempt) attempt.items++;
}

/** `endpoint` is `amqp://host:5672/vhost`. */
function connected({ connection, endpoint, peer }: BrokerEventOf<'connected'>, tracing: Tracing): void {
  const { hostname, port } = new URL(endpoint);
  const server: Server = {
    address: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port),
    peer: peer?.address,
    peerPort: peer?.port,
    client: connection,
  };
  if (connection.endsWith(':publish')) tracing.publisher = server;
  else if (connection.endsWith(':consume')) tracing.consumer = server;
}

type Wrapped = ((...args: unknown[]) => unknown) & { readonly __original?: Wrapped };

interface ClientChannel {
  consume: Wrapped;
  publish: Wrapped;
}

/**
 * Our channels without the spans of instrumentation-amqplib, which would be there a second time. It wraps the functions of
 * the prototype; its publish asks whether tracing is suppressed, its consume does not.
 */
function unwatched(channel: ClientChannel): void {
  const { consume, publish } = channel;
  if (consume.__original) channel.consume = consume.__original;
  if (publish.__original) {
    channel.publish = (...args) => untraced(() => publish.apply(channel, args));
  }
}
