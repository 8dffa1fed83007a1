// Tests of applications that talk to no broker, and the hooks in which an application may publish. On Nest 12 and (in
// the project nest11) on Nest 11.

import { describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Consume,
  getBrokerToken,
  getRabbitOptionsToken,
  Publisher,
  RabbitModule,
  Subscribe,
  type Broker,
} from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { apps } from '../support/nest.js';

describe('an application whose publisher was replaced', () => {
  @Injectable()
  class Checkout {
    constructor(readonly publisher: Publisher) {}
    @Consume('orders')
    place(): void {}
  }

  const nowhere = { url: 'amqp://127.0.0.1:1', startupTimeout: 300, service: 'shop' };

  const compile = (consumers: boolean): Promise<TestingModule> =>
    Test.createTestingModule({ imports: [RabbitModule.forRoot(nowhere)], providers: [Checkout] })
      .overrideProvider(Publisher)
      .useValue({ publish: () => Promise.resolve('pretended') })
      .overrideProvider(getRabbitOptionsToken())
      .useValue({ ...nowhere, consumers })
      .setLogger({ log() {}, warn() {}, error() {} })
      .compile();

  it('stays closed when it consumes nothing', async () => {
    const app = await compile(false);
    apps.push(app);
    await app.init();
    expect(await app.get(Checkout).publisher.publish('order.placed', 1)).toBe('pretended');
    const { connections } = app.get<Broker>(getBrokerToken()).status();
    expect(connections.every(({ state }) => state === 'idle')).toBe(true);
  });

  it('still wants its broker for handlers', async () => {
    const app = await compile(true);
    // Not closed afterwards: what could not be opened has closed itself, and Nest 11 repeats its error.
    await expect(app.init()).rejects.toMatchObject({ name: 'ConnectionRefusedError' });
  });
});

onEachBroker('the first start on an empty vhost', (broker) => {
  it('routes what is published in onModuleInit to its own handlers', async () => {
    const got = new Collector<unknown>();
    let receipts: Promise<{ routed: boolean | undefined }[]> = Promise.resolve([]);
    @Injectable()
    class Early implements OnModuleInit {
      constructor(private readonly publisher: Publisher) {}
      onModuleInit(): void {
        const all = Array.from({ length: 20 }, (_, n) =>
          n % 2 ? this.publisher.publish('early.born', n) : this.publisher.send('early.work', n),
        );
        receipts = Promise.all(all);
      }
      @Subscribe('early.*')
      event(@Payload() n: number): void {
        got.push(n);
      }
      @Consume('early.work')
      work(@Payload() n: number): void {
        got.push(n);
      }
    }
    @Module({
      imports: [
        RabbitModule.forRoot({ url: await broker.addVhost(), service: 'early', queueType: 'classic' }),
      ],
      providers: [Early],
    })
    class AppModule {}
    apps.push(await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false }));
    expect((await receipts).filter(({ routed }) => routed)).toHaveLength(20);
    expect((await got.take(20)).map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    );
  });
});
