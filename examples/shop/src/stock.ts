// The service `stock`: reserves goods, puts them back when an order fails, and ships them when it does not.
import { Injectable, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Publisher, RabbitModule, RoutingKey, RpcHandler, Subscribe, eventParams } from '@warren/nestjs';
import { OrderFailed, OrderPlaced, OrderShipped, Reserve, SoldOut } from './contracts.js';

const CENTS = 60;

@Injectable()
export class Stock {
  private readonly left = new Map([
    ['carrot', 5],
    ['turnip', 1],
  ]);

  constructor(private readonly publisher: Publisher) {}

  @RpcHandler(Reserve)
  reserve(@Payload() { sku, count }: { sku: string; count: number }): { cents: number } {
    const left = this.left.get(sku) ?? 0;
    if (left < count) throw new SoldOut(sku);
    this.left.set(sku, left - count);
    console.log(`stock: ${count} ${sku} reserved, ${left - count} left`);
    return { cents: count * CENTS };
  }

  @Subscribe(OrderPlaced)
  async ship(
    @Payload() { sku, count }: { sku: string; count: number },
    @RoutingKey() key: string,
  ): Promise<void> {
    const { id } = eventParams(OrderPlaced, key)!;
    console.log(`stock: ${count} ${sku} shipped`);
    await this.publisher.publish(OrderShipped, {}, { params: { id } });
  }

  @Subscribe(OrderFailed)
  putBack(@Payload() { sku, count }: { sku: string; count: number }): void {
    const left = (this.left.get(sku) ?? 0) + count;
    this.left.set(sku, left);
    console.log(`stock: ${count} ${sku} put back, ${left} left`);
  }
}

@Module({
  imports: [RabbitModule.forRoot({ service: 'stock', development: 'embedded' })],
  providers: [Stock],
})
export class StockModule {}
