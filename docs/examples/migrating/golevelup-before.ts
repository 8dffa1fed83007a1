// A shop and its till on golevelup's module: the starting point of the migration guide.
// #region server
import 'reflect-metadata';
import {
  AmqpConnection,
  MessageHandlerErrorBehavior,
  RabbitMQModule,
  RabbitPayload,
  RabbitRPC,
  RabbitSubscribe,
} from '@golevelup/nestjs-rabbitmq';
import { Injectable, Module, type DynamicModule, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

@Injectable()
export class Shop {
  readonly orders: unknown[] = [];

  @RabbitRPC({ exchange: 'shop', routingKey: 'price.quote', queue: 'price.quote' })
  quote(@RabbitPayload() { sku }: { sku: string }): { cents: number } {
    if (sku === 'gone') throw new Error('sold out');
    return { cents: sku.length * 10 };
  }

  @RabbitSubscribe({
    exchange: 'shop',
    routingKey: 'order.*',
    queue: 'shop.orders',
    queueOptions: { deadLetterExchange: '', deadLetterRoutingKey: 'shop.orders.dead' },
  })
  onOrder(@RabbitPayload() order: { sku: string }): void {
    if (order.sku === 'broken') throw new Error('cannot be sold');
    this.orders.push(order);
  }
}

const rabbit = (name: string): DynamicModule =>
  RabbitMQModule.forRoot({
    name,
    uri: process.env.RABBITMQ_URL ?? 'amqp://localhost',
    exchanges: [{ name: 'shop', type: 'topic' }],
    queues: [{ name: 'shop.orders.dead', options: { durable: true } }],
    defaultSubscribeErrorBehavior: MessageHandlerErrorBehavior.NACK,
    prefetchCount: 32,
  });

@Module({ imports: [rabbit('shop')], providers: [Shop] })
class ShopModule {}

export function serve(): Promise<INestApplicationContext> {
  return NestFactory.createApplicationContext(ShopModule);
}
// #endregion

// #region client
@Injectable()
export class Till {
  constructor(private readonly amqp: AmqpConnection) {}

  async quote(sku: string): Promise<string> {
    try {
      const { cents } = await this.amqp.request<{ cents: number }>({
        exchange: 'shop',
        routingKey: 'price.quote',
        payload: { sku },
        timeout: 1_000,
      });
      return `${sku} costs ${cents}`;
    } catch (error) {
      return `no ${sku}: ${(error as Error).message}`;
    }
  }

  async place(sku: string): Promise<void> {
    await this.amqp.publish('shop', 'order.placed', { sku }, { persistent: true });
  }
}

@Module({ imports: [rabbit('till')], providers: [Till] })
export class TillModule {}
// #endregion
