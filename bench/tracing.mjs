// What traces cost per message on each side, without a broker: the plugin around a publish and around a handler that do
// nothing, beside the same span made by hand with the SDK; the figures of docs/observability.md. An SDK that batches, and an
// exporter that drops everything. All cases take turns in one process, so that the load of the machine is the same for each.
//   node bench/tracing.mjs            half a minute
//   node bench/tracing.mjs --quick    a moment: checks that it runs
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { context, propagation, ROOT_CONTEXT, SpanKind, trace, TraceFlags } from '@opentelemetry/api';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { build, modulesOf } from '../tools/build.mjs';

await build({ ifNeeded: true });
const { openTelemetry } = await import('@warren/opentelemetry');
const { Delivery } = await import('@warren/amqp');
// A module of the package's inside.
const { Plugins } = await import(pathToFileURL(join(modulesOf('amqp'), 'plugins/plugins.js')).href);

const quick = process.argv.includes('--quick');
const COUNT = quick ? 500 : 10_000;
const ROUNDS = quick ? 1 : 31;
const ACK = /** @type {const} */ ({ kind: 'ack' });
const result = Promise.resolve({ messageId: 'm', routed: true });
const sampled = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const unsampled = sampled.replace(/01$/, '00');
const properties = {
  contentType: 'application/json',
  headers: {},
  deliveryMode: 2,
  messageId: 'abcdefgh',
  timestamp: 1_700_000_000,
  appId: 'shop',
};
const message = { exchange: 'orders', routingKey: 'order.created', content: Buffer.from('{}'), properties };
const handler = {
  id: 'Orders.place',
  kind: /** @type {const} */ ('consume'),
  queue: 'orders',
  temporary: false,
  patterns: ['order.*'],
  batch: false,
  attempts: 5,
  deadQueue: 'orders.dead',
  options: undefined,
};

/** Tells a plugin of its two connections. */
const host = {
  on: (/** @type {(event: object) => void} */ listener) => {
    for (const connection of ['shop:publish', 'shop:consume']) {
      const peer = { address: '10.0.0.1', port: 5672 };
      listener({ kind: 'connected', connection, endpoint: 'amqp://broker:5672/', peer });
    }
  },
};

/** @typedef {{ publish: () => unknown, handle: () => unknown, within?: import('@opentelemetry/api').Context }} Case */

/** @type {NodeTracerProvider | undefined} */
let provider;
console.log(
  `Node ${process.version}; microseconds of CPU per message, median of ${ROUNDS} rounds of ${COUNT}`,
);
const off = await measured({
  nothing: plugged([], sampled),
  empty: plugged([empty()], sampled),
  off: plugged([openTelemetry()], sampled),
});
report('one plugin that does nothing', less(off.empty, off.nothing));
report('off: no SDK', less(off.off, off.empty));

const exporter = {
  export: (/** @type {unknown} */ _spans, /** @type {(result: object) => void} */ done) => done({ code: 0 }),
  shutdown: () => Promise.resolve(),
};
provider = new NodeTracerProvider({
  spanProcessors: [new BatchSpanProcessor(/** @type {any} */ (exporter), { maxQueueSize: 2 * COUNT })],
});
provider.register();
const notRecorded = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.NONE,
});
const on = await measured({
  nothing: plugged([empty()], sampled),
  span: bareSpan(sampled),
  bare: bare(sampled),
  ours: plugged([openTelemetry()], sampled),
  bareOut: { ...bare(unsampled), within: notRecorded },
  oursOut: { ...plugged([openTelemetry()], unsampled), within: notRecorded },
});
report('bare SDK span', on.span);
report('bare SDK span, in its context', on.bare);
report('recorded by the plugin', less(on.ours, on.nothing));
report('ours minus bare', less(less(on.ours, on.nothing), on.bare));
report('bare, sampled out', on.bareOut);
report('sampled out', less(on.oursOut, on.nothing));
await provider.shutdown();

/** The plugins as a broker object has them around a publish and a handler. @param {import('@warren/amqp').Plugin[]} given @param {string} traceparent @returns {Case} */
function plugged(given, traceparent) {
  const clock = { monotonic: () => 0, wall: () => 0, after: () => () => undefined };
  const deadlines = { addAt: () => undefined, clear: () => undefined };
  const logger = { log() {}, warn() {}, error() {} };
  const limits = () => ({ maxBytes: 1e6, maxPropertyBytes: 1e5 });
  for (const plugin of given) void plugin.start?.(/** @type {any} */ (host));
  const plugins = new Plugins(/** @type {any} */ ({ given, clock, deadlines, logger, limits }));
  const leaving = { kind: /** @type {const} */ ('publish'), message, payload: {}, timeout: 1_000 };
  const send = () => result;
  const around = plugins.aroundDelivery(
    handler,
    () => ACK,
    () => ACK,
  );
  return {
    publish: given.length === 0 ? send : () => plugins.publish(/** @type {any} */ (leaving), send),
    handle: () => around(received(traceparent)),
  };
}

/** @returns {import('@warren/amqp').Plugin} */
function empty() {
  return {
    name: 'empty',
    publish: (next) => (message) => next(message),
    delivery: (next) => (delivery) => next(delivery),
  };
}

/** @param {string} traceparent */
function received(traceparent) {
  const own = { messageId: 'abcdefgh', headers: { traceparent } };
  const fields = { exchange: 'orders', routingKey: 'order.created', redelivered: false, deliveryTag: 1 };
  return new Delivery({ content: message.content, properties: own, ...fields }, 'orders', {
    settle() {},
    warn() {},
  });
}

/** Spans with the names and attributes of the plugin's, and nothing else. @param {string} traceparent @returns {Case} */
function bareSpan(traceparent) {
  const tracer = trace.getTracer('bare');
  const parent = extracted({ traceparent });
  return {
    publish: () => ended(publishSpan(tracer, context.active()), 'warren.routed', true),
    handle: () => ended(processSpan(tracer, parent), 'warren.verdict', 'ack'),
  };
}

/** The same, with the context that a span needs: taken from headers, put into headers, active inside. @param {string} traceparent @returns {Case} */
function bare(traceparent) {
  const tracer = trace.getTracer('bare');
  const headers = { traceparent };
  const inside = () => ACK;
  return {
    publish: () => {
      const active = context.active();
      const span = publishSpan(tracer, active);
      const carrier = {};
      const own = trace.setSpan(active, span);
      propagation.inject(own, carrier);
      context.with(own, inside);
      return ended(span, 'warren.routed', true);
    },
    handle: () => {
      const parent = extracted(headers);
      const span = processSpan(tracer, parent);
      context.with(trace.setSpan(parent, span), inside);
      return ended(span, 'warren.verdict', 'ack');
    },
  };
}

/** @param {object} headers */
function extracted(headers) {
  return propagation.extract(ROOT_CONTEXT, headers);
}

/** @param {import('@opentelemetry/api').Span} span @param {string} name @param {string | boolean} value */
function ended(span, name, value) {
  if (!span.isRecording()) return;
  span.setAttribute(name, value);
  span.end();
}

/** @param {import('@opentelemetry/api').Tracer} tracer @param {import('@opentelemetry/api').Context} parent */
function publishSpan(tracer, parent) {
  const attributes = {
    'messaging.system.name': 'rabbitmq',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'orders:order.created',
    'messaging.client.id': 'shop:publish',
    'server.address': 'broker',
    'server.port': 5672,
    'network.peer.address': '10.0.0.1',
    'network.peer.port': 5672,
    'messaging.message.id': 'abcdefgh',
    'rabbitmq.destination.routing_key': 'order.created',
  };
  return tracer.startSpan('publish orders:order.created', { kind: SpanKind.PRODUCER, attributes }, parent);
}

/** @param {import('@opentelemetry/api').Tracer} tracer @param {import('@opentelemetry/api').Context} parent */
function processSpan(tracer, parent) {
  const attributes = {
    'messaging.system.name': 'rabbitmq',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'orders:order.created',
    'messaging.destination.template': 'orders',
    'messaging.client.id': 'shop:consume',
    'server.address': 'broker',
    'server.port': 5672,
    'network.peer.address': '10.0.0.1',
    'network.peer.port': 5672,
    'messaging.message.id': 'abcdefgh',
    'rabbitmq.destination.routing_key': 'order.created',
    'rabbitmq.message.delivery_tag': 1,
    'code.function.name': 'Orders.place',
    'warren.attempt': 1,
    'warren.attempts': 5,
  };
  return tracer.startSpan('process orders', { kind: SpanKind.CONSUMER, attributes }, parent);
}

/** @typedef {{ publish: number, handle: number }} Sides */

/** @template {string} Name @param {Record<Name, Case>} cases @returns {Promise<Record<Name, Sides>>} */
async function measured(cases) {
  const times = /** @type {Record<Name, Record<keyof Sides, number[]>>} */ ({});
  const names = /** @type {Name[]} */ (Object.keys(cases));
  for (const name of names) times[name] = { publish: [], handle: [] };
  // The first round warms up.
  for (let round = 0; round < ROUNDS + 1; round++) {
    for (const name of names) {
      for (const side of /** @type {const} */ (['publish', 'handle'])) {
        const taken = await timed(cases[name][side], cases[name].within);
        if (round > 0) times[name][side].push(taken);
      }
    }
  }
  const all = names.map((name) => [
    name,
    { publish: median(times[name].publish), handle: median(times[name].handle) },
  ]);
  return Object.fromEntries(all);
}

/** @param {() => unknown} once @param {import('@opentelemetry/api').Context} [within] */
async function timed(once, within = ROOT_CONTEXT) {
  const before = process.cpuUsage();
  await context.with(within, async () => {
    // In portions, as messages come: what waits must not fill the memory.
    for (let n = 0; n < COUNT; n++) {
      once();
      if (n % 100 === 0) await undefined;
    }
  });
  const { user, system } = process.cpuUsage(before);
  await provider?.forceFlush();
  return (user + system) / COUNT;
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** @param {Sides} one @param {Sides} other @returns {Sides} */
function less(one, other) {
  return { publish: one.publish - other.publish, handle: one.handle - other.handle };
}

/** @param {string} name @param {Sides} sides */
function report(name, { publish, handle }) {
  console.log(
    `${name.padEnd(30)}  publish ${publish.toFixed(2).padStart(5)}  handle ${handle.toFixed(2).padStart(5)}`,
  );
}
