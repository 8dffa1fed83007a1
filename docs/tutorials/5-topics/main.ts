// Topics: routing keys of several words, and patterns over them.
// #region handlers
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Publisher, RabbitModule, RoutingKey, Subscribe } from '@warren/nestjs';

@Injectable()
class OrderHandlers {
  @Subscribe('order.*.created')
  onCreated(@Payload() order: { id: number }, @RoutingKey() key: string): void {
    console.log(`created: order ${order.id} (${key})`);
  }

  @Subscribe(['#.failed', 'order.us.#'])
  watch(@RoutingKey() key: string): void {
    console.log(`watched: ${key}`);
  }
}
// #endregion

// #region main
@Module({
  imports: [RabbitModule.forRoot({ service: 'billing' })],
  providers: [OrderHandlers],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();

const publisher = app.get(Publisher);
await publisher.publish('order.eu.created', { id: 1 });
await publisher.publish('order.us.created', { id: 2 });
await publisher.publish('payment.failed', { id: 1 });
// #endregion
