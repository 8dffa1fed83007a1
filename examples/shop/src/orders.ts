// The service `orders`: takes an order, asks stock and payments, and tells everybody how it ended.
import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Publisher, RabbitModule, RoutingKey, RpcHandler, Subscribe, eventParams } from '@warren/nestjs';
import {
  Charge,
  NoSuchOrder,
  OrderFailed,
  OrderPlaced,
  OrderShipped,
  PlaceOrder,
  Reserve,
  ShowOrder,
} from './contracts.js';

type State = 'placed' | 'shipped';

@Injectable()
export class Orders {
  // A table of a database in a real service.
  private readonly states = new Map<string, State>();

  constructor(private readonly publisher: Publisher) {}

  @RpcHandler(PlaceOrder)
  async place(
    @Payload() { sku, count, card }: { sku: string; count: number; card: string },
  ): Promise<{ id: string; cents: number }> {
    const params = { id: randomUUID() };
    const { cents } = await this.publisher.request(Reserve, { sku, count });
    try {
      await this.publisher.request(Charge, { card, cents });
    } catch (error) {
      await this.publisher.publish(OrderFailed, { sku, count }, { params });
      throw error; // SoldOut and CardDeclined reach the caller as they are
    }
    this.states.set(params.id, 'placed');
    await this.publisher.publish(OrderPlaced, { sku, count }, { params });
    return { id: params.id, cents };
  }

  @RpcHandler(ShowOrder)
  show(@Payload() { id }: { id: string }): { id: string; state: State } {
    const state = this.states.get(id);
    if (state === undefined) throw new NoSuchOrder(id);
    return { id, state };
  }

  @Subscribe(OrderShipped)
  shipped(@Payload() _: unknown, @RoutingKey() key: string): void {
    const id = eventParams(OrderShipped, key)?.id;
    if (id !== undefined) this.states.set(id, 'shipped');
  }
}

@Module({
  imports: [RabbitModule.forRoot({ service: 'orders', development: 'embedded' })],
  providers: [Orders],
})
export class OrdersModule {}
