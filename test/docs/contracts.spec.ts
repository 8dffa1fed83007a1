// Who checks what: the table of docs/contracts.md, each cell by itself.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Consume, Publisher, queue, RabbitModule, rpc, RpcHandler } from '@warren/nestjs';
import { z } from 'zod';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { rejection } from '../support/warren.js';

class SoldOut extends Error {
  constructor(readonly sku: string) {
    super(`${sku} is sold out`);
  }
}

class Secret extends Error {}

const sku = z.object({ sku: z.string() });
const Orders = queue('orders', { payload: sku });
const Quote = rpc('quote', { request: sku, response: z.object({ cents: z.number() }), errors: [SoldOut] });
const handled: unknown[] = [];

@Injectable()
class Shop {
  @Consume(Orders)
  place(order: { sku: string }): void {
    handled.push(order);
  }

  @RpcHandler(Quote)
  quote(request: { sku: string }): { cents: number } {
    handled.push(request);
    if (request.sku === 'gone') throw new SoldOut('gone');
    if (request.sku === 'secret') throw new Secret('of nobody');
    return { cents: request.sku === 'priceless' ? (null as never) : 60 };
  }
}

onEachBroker('contracts are checked at both ends', (broker) => {
  let app: INestApplicationContext;

  afterEach(async () => {
    await app.close();
    handled.length = 0;
  });

  async function start(): Promise<Publisher> {
    @Module({ imports: [RabbitModule.forRoot({ url: broker.url, service: 'agreed' })], providers: [Shop] })
    class AppModule {}
    app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    return app.get(Publisher);
  }

  const wrong = { sku: 7 } as never;

  describe('a message that does not fit', () => {
    it('is not sent', async () => {
      const publisher = await start();
      expect(await rejection(publisher.send(Orders, wrong))).toMatchObject({ code: 'WARREN_ENCODE' });
      expect(await rejection(publisher.request(Quote, wrong))).toMatchObject({ code: 'WARREN_ENCODE' });
      expect(handled).toEqual([]);
    });

    it('is dead-lettered when somebody else sends it', async () => {
      const publisher = await start();
      await publisher.send('orders', wrong);
      const channel = await (await broker.connect()).createChannel();
      await until(async () => (await channel.checkQueue('orders.dead')).messageCount > 0, 'the dead letter');
      const letter = await channel.get('orders.dead', { noAck: true });
      expect(letter && letter.properties.headers).toMatchObject({ 'x-warren-reason': 'undecodable' });
      expect(handled).toEqual([]);
    });

    it('is refused when somebody else asks with it', async () => {
      const publisher = await start();
      const error = await rejection(publisher.request('quote', wrong));
      expect(error).toMatchObject({ code: 'WARREN_RPC_REMOTE', remoteCode: 'WARREN_DECODE' });
      expect(handled).toEqual([]);
    });
  });

  it('an answer that does not fit is an error, of the server or of a caller who expects more', async () => {
    const publisher = await start();
    expect(await rejection(publisher.request(Quote, { sku: 'priceless' }))).toMatchObject({
      code: 'WARREN_RPC_REMOTE',
      remoteCode: 'WARREN_ENCODE',
    });
    const Newer = rpc('quote', { response: z.object({ cents: z.number(), currency: z.string() }) });
    expect(await rejection(publisher.request(Newer, { sku: 'a' }))).toMatchObject({ code: 'WARREN_DECODE' });
  });

  it('errors of the contract arrive as what they are, others masked', async () => {
    const publisher = await start();
    const known = await rejection(publisher.request(Quote, { sku: 'gone' }));
    expect(known).toBeInstanceOf(SoldOut);
    expect(known).toMatchObject({ message: 'gone is sold out', sku: 'gone' });
    const other = await rejection(publisher.request(Quote, { sku: 'secret' }));
    expect(other).toMatchObject({ remoteName: 'Secret', remoteCode: 'INTERNAL' });
    expect(other.message).not.toContain('of nobody');
  });
});
