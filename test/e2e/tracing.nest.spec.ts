// Spans of @warren/opentelemetry as an exporter gets them, from a Nest application: what is in one trace, what is linked,
// and what is not there. On Nest 12 and (in the project nest11) on Nest 11.

import 'reflect-metadata';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseGuards,
  type CanActivate,
  type INestApplicationContext,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { context, propagation, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { AmqplibInstrumentation } from '@opentelemetry/instrumentation-amqplib';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node';
import {
  Consume,
  DeadLetters,
  event,
  Publisher,
  RabbitBatchContext,
  RabbitContext,
  RabbitModule,
  RpcHandler,
  Subscribe,
  type BrokerLogger,
} from '@warren/nestjs';
import { openTelemetry } from '@warren/opentelemetry';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { inOrder, spanTree } from '../support/span-tree.js';

const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
const tracer = trace.getTracer('test');

const created = event('order.{id}.created');
/** Of what handlers saw: the span that was active where. */
const seen: Record<string, string | undefined> = {};
const activeSpan = (): string | undefined => trace.getActiveSpan()?.spanContext().spanId;

@Injectable()
class Looks implements CanActivate {
  canActivate(): boolean {
    seen.guard = activeSpan();
    return true;
  }
}

@Controller()
class Orders {
  constructor(@Inject(Publisher) private readonly publisher: Publisher) {}

  @Subscribe(created, { queue: 'orders' })
  async place(@Payload() order: unknown): Promise<void> {
    await this.publisher.send('mails', order);
  }

  @Consume('mails')
  mail(): void {
    seen.mailed = 'yes';
  }

  @Consume('flaky', { retry: { attempts: 3, delays: [20] } })
  flaky(@Ctx() { attempt }: RabbitContext): void {
    if (attempt < 3) throw new RangeError('not yet');
  }

  @Consume('steady', {
    retry: { attempts: 2, delays: [20] },
    plugins: { opentelemetry: { parent: 'child' } },
  })
  steady(@Ctx() { attempt }: RabbitContext): void {
    if (attempt < 2) throw new RangeError('not yet');
  }

  @Consume('later')
  later(): void {
    seen.tenant = propagation.getActiveBaggage()?.getEntry('tenant')?.value;
    seen.sampled = String(trace.getActiveSpan()?.spanContext().traceFlags);
  }

  @Consume('failing', { retry: { attempts: 1 } })
  failing(@Ctx() { headers }: RabbitContext): void {
    if (headers['x-warren-replayed'] === undefined) throw new TypeError('no such customer');
  }

  @Consume('lists', { batch: { size: 3, wait: '1m' }, retry: { attempts: 1 } })
  lists(@Ctx() { items }: RabbitBatchContext): void {
    seen.listTenant = propagation.getActiveBaggage()?.getEntry('tenant')?.value;
    items[1].reject('not this one');
  }

  @Subscribe('news.#', { broadcast: true })
  news(): void {}

  @RpcHandler('price')
  price(@Payload() good: string): number {
    if (good === 'air') throw new RangeError('no price');
    return 3;
  }

  @RpcHandler('count')
  async *count(): AsyncGenerator<number> {
    for (let n = 1; n <= 3; n++) yield await Promise.resolve(n);
  }

  @RpcHandler('slow')
  async slow(@Ctx() { signal }: RabbitContext): Promise<void> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }
}

@Controller({ scope: Scope.REQUEST })
class Scoped {
  constructor() {
    seen.constructed = activeSpan();
  }

  @Consume('scoped')
  @UseGuards(Looks)
  run(): void {
    seen.handler = activeSpan();
  }
}

onEachBroker('traces', (broker) => {
  const apps: INestApplicationContext[] = [];
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const logger: BrokerLogger = { log: write, warn: write, error: write };

  beforeEach(() => {
    exporter.reset();
    lines.length = 0;
    for (const name of Object.keys(seen)) delete seen[name];
  });

  afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())));

  async function start(): Promise<Publisher> {
    @Module({
      imports: [
        RabbitModule.forRoot({
          url: broker.url,
          service: 'traced',
          exchange: 'orders',
          queueType: 'classic',
          plugins: [openTelemetry()],
          logger,
        }),
      ],
      controllers: [Orders, Scoped],
    })
    class AppModule {}
    // Whoever starts inside a span must not be the parent of all that is handled later.
    const app = await tracer.startActiveSpan('boot', async (span) => {
      const made = await NestFactory.createApplicationContext(AppModule, {
        logger: false,
        abortOnError: false,
      });
      span.end();
      return made;
    });
    apps.push(app);
    exporter.reset();
    return app.get(Publisher);
  }

  it('nested publish, active everywhere: one trace from the publish over the handler to what it publishes', async () => {
    const publisher = await start();
    await publisher.publish(created, { id: 7 }, { params: { id: 7 } });
    const [publish, place, send, mail] = await spans(4);
    expect(tree(exporter.getFinishedSpans())).toBe(
      ['publish orders:order.{id}.created', '  process orders', '    send mails', '      process mails'].join(
        '\n',
      ),
    );
    const server = (connection: string): object => ({
      'messaging.client.id': `traced:${connection}`,
      'server.address': new URL(broker.url).hostname,
      'server.port': portOf(broker),
      'network.peer.address': '127.0.0.1',
      'network.peer.port': portOf(broker),
    });
    expect(publish.kind).toBe(SpanKind.PRODUCER);
    expect(publish.attributes).toEqual({
      'messaging.system.name': 'rabbitmq',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders:order.7.created',
      'messaging.destination.template': 'orders:order.{id}.created',
      'messaging.message.id': expect.any(String),
      'rabbitmq.destination.routing_key': 'order.7.created',
      'warren.routed': true,
      ...server('publish'),
    });
    expect(place.kind).toBe(SpanKind.CONSUMER);
    expect(place.attributes).toEqual({
      'messaging.system.name': 'rabbitmq',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders:order.7.created:orders',
      'messaging.destination.template': 'orders',
      'messaging.message.id': publish.attributes['messaging.message.id'],
      'rabbitmq.destination.routing_key': 'order.7.created',
      'rabbitmq.message.delivery_tag': 1,
      'code.function.name': 'Orders.place',
      'warren.attempt': 1,
      'warren.attempts': expect.any(Number),
      'warren.verdict': 'ack',
      ...server('consume'),
    });
    expect(send.attributes['messaging.destination.name']).toBe('mails');
    expect(mail.attributes['messaging.destination.name']).toBe('mails');

    await publisher.send('scoped', 1);
    const span = await named('process scoped');
    expect(seen).toMatchObject({
      guard: span.spanContext().spanId,
      constructed: span.spanContext().spanId,
      handler: span.spanContext().spanId,
    });
  });

  it('retry: what is tried again is a trace of its own, linked to the publish and to the attempt before', async () => {
    const publisher = await start();
    await publisher.send('flaky', 1);
    const [send, first, second, third] = await spans(4);
    expect([first, second, third].map(({ attributes }) => attributes['warren.attempt'])).toEqual([1, 2, 3]);
    expect(first.parentSpanContext?.spanId).toBe(idOf(send));
    expect(first.attributes).toMatchObject({ 'warren.verdict': 'retry', 'error.type': 'RangeError' });
    expect(first.attributes['warren.retry.after_ms']).toBeGreaterThan(0);
    expect(first.status).toEqual({ code: SpanStatusCode.ERROR, message: 'not yet' });
    expect(first.events.map(({ name }) => name)).toEqual(['exception']);
    expect(second.parentSpanContext).toBeUndefined();
    expect(linksOf(second)).toEqual([`attempt ${idOf(first)}`, `created ${idOf(send)}`]);
    expect(linksOf(third)).toEqual([`attempt ${idOf(second)}`, `created ${idOf(send)}`]);
    expect(new Set([first, second, third].map(traceOf)).size).toBe(3);
    expect(third.status.code).toBe(SpanStatusCode.UNSET);
    expect(lines.find((line) => line.includes('failed on'))).toContain(
      `(attempt 1 of 3) [trace ${traceOf(first)}, span ${idOf(first)}]: RangeError: not yet`,
    );
  });

  it('retry of a handler that wants children: one trace', async () => {
    const publisher = await start();
    await publisher.send('steady', 1);
    const [send, first, second] = await spans(3);
    expect([first, second].map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([
      idOf(send),
      idOf(send),
    ]);
    expect(linksOf(second)).toEqual([`attempt ${idOf(first)}`]);
  });

  it('delay, baggage: what waited is a trace of its own, linked, and its baggage is there', async () => {
    const publisher = await start();
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    await context.with(propagation.setBaggage(context.active(), baggage), () =>
      publisher.send('later', 1, { delay: 50 }),
    );
    const [send, later] = await spans(2);
    expect(later.parentSpanContext).toBeUndefined();
    expect(linksOf(later)).toEqual([`created ${idOf(send)}`]);
    expect(seen.tenant).toBe('acme');
  });

  it('batch: one span with a link for each message, and the baggage that they share', async () => {
    const publisher = await start();
    for (const [n, region] of ['eu', 'us', 'eu'].entries()) {
      const baggage = propagation.createBaggage({ tenant: { value: 'acme' }, region: { value: region } });
      await context.with(propagation.setBaggage(context.active(), baggage), () => publisher.send('lists', n));
    }
    const all = await spans(4);
    const batch = await named('process lists');
    const sends = all.filter(({ name }) => name === 'send lists');
    expect(batch.parentSpanContext).toBeUndefined();
    expect(linksOf(batch)).toEqual(sends.map((send) => `created ${idOf(send)}`));
    expect(seen.listTenant).toBe('acme');
    expect(batch.attributes).toMatchObject({
      'messaging.batch.message_count': 3,
      'messaging.destination.name': 'lists',
      'warren.verdict': 'dead-letter',
    });
    expect(batch.attributes).not.toHaveProperty('messaging.message.id');
    expect(batch.events.filter(({ name }) => name === 'warren.batch.failed')).toEqual([
      expect.objectContaining({
        attributes: {
          'messaging.message.id': sends[1].attributes['messaging.message.id'],
          'warren.verdict': 'dead-letter',
          'error.type': 'Reject',
        },
      }),
    ]);
  });

  it('dead letter, replay: the letter names its trace and span, and a replay links to them', async () => {
    const publisher = await start();
    await publisher.send('failing', 1);
    const [send, failed] = await spans(2);
    expect(failed.attributes).toMatchObject({
      'warren.verdict': 'dead-letter',
      'warren.dead_letter.reason': 'attempts-exhausted',
      'warren.dead_letter.queue': 'failing.dead',
      'error.type': 'TypeError',
    });
    const letters = new DeadLetters({ url: broker.url });
    await until(async () => (await letters.count('failing')) === 1, 'the dead letter');
    for await (const letter of letters.peek('failing')) {
      expect(letter).toMatchObject({ traceId: traceOf(failed), spanId: idOf(failed) });
    }
    await letters.replay('failing');
    const replayed = await named('process failing', 1);
    expect(replayed.parentSpanContext).toBeUndefined();
    expect(linksOf(replayed)).toEqual([`attempt ${idOf(failed)}`, `created ${idOf(send)}`]);
  });

  it('RPC: client and server in one trace, with errors, cancels and time-outs', async () => {
    const publisher = await start();
    expect(await publisher.request('price', 'bread', { timeout: 5_000 })).toBe(3);
    const [client, server] = await spans(2);
    expect([client.name, client.kind, server.name, server.kind]).toEqual([
      'price',
      SpanKind.CLIENT,
      'price',
      SpanKind.SERVER,
    ]);
    expect(server.parentSpanContext?.spanId).toBe(idOf(client));
    expect(client.attributes).toMatchObject({
      'rpc.system.name': 'warren',
      'rpc.method': 'price',
      'messaging.message.id': expect.any(String),
      'messaging.client.id': 'traced:publish',
      'network.peer.port': portOf(broker),
      'warren.rpc.timeout_ms': 5_000,
    });
    expect(server.attributes).toMatchObject({
      'messaging.client.id': 'traced:consume',
      'rpc.method': 'price',
      'code.function.name': 'Orders.price',
      'messaging.message.id': client.attributes['messaging.message.id'],
    });
    // Whoever knows the correlation id of a call can reply to it.
    for (const { attributes } of [client, server]) {
      expect(attributes).not.toHaveProperty('messaging.message.conversation_id');
    }

    exporter.reset();
    await publisher.request('price', 'air').catch(() => undefined);
    const [asked] = await spans(2);
    expect(asked.attributes['error.type']).toBe('RangeError');
    expect(asked.status.code).toBe(SpanStatusCode.ERROR);

    exporter.reset();
    const abort = new AbortController();
    const cancelled = publisher.request('slow', 1, { signal: abort.signal }).catch(() => undefined);
    await until(() => publisher.status().consumers.some(isBusy), 'the handler to run');
    abort.abort();
    await cancelled;
    for (const span of await spans(2)) {
      expect([span.name, span.events.map(({ name }) => name)]).toEqual([
        'slow',
        expect.arrayContaining(['warren.rpc.cancelled']),
      ]);
    }

    exporter.reset();
    await publisher.request('slow', 1, { timeout: 300 }).catch(() => undefined);
    const [late] = await spans(2);
    expect(late.events.map(({ name }) => name)).toContain('warren.rpc.deadline_exceeded');
  });

  it('stream: one span on each side that counts the items', async () => {
    const publisher = await start();
    const items: unknown[] = [];
    for await (const item of publisher.stream('count', 1)) items.push(item);
    expect(items).toEqual([1, 2, 3]);
    const [client, server] = await spans(2);
    expect(server.parentSpanContext?.spanId).toBe(idOf(client));
    for (const span of [client, server]) expect(span.attributes['warren.rpc.items']).toBe(3);
  });

  it('broadcast: each instance has a trace of its own, linked, under a name without its queue', async () => {
    const publisher = await start();
    await start();
    await publisher.publish('news.today', 1);
    const all = await spans(3);
    const handled = all.filter(({ name }) => name === 'process news.#');
    const [publish] = all.filter((span) => !handled.includes(span));
    expect(handled).toHaveLength(2);
    for (const span of handled) {
      expect(span.parentSpanContext).toBeUndefined();
      expect(linksOf(span)).toEqual([`created ${idOf(publish)}`]);
      expect(span.attributes['messaging.destination.temporary']).toBe(true);
    }
  });

  it('a context that somebody put into a message stays, and the span of its publish links to it', async () => {
    const publisher = await start();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await publisher.send('mails', 1, { headers: { traceparent } });
    // By name: both may begin within one millisecond, and none is the parent of the other.
    const [send, mail] = [await named('send mails'), await named('process mails')];
    expect(linksOf(send)).toEqual(['created b7ad6b7169203331']);
    expect(mail.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(traceOf(mail)).toBe('0af7651916cd43dd8448eb211c80319c');
  });

  it('sampled out: nothing is recorded, and the context goes on', async () => {
    const publisher = await start();
    const unsampled = trace.setSpanContext(context.active(), {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.NONE,
    });
    await context.with(unsampled, async () => {
      await publisher.send('later', 1, { delay: 20 });
      await publisher.send('flaky', 1);
    });
    await until(() => seen.sampled !== undefined, 'the handler to run');
    expect(seen.sampled).toBe('0');
    await until(() => lines.filter((line) => line.includes('failed on')).length === 2, 'both failures');
    await publisher.send('mails', 1);
    expect((await spans(2)).map(({ name }) => name)).toEqual(['send mails', 'process mails']);
  });

  it('public path: instrumentation-amqplib sees the channels of others, and not ours a second time', async () => {
    const connection = await broker.connect();
    const [plain, confirm] = [await connection.createChannel(), await connection.createConfirmChannel()];
    const instrumentation = new AmqplibInstrumentation({ enabled: false }) as unknown as Patcher;
    const model = { Channel: plain.constructor, ConfirmChannel: confirm.constructor };
    instrumentation.patchChannelModel(model);
    process.env.WARREN_DATA_PLANE = 'amqplib';
    try {
      const publisher = await start();
      await publisher.publish(created, { id: 7 }, { params: { id: 7 } });
      await publisher.request('price', 'bread');
      await spans(6);
      await named('process mails');
      expect(tree(exporter.getFinishedSpans())).toBe(
        [
          'publish orders:order.{id}.created',
          '  process orders',
          '    send mails',
          '      process mails',
          'price',
          '  price',
        ].join('\n'),
      );
      plain.sendToQueue('mails', Buffer.from('1'), { contentType: 'application/json' });
      const foreign = await until(
        () =>
          exporter
            .getFinishedSpans()
            .find(({ name }) => name.startsWith('publish ') && !name.includes('orders')),
        'the span of the foreign channel',
      );
      expect((await named('process mails', 1)).parentSpanContext?.spanId).toBe(idOf(foreign));
    } finally {
      instrumentation.unpatchChannelModel(model);
      delete process.env.WARREN_DATA_PLANE;
    }
  });
});

/** Waits for so many spans; in the order in which they began. */
async function spans(count: number): Promise<ReadableSpan[]> {
  const there = (): ReadableSpan[] => exporter.getFinishedSpans();
  await until(() => there().length >= count, `${count} spans; there are:\n${tree(there())}`);
  return inOrder(there());
}

/** The next span of that name, once it has ended. */
function named(name: string, nth = 0): Promise<ReadableSpan> {
  const all = (): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name);
  return until(() => all()[nth], `span ${nth + 1} called '${name}'`);
}

const tree = (all: readonly ReadableSpan[]): string => spanTree(all).join('\n');

const portOf = (broker: TestBroker): number => Number(new URL(broker.url).port);

const traceOf = (span: ReadableSpan): string => span.spanContext().traceId;

/** What a span links to: `created <span id>`. */
const linksOf = ({ links }: ReadableSpan): string[] =>
  links.map(({ context: { spanId }, attributes }) => `${String(attributes?.['warren.link'])} ${spanId}`);

const idOf = (span: ReadableSpan): string => span.spanContext().spanId;

const isBusy = ({ queue, inFlight }: { readonly queue: string; readonly inFlight: number }): boolean =>
  queue === 'slow' && inFlight > 0;

/** What the instrumentation does when it sees the module that it is about. */
interface Patcher {
  patchChannelModel(model: object): void;
  unpatchChannelModel(model: object): void;
}
