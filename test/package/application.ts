// The tiny application that a stranger writes first. package.spec.ts copies it beside the packed libraries, once
// into a Nest 11 CommonJS project and once into a Nest 12 ESM project, compiles it there and runs it.
import 'reflect-metadata';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { EmbeddedBroker } from '@warren/embedded';
import { Consume, Publisher, RabbitModule, RpcHandler, Subscribe } from '@warren/nestjs';
import { RabbitHealthIndicator } from '@warren/nestjs/terminus';
import { RabbitTesting } from '@warren/nestjs/testing';

/** Notes what arrived; injected, so that dependency injection by type is part of what is shown. */
@Injectable()
class Ledger {
  readonly #waiting: ((line: string) => void)[] = [];

  next(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  note(line: string): void {
    this.#waiting.shift()?.(line);
  }
}

@Injectable()
class Orders {
  constructor(private readonly ledger: Ledger) {}

  @Consume('orders')
  place(@Payload() order: { id: number }): void {
    this.ledger.note(`order ${order.id}`);
  }

  @Subscribe('order.*.created')
  created(@Payload() event: { country: string }): void {
    this.ledger.note(`created in ${event.country}`);
  }

  @RpcHandler('price.quote')
  quote(@Payload() request: { amount: number }): { total: number } {
    return { total: request.amount * 21 };
  }
}

@Module({})
class Shop {
  static at(url: string): DynamicModule {
    const imports = [RabbitModule.forRoot({ url, service: 'shop' })];
    return { module: Shop, imports, providers: [Ledger, Orders, RabbitHealthIndicator] };
  }
}

async function main(): Promise<void> {
  const broker = await EmbeddedBroker.start({ port: 0 });
  const app = await NestFactory.createApplicationContext(Shop.at(broker.url), { logger: ['error', 'warn'] });
  const [ledger, publisher] = [app.get(Ledger), app.get(Publisher)];

  const placed = ledger.next();
  await publisher.send('orders', { id: 7 });
  console.log('send:', await placed);

  const created = ledger.next();
  const { routed } = await publisher.publish('order.eu.created', { country: 'eu' });
  console.log('publish:', await created, routed);

  const { total } = await publisher.request<{ total: number }>('price.quote', { amount: 2 });
  console.log('request:', total);

  // Terminus itself is not installed here: the indicator needs nothing of it.
  const { rabbit } = app.get(RabbitHealthIndicator).ready();
  console.log('health:', rabbit.status, Object.keys(rabbit.connections.default?.consumers ?? {}).length);

  console.log('testing:', typeof RabbitTesting.start);
  await app.close();
  await broker.close();
  console.log('OK');
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
