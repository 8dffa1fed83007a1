// The shop and the till in Warren's own words: a queue for each handler, the payload alone on the wire.
// #region server
import 'reflect-metadata';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, RpcException } from '@nestjs/microservices';
import { Publisher, RabbitModule, RpcHandler, RpcRemoteError, Subscribe } from '@warren/nestjs';

@Injectable()
export class Shop {
  readonly orders: unknown[] = [];

  @RpcHandler('price.quote')
  quote(@Payload() sku: string): number {
    if (sku === 'gone') throw new RpcException({ code: 410, message: 'sold out' });
    return sku.length * 10;
  }

  @RpcHandler('price.watch')
  async *watch(@Payload() sku: string): AsyncGenerator<number> {
    for (const each of [10, 9, 8]) yield await Promise.resolve(sku.length * each);
  }

  @Subscribe('order.placed')
  onOrder(@Payload() order: { sku: string }): void {
    this.orders.push(order);
  }
}

@Module({ imports: [RabbitModule.forRoot({ service: 'shop' })], providers: [Shop] })
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
      return `${sku} costs ${await this.publisher.request<number>('price.quote', sku, { timeout: '1s' })}`;
    } catch (error) {
      const { message } = error as Error;
      return `no ${sku}: ${error instanceof RpcRemoteError ? error.remoteMessage : message}`;
    }
  }

  async watch(sku: string): Promise<number[]> {
    const prices: number[] = [];
    for await (const price of this.publisher.stream<number>('price.watch', sku)) prices.push(price);
    return prices;
  }

  async place(sku: string): Promise<void> {
    await this.publisher.publish('order.placed', { sku });
  }
}

@Module({ imports: [RabbitModule.forRoot({ service: 'till' })], providers: [Till] })
export class TillModule {}
// #endregion
