// What traces cost per message on each side, without a broker: the plugin around a publish and around a handler that do
// nothing. An SDK that batches and an exporter that drops everything; the figures of docs/observability.md.
//   node bench/tracing.mjs            some seconds
//   node bench/tracing.mjs --quick    a moment: checks that it runs
import { context, propagation, trace, TraceFlags } from '@opentelemetry/api';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { build } from '../tools/build.mjs';

await build({ ifNeeded: true });
const { openTelemetry } = await import('@warren/opentelemetry');
const { Delivery } = await import('@warren/amqp');

const quick = process.argv.includes('--quick');
const COUNT = quick ? 1_000 : 50_000;
const ROUNDS = quick ? 1 : 7;
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
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const ACK = /** @type {const} */ ({ kind: 'ack' });
const result = Promise.resolve({ messageId: 'm', routed: true });

/** @type {NodeTracerProvider | undefined} */
let provider;
console.log(
  `Node ${process.version}; microseconds of CPU per message, median of ${ROUNDS} rounds of ${COUNT}`,
);
await row('no SDK');
const exporter = {
  export: (/** @type {unknown} */ _spans, /** @type {(result: object) => void} */ done) => done({ code: 0 }),
  shutdown: () => Promise.resolve(),
};
provider = new NodeTracerProvider({
  spanProcessors: [new BatchSpanProcessor(/** @type {any} */ (exporter), { maxQueueSize: 2 * COUNT })],
});
provider.register();
await row('recorded');
const unsampled = trace.setSpanContext(context.active(), {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.NONE,
});
await context.with(unsampled, () => row('sampled out', traceparent.replace(/01$/, '00')));
await row('SDK alone', undefined, bare());
await provider?.shutdown();

/** @param {string} name @param {string} [parent] */
async function row(name, parent = traceparent, sides = plugin(parent)) {
  const [publish, handle] = [await measured(sides.publish), await measured(sides.handle)];
  console.log(
    `${name.padEnd(12)}  publish ${publish.toFixed(2).padStart(5)}  handle ${handle.toFixed(2).padStart(5)}`,
  );
}

/** Both sides with the plugin, less what they take without it. @param {string} parent */
function plugin(parent) {
  const { publish, delivery } = openTelemetry();
  const around = publish?.(() => result);
  const attempt = delivery?.(() => ACK, handler);
  const message = outgoing();
  return {
    publish: () => around?.(message),
    handle: () => attempt?.(received(parent)),
  };
}

/** What the SDK takes for a span with as many attributes, made by hand. */
function bare() {
  const tracer = trace.getTracer('bare');
  const attributes = { a: 'rabbitmq', b: 'publish', c: 'send', d: 'orders:order.created' };
  const span = () => {
    const made = tracer.startSpan('publish orders', { kind: 3, attributes });
    for (const name of ['e', 'f', 'g']) made.setAttribute(name, 'value');
    made.end();
    return made;
  };
  return {
    publish: () => {
      const carrier = {};
      propagation.inject(trace.setSpan(context.active(), span()), carrier);
      return result;
    },
    handle: () => {
      propagation.extract(context.active(), { traceparent });
      span();
      return received(traceparent) && ACK;
    },
  };
}

/** @param {() => unknown} once */
async function measured(once) {
  const times = [];
  for (let round = 0; round < ROUNDS + 1; round++) {
    const before = process.cpuUsage();
    for (let n = 0; n < COUNT; n++) once();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / COUNT);
    await provider?.forceFlush();
  }
  // The first warms up.
  return times.slice(1).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}

/** A message as a plugin gets it. */
function outgoing() {
  const properties = { messageId: 'abcdefgh', headers: {}, contentType: 'application/json' };
  const made = {
    kind: /** @type {const} */ ('publish'),
    exchange: 'orders',
    routingKey: 'order.created',
    template: undefined,
    payload: {},
    content: Buffer.from('{}'),
    properties,
    delivery: undefined,
    part: undefined,
    with: (/** @type {object} */ changes) => ({ ...made, ...changes }),
  };
  return /** @type {any} */ (made);
}

/** @param {string} parent */
function received(parent) {
  const properties = { messageId: 'abcdefgh', headers: { traceparent: parent } };
  const fields = { exchange: 'orders', routingKey: 'order.created', redelivered: false, deliveryTag: 1 };
  return new Delivery({ content: Buffer.from('{}'), properties, ...fields }, 'orders', {
    settle() {},
    warn() {},
  });
}
