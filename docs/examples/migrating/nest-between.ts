// The same shop and till with Warren, still in the words of Nest's transport: each half speaks to the old other half.
// #region server
import 'reflect-metadata';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, RpcException } from '@nestjs/microservices';
import { Consume, nestPattern, Publisher, RabbitModule, RpcHandler, RpcRemoteError } from '@warren/nestjs';
import { of, type Observable } from 'rxjs';

const quote = nestPattern('price.quote');
const watch = nestPattern('price.watch');
const placed = nestPattern('order.placed');

@Injectable()
export class Shop {
  readonly orders: unknown[] = [];

  @RpcHandler('price.quote', { queue: 'shop', queueType: 'default', codec: quote })
  quote(@Payload() sku: string): number {
    if (sku === 'gone') throw new RpcException({ code: 410, message: 'sold out' });
    return sku.length * 10;
  }

  @RpcHandler('price.watch', { queue: 'shop', queueType: 'default', codec: watch })
  watch(@Payload() sku: string): Observable<number> {
    return of(sku.length * 10, sku.length * 9, sku.length * 8);
  }

  @Consume('shop', { queueType: 'default', codec: placed })
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
      const cents = await this.publisher.request<number>('shop', sku, { codec: quote, timeout: '1s' });
      return `${sku} costs ${cents}`;
    } catch (error) {
      const { message } = error as Error;
      return `no ${sku}: ${error instanceof RpcRemoteError ? error.remoteMessage : message}`;
    }
  }

  async watch(sku: string): Promise<number[]> {
    const prices: number[] = [];
    const stream = this.publisher.stream<number>('shop', sku, { codec: watch });
    for await (const price of stream) prices.push(price);
    return prices;
  }

  async place(sku: string): Promise<void> {
    await this.publisher.send('shop', { sku }, { codec: placed });
  }
}

@Module({ imports: [RabbitModule.forRoot({ service: 'till' })], providers: [Till] })
export class TillModule {}
// #endregion
