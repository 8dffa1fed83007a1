// Where the span of an attempt belongs, without a broker: by rule, by what its message has been through, by what is active.
import { afterAll, describe, expect, it } from '@jest/globals';
import { context, propagation, trace, TraceFlags } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { Delivery, type HandlerInfo, type Headers } from '@warren/amqp';
import { injected, placeOf } from './contexts.js';
import { openTelemetry } from './open-telemetry.js';
import type { ParentRule } from './options.js';

const provider = new NodeTracerProvider();
provider.register();
afterAll(() => provider.shutdown());

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${spanId}-01`;
const handler: HandlerInfo = {
  service: 'shop',
  id: 'Orders.place',
  kind: 'consume',
  queue: 'orders',
  temporary: false,
  patterns: [],
  batch: false,
  attempts: 5,
  deadQueue: 'orders.dead',
  options: undefined,
};

function delivery(headers: Headers): Delivery {
  const fields = { exchange: '', routingKey: 'orders', redelivered: false, deliveryTag: 1 };
  const message = { content: Buffer.from('1'), properties: { headers }, ...fields };
  return new Delivery(message, 'orders', { settle() {}, warn() {} });
}

/** `child`, or what is linked. */
function placed(headers: Headers, rule: ParentRule = 'auto', more: Partial<HandlerInfo> = {}): unknown {
  const { parent, links } = placeOf(delivery({ traceparent, ...headers }), rule, { ...handler, ...more });
  const above = trace.getSpanContext(parent)?.spanId;
  return [
    above === spanId ? 'child' : above,
    ...(links ?? []).map(({ attributes }) => attributes?.['warren.link']),
  ];
}

const again = { 'x-warren-attempt': 1, 'x-warren-queue': 'orders' };
const failed = { 'x-warren-trace-id': traceId, 'x-warren-span-id': '00f067aa0ba902b7' };

describe('an attempt belongs', () => {
  it.each<[string, Headers, ParentRule | undefined, Partial<HandlerInfo>, unknown[]]>([
    ['to its publish', {}, 'auto', {}, ['child']],
    ['nowhere when linked', {}, 'link', {}, [undefined, 'created']],
    ['nowhere when it is a retry', { ...again, ...failed }, 'auto', {}, [undefined, 'attempt', 'created']],
    ['to its publish as a retry with child', { ...again, ...failed }, 'child', {}, ['child', 'attempt']],
    ['nowhere when it came out of a wait', { 'x-warren-move': 'm' }, 'auto', {}, [undefined, 'created']],
    ['nowhere when the broker ended its wait', { 'x-warren-due': 1 }, 'auto', {}, [undefined, 'created']],
    ['nowhere as one of many copies', {}, 'auto', { temporary: true }, [undefined, 'created']],
    ['to its call, all copies and retries', again, 'auto', { temporary: true, kind: 'rpc' }, ['child']],
    [
      'nowhere when it is replayed, whatever the rule',
      { 'x-warren-replayed': 1, ...failed },
      'child',
      {},
      [undefined, 'attempt', 'created'],
    ],
    ['to what nobody records', { traceparent: traceparent.replace(/01$/, '00') }, 'link', {}, ['child']],
    ['nowhere without a context', { traceparent: undefined }, 'auto', {}, [undefined]],
    ['to its publish when ids are made up', { ...again, 'x-warren-trace-id': 'x' }, 'child', {}, ['child']],
  ])('%s', (_where, headers, rule, more, expected) => expect(placed(headers, rule, more)).toEqual(expected));

  it('to a span around it that still goes on, and is linked to its publish', () => {
    const span = trace.getTracer('test').startSpan('around');
    context.with(trace.setSpan(context.active(), span), () => {
      expect(placed({}, 'child')).toEqual([span.spanContext().spanId, 'created']);
      span.end();
      expect(placed({})).toEqual(['child']);
    });
  });
});

describe('headers of a message that is sent', () => {
  const active = propagation.setBaggage(
    trace.setSpanContext(context.active(), { traceId, spanId, traceFlags: TraceFlags.SAMPLED }),
    propagation.createBaggage({ tenant: { value: 'acme' } }),
  );

  it.each<[string, Headers | undefined, Headers | undefined]>([
    ['carry the context', undefined, { traceparent, baggage: 'tenant=acme' }],
    ['keep a context of their own, with the baggage', { traceparent: 'own' }, { baggage: 'tenant=acme' }],
    ['keep all of their own', { traceparent: 'own', baggage: 'a=b' }, undefined],
  ])('%s', (_what, present, added) => expect(injected(active, present)).toEqual(added));
});

describe('a rule that is none', () => {
  const bad = 'parent' as ParentRule;

  it('is refused, of the plugin and of a handler', () => {
    expect(() => openTelemetry({ parent: bad })).toThrow(/openTelemetry\(\): parent must be 'auto'/);
    const plugin = openTelemetry();
    const next = () => ({ kind: 'ack' }) as const;
    expect(() => plugin.delivery?.(next, { ...handler, options: { parent: bad } })).toThrow(
      /Orders.place: plugins.opentelemetry: parent must be/,
    );
  });
});
