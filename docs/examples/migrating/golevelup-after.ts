// The same shop and till with Warren, on the same exchange and the same queues: each half speaks to the old other half.
// #region server
import 'reflect-metadata';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, RpcException } from '@nestjs/microservices';
import { Publisher, RabbitModule, RpcHandler, RpcRemoteError, Subscribe } from '@warren/nestjs';

const deadLetters = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'shop.orders.dead' };

@Injectable()
export class Shop {
  readonly orders: unknown[] = [];

  @RpcHandler('price.quote', { exchange: 'shop' })
  quote(@Payload() { sku }: { sku: string }): { cents: number } {
    if (sku === 'gone') throw new RpcException('sold out');
    return { cents: sku.length * 10 };
  }

  @Subscribe('order.*', { queue: 'shop.orders', arguments: deadLetters, retry: false })
  onOrder(@Payload() order: { sku: string }): void {
    if (order.sku === 'broken') throw new Error('cannot be sold');
    this.orders.push(order);
  }
}

// The exchange is a topic exchange called `shop`, the queues are as the broker makes them when nobody names a type.
const rabbit = RabbitModule.forRoot({ exchange: 'shop', queueType: 'default', prefetch: 32 });

@Module({ imports: [rabbit], providers: [Shop] })
class ShopModule {}

export function serve(): Promise<INestApplicationContext> {
  return NestFactory.createApplicationContext(ShopModule);
}
// #endregion

// #region client
@Injectable()
export class Till {
  constructor(private readonly publisher: Publisher) {}

  async quote(sku: string): Promise<string> {
    try {
      const { cents } = await this.publisher.request<{ cents: number }>(
        'price.quote',
        { sku },
        { exchange: 'shop', timeout: '1s' },
      );
      return `${sku} costs ${cents}`;
    } catch (error) {
      const { message } = error as Error;
      return `no ${sku}: ${error instanceof RpcRemoteError ? error.remoteMessage : message}`;
    }
  }

  async place(sku: string): Promise<void> {
    await this.publisher.publish('order.placed', { sku });
  }
}

@Module({ imports: [rabbit], providers: [Till] })
export class TillModule {}
// #endregion
