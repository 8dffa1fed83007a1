// The example of the README: work, an event and a call, in one application.
// #region shop
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler, Subscribe } from '@warren/nestjs';

@Injectable()
class Shop {
  constructor(private readonly publisher: Publisher) {}

  @RpcHandler('price.quote') // replies to callers; what it throws reaches them too
  quote(@Payload() sku: string): number {
    return sku.length * 10;
  }

  @Consume('orders') // each order goes to one instance; if it throws, the order is retried later
  async place(@Payload() order: { sku: string }): Promise<void> {
    const price = await this.publisher.request<number>('price.quote', order.sku);
    await this.publisher.publish('order.placed', { ...order, price });
  }

  @Subscribe('order.*') // every service gets its own copy
  onOrder(@Payload() order: { sku: string; price: number }): void {
    console.log(`${order.sku} sold for ${order.price}`);
  }
}

@Module({ imports: [RabbitModule.forRoot({ service: 'shop', development: 'embedded' })], providers: [Shop] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks(); // SIGTERM: running handlers finish first
await app.get(Publisher).send('orders', { sku: 'carrot' });
// #endregion
