// An HTTP application that also talks over RabbitMQ: one class may serve both, what is global for HTTP
// stays away from messages, and schemas of any library guard payloads.

import { afterEach, expect, it } from '@jest/globals';
import { Body, Controller, Module, Post, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler, type BrokerEvent } from '@warren/nestjs';
import { z } from 'zod';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';

const Order = z.object({ id: z.coerce.number(), sku: z.string().min(1) });
type Order = z.infer<typeof Order>;

const placed: Order[] = [];

@Controller('orders')
class Orders {
  constructor(private readonly publisher: Publisher) {}

  @Post()
  async create(@Body() body: unknown): Promise<{ queued: boolean; price: number }> {
    const price = await this.publisher.request<number>('price', body);
    const { routed } = await this.publisher.send('http.orders', body);
    return { queued: routed, price };
  }

  @Consume('http.orders', { schema: Order })
  place(@Payload() order: Order): void {
    placed.push(order);
  }

  @RpcHandler('price', { schema: Order })
  price(@Payload() order: Order): number {
    return order.id * 10;
  }
}

onEachBroker('an HTTP application', (broker) => {
  let app: INestApplication | undefined;
  afterEach(() => app?.close());

  async function start(): Promise<{ url: string; events: BrokerEvent[]; publisher: Publisher }> {
    @Module({
      imports: [RabbitModule.forRoot({ url: broker.url, service: 'http', queueType: 'classic' })],
      controllers: [Orders],
    })
    class AppModule {}
    app = await NestFactory.create(AppModule, { logger: false });
    // Looks at the HTTP response, so it would fail on every message if it ran there.
    app.useGlobalInterceptors({
      intercept: (context, next) => {
        context
          .switchToHttp()
          .getResponse<{ setHeader(name: string, value: string): void }>()
          .setHeader('x-seen', 'yes');
        return next.handle();
      },
    });
    await app.listen(0, '127.0.0.1');
    const publisher = app.get(Publisher);
    const events: BrokerEvent[] = [];
    publisher.on((event) => events.push(event));
    return { url: await app.getUrl(), events, publisher };
  }

  it('publishes and calls from a request, and handles messages in the same class', async () => {
    const { url } = await start();
    const before = placed.length;
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: '7', sku: 'carrot' }),
    });
    expect(response.headers.get('x-seen')).toBe('yes');
    expect(await response.json()).toEqual({ queued: true, price: 70 });
    // The schema's output is what the handler gets: the id became a number.
    await until(() => placed.length > before, 'the order');
    expect(placed.at(-1)).toEqual({ id: 7, sku: 'carrot' });
  });

  it('a payload that does not fit its schema is dead-lettered, and a caller learns why', async () => {
    const { publisher, events } = await start();
    await publisher.send('http.orders', { id: 1, sku: '' });
    const handled = await until(
      () => events.find((event) => event.kind === 'handled' && event.queue === 'http.orders'),
      'the verdict',
    );
    expect(handled).toMatchObject({ verdict: { kind: 'dead-letter', reason: 'undecodable' } });
    await expect(publisher.request('price', { id: 1 })).rejects.toMatchObject({
      remoteName: 'DecodeError',
      remoteMessage: expect.stringContaining('sku') as unknown,
    });
  });
});
