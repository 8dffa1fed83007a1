// Nest's own RabbitMQ transport on the other side: its ClientProxy calls our handlers and emits to them, its
// microservices answer our requests.
import { describe, expect, it } from '@jest/globals';
import { nest, nestPattern } from '@warren/nestjs';
import { firstValueFrom } from 'rxjs';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { within } from '../support/events.js';
import { rejection } from '../support/warren.js';
import { application } from './application.js';
import { AuditHandlers, MarketHandlers, PriceHandlers, WildHandlers } from './nest-handlers.js';
import {
  ask,
  askAll,
  clientProxy,
  counted,
  emit,
  microservice,
  versions,
  type NestVersion,
} from './nest-transport.js';

onEachBroker("Nest's transport", (broker) => {
  describe.each(versions)('%s', (name, load) => {
    const queue = `stock ${name}`;
    client(broker, load);
    sharedQueue(broker, load);
    server(broker, load, queue);
    streams(broker, load, `streams ${name}`);
  });
});

function client(broker: TestBroker, load: () => NestVersion): void {
  it.each<[string, unknown, unknown]>([
    ['a value', { sku: 'a' }, { sku: 'a', price: 12.5 }],
    ['undefined', { sku: 'unknown' }, undefined],
    ['null', { sku: 'free' }, null],
  ])("ClientProxy's send gets %s from our handler", async (_name, data, answer) => {
    await application(broker.url, [PriceHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'prices');
    expect(await ask(proxy, 'quote', data)).toEqual(answer);
    expect(await ask(proxy, { cmd: 'quote' }, data)).toEqual(answer);
  });

  it('what the handler throws reaches the error callback, and an unknown error keeps its secret', async () => {
    await application(broker.url, [PriceHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'prices');
    expect(await rejection(ask(proxy, 'quote', { sku: 'gone' }))).toMatchObject({
      code: 410,
      message: 'sold out',
    });
    const secret = await rejection(ask(proxy, 'quote', { sku: 'broken' }));
    expect(secret).toMatchObject({ code: 'INTERNAL' });
    expect(JSON.stringify(secret)).not.toContain('1234');
  });

  it("ClientProxy's emit reaches our handler as the bare data", async () => {
    const { received } = await application(broker.url, [AuditHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'audit');
    for (const data of [{ id: 1 }, 'text', 0, false]) await emit(proxy, 'noted', data);
    expect(await received.take(4)).toEqual([{ id: 1 }, 'text', 0, false]);
  });

  it('JSON of other programs reaches a handler with this codec whole, also with a field named pattern', async () => {
    const { publisher, received } = await application(broker.url, [AuditHandlers]);
    await publisher.send('audit', { pattern: 'stripes', color: 'red' });
    expect(await received.one()).toEqual({ pattern: 'stripes', color: 'red' });
  });
}

function server(broker: TestBroker, load: () => NestVersion, queue: string): void {
  const asking = async (pattern: string, data: unknown): Promise<unknown> => {
    await microservice(load(), broker.url, queue);
    const { publisher } = await application(broker.url);
    return publisher.request(queue, data, { codec: nestPattern(pattern) });
  };

  it.each<[string, string, unknown, unknown]>([
    ['a value', 'stock', { sku: 'a' }, { sku: 'a', left: 3 }],
    ['undefined', 'stock', undefined, undefined],
    ['null', 'stock', null, null],
    ['the last value of a stream', 'stream', {}, 3],
  ])('a microservice answers our request with %s', async (_name, pattern, data, answer) => {
    expect(await asking(pattern, data)).toEqual(answer);
  });

  it.each<[string, string, unknown, object]>([
    ['an RpcException of facts', 'stock', { sku: 'gone' }, { remoteMessage: 'sold out', remoteCode: 410 }],
    ['an RpcException of words', 'stock', { sku: 'words' }, { remoteMessage: 'only words' }],
    ['any other error', 'stock', { sku: 'broken' }, { remoteMessage: 'Internal server error' }],
    ['an error of a stream', 'late', {}, { remoteMessage: 'too late', remoteCode: 'LATE' }],
    ['no handler', 'nobody', {}, { remoteMessage: expect.stringContaining('no matching message handler') }],
  ])('a microservice refuses our request: %s', async (_name, pattern, data, facts) => {
    expect(await rejection(asking(pattern, data))).toMatchObject({ name: 'RpcRemoteError', ...facts });
  });

  it("what we send reaches a microservice's event handler, which answers nothing", async () => {
    await microservice(load(), broker.url, queue);
    const { publisher } = await application(broker.url);
    await publisher.send(queue, { n: 1 }, { codec: nestPattern('counted') });
    expect(await counted.one()).toEqual({ n: 1 });
  });

  it('the pattern may be the name of the queue, or an object', async () => {
    await microservice(load(), broker.url, 'stock');
    const { publisher } = await application(broker.url);
    const order = { sku: 'a' };
    expect(await publisher.request('stock', order, { codec: nest })).toEqual({ sku: 'a', left: 3 });
    const sum = publisher.request('stock', [1, 2], { codec: nestPattern({ cmd: 'sum' }) });
    expect(await sum).toBe(3);
  });
}

function sharedQueue(broker: TestBroker, load: () => NestVersion): void {
  it.each<[string, unknown, unknown, unknown[]]>([
    ['a value', 'quote', 'a', ['quote of a']],
    ['a pattern that is an object', { of: 'all', cmd: 'list' }, {}, [['a', 'b']]],
    ['a generator', 'count', 3, [1, 2, 3]],
    ['a generator without items', 'count', 0, []],
    ['an Observable', 'ticks', {}, ['tick', 'tack', 'tock']],
    ['an Observable that fails', 'broken', {}, ['tick', 'tack', expect.objectContaining({ code: 'HALT' })]],
    ['nobody', 'no such', {}, [expect.objectContaining({ code: 'WARREN_NO_HANDLER' })]],
  ])("handlers that share a queue answer ClientProxy's send: %s", async (_name, pattern, data, answers) => {
    await application(broker.url, [MarketHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'market');
    expect(await askAll(proxy, pattern, data)).toEqual(answers);
  });

  it('one method serves callers of both wires', async () => {
    const { publisher } = await application(broker.url, [MarketHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'market');
    expect(await ask(proxy, 'quote', 'a')).toBe('quote of a');
    expect(await publisher.request('market.quote', 'a')).toBe('quote of a');
  });

  it('an event reaches the handler of its pattern on the shared queue', async () => {
    const { received } = await application(broker.url, [MarketHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'market');
    await emit(proxy, 'closed', { day: 1 });
    expect(await received.one()).toEqual({ day: 1 });
  });

  it('a client with wildcards reaches handlers by the keys of its exchange', async () => {
    const { received } = await application(broker.url, [WildHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'wild', { wildcards: true });
    expect(await ask(proxy, 'price.eur', 'a')).toBe('price.eur of a');
    await emit(proxy, 'order.placed.eu', { id: 1 });
    expect(await received.one()).toEqual({ id: 1 });
  });

  it('a generator ends when the client that read it is closed', async () => {
    const { received } = await application(broker.url, [MarketHandlers]);
    const proxy = await clientProxy(load(), broker.url, 'market');
    const first = await within(firstValueFrom(proxy.send<number>('endless', {})), 'the first item');
    expect(first).toBe(1);
    await proxy.close();
    expect(await received.one()).toBe('endless is over');
  });
}

/** What a microservice streams to us, and the error in the end if there is one. */
async function reading(
  { url }: TestBroker,
  version: NestVersion,
  queue: string,
  asked: { readonly pattern: string; readonly data: unknown },
): Promise<unknown[]> {
  await microservice(version, url, queue);
  const { publisher } = await application(url);
  const seen: unknown[] = [];
  const codec = nestPattern(asked.pattern);
  try {
    for await (const item of publisher.stream(queue, asked.data, { codec })) seen.push(item);
  } catch (error) {
    seen.push(error);
  }
  return seen;
}

function streams(broker: TestBroker, load: () => NestVersion, queue: string): void {
  it.each<[string, string, unknown, unknown[]]>([
    ['an Observable', 'stream', {}, [1, 2, 3]],
    ['one value', 'stock', { sku: 'a' }, [{ sku: 'a', left: 3 }]],
    ['no value', 'nothing', {}, []],
    ['a generator, of which nothing comes', 'generated', {}, [{}]],
    ['an error in the middle', 'broken', {}, [1, 2, expect.objectContaining({ remoteCode: 'HALT' })]],
  ])('a microservice streams to us: %s', async (_name, pattern, data, items) => {
    expect(await reading(broker, load(), queue, { pattern, data })).toEqual(items);
  });
}
