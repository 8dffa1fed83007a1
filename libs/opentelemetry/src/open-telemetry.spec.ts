// What spans of publishes say of their outcome and of their connection, when a plugin is given to one, to several, or to one
// after another.
import { afterAll, beforeEach, expect, it } from '@jest/globals';
import { SpanStatusCode } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node';
import {
  Delivery,
  HEADER,
  type BrokerEventOf,
  type HandlerInfo,
  type Plugin,
  type PluginHost,
  type PublishContext,
  type PublishResult,
} from '@warren/amqp';
import { openTelemetry } from './open-telemetry.js';

const exporter = new InMemorySpanExporter();
const tracerProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
beforeEach(() => exporter.reset());
afterAll(() => tracerProvider.shutdown());

type Connected = BrokerEventOf<'connected'>;

/** Starts the plugin as a broker object does; returns what tells it of a connection. */
function started(plugin: Plugin): (event: Omit<Connected, 'kind'>) => void {
  const listeners: ((event: Connected) => void)[] = [];
  const on = (listener: (event: never) => void): (() => void) => {
    listeners.push(listener as (event: Connected) => void);
    return () => undefined;
  };
  void plugin.start?.({ on } as unknown as PluginHost);
  return (event) => {
    for (const listener of listeners) listener({ kind: 'connected', ...event });
  };
}

/** The span of a publish that ends with `result`. */
async function spanOf(
  plugin: Plugin,
  result: Promise<PublishResult> = Promise.resolve({ messageId: '1', routed: true }),
  more: Partial<PublishContext> = {},
): Promise<ReadableSpan> {
  const publish = plugin.publish?.(() => result);
  const message = { kind: 'publish', exchange: 'events', routingKey: 'a', properties: {}, ...more };
  await publish?.(message as PublishContext).catch(() => undefined);
  const spans = exporter.getFinishedSpans();
  return spans[spans.length - 1];
}

/** What it says of its connection. */
async function connectionOf(plugin: Plugin): Promise<object> {
  const { attributes } = await spanOf(plugin);
  return Object.fromEntries(
    Object.entries(attributes).filter(([name]) => /client|server|network/.test(name)),
  );
}

const at = (service: string): Omit<Connected, 'kind'> => ({
  connection: `${service}:publish`,
  endpoint: 'amqp://[::1]:5672/main',
  peer: { address: '::1', port: 5672 },
});

it('says what became of a publish: no queue, sent again, nacked before, failed', async () => {
  const plugin = openTelemetry({ tracerProvider });
  const again = await spanOf(
    plugin,
    Promise.resolve({ messageId: '1', routed: false, resent: 2, nacked: 1 }),
  );
  expect(again.attributes).toMatchObject({
    'warren.routed': false,
    'warren.resent': 2,
    'warren.nacked': 1,
  });
  const failed = await spanOf(plugin, Promise.reject(new RangeError('too many')));
  expect(failed.attributes).toMatchObject({ 'error.type': 'RangeError' });
  expect(failed.attributes).not.toHaveProperty('warren.routed');
  expect(failed.status).toEqual({ code: SpanStatusCode.ERROR, message: 'too many' });
});

it('names the connection that publishes, and the node that it leads to', async () => {
  const plugin = openTelemetry({ tracerProvider });
  const connected = started(plugin);
  expect(await connectionOf(plugin)).toEqual({});
  connected(at('shop'));
  connected({ ...at('shop'), connection: 'shop:consume', endpoint: 'amqp://other:1/' });
  expect(await connectionOf(plugin)).toEqual({
    'messaging.client.id': 'shop:publish',
    'server.address': '::1',
    'server.port': 5672,
    'network.peer.address': '::1',
    'network.peer.port': 5672,
  });
});

it('names none while it belongs to several, and the new one after a restart', async () => {
  const plugin = openTelemetry({ tracerProvider });
  started(plugin)(at('shop'));
  const second = started(plugin);
  second(at('mail'));
  expect(await connectionOf(plugin)).toEqual({});
  void plugin.stop?.();
  void plugin.stop?.();
  started(plugin)(at('shop'));
  expect(await connectionOf(plugin)).toMatchObject({ 'messaging.client.id': 'shop:publish' });
});

it('shows the ids of calls that others may see: the chain, and the message id unless it finds a stored reply', async () => {
  const plugin = openTelemetry({ tracerProvider });
  const idsOf = async (more: Partial<PublishContext>): Promise<unknown[]> => {
    const { attributes } = await spanOf(plugin, undefined, more);
    return [attributes['messaging.message.id'], attributes['messaging.message.conversation_id']];
  };
  const properties = { messageId: 'm', correlationId: 'c', headers: {} };
  expect(await idsOf({ properties })).toEqual(['m', 'c']);
  for (const kind of ['request', 'stream', 'gather'] as const) {
    expect(await idsOf({ kind, properties })).toEqual(['m', undefined]);
    const inChain = { ...properties, headers: { [HEADER.correlation]: 'chain' } };
    expect(await idsOf({ kind, properties: inChain })).toEqual(['m', 'chain']);
  }
  expect(await idsOf({ kind: 'request', idempotent: true, properties })).toEqual([undefined, undefined]);
});

it('shows the same of an attempt at a call', async () => {
  const plugin = openTelemetry({ tracerProvider });
  const idsOf = async (kind: HandlerInfo['kind'], idempotent: boolean): Promise<unknown[]> => {
    const properties = { messageId: 'm', correlationId: 'c', replyTo: 'r', headers: {} };
    const message = { content: Buffer.from(''), exchange: '', routingKey: 'q' };
    const delivery = new Delivery({ ...message, redelivered: false, deliveryTag: 1, properties }, 'q', {
      settle: () => undefined,
      warn: () => undefined,
    });
    const info = { id: 'h', service: 's', kind, queue: 'q', patterns: ['q'] } as unknown as HandlerInfo;
    const run = plugin.delivery?.((one) => {
      one.call = { idempotent } as NonNullable<Delivery['call']>;
      return { kind: 'ack' };
    }, info);
    await run?.(delivery);
    const { attributes } = exporter.getFinishedSpans()[0];
    exporter.reset();
    return [attributes['messaging.message.id'], attributes['messaging.message.conversation_id']];
  };
  expect(await idsOf('rpc', false)).toEqual(['m', undefined]);
  expect(await idsOf('rpc', true)).toEqual([undefined, undefined]);
  expect(await idsOf('consume', false)).toEqual(['m', undefined]);
});
