// One handler over several queues: the order of a key is kept, in one process and across them; and a stream that
// everybody reads.
import { applyDecorators, Injectable, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  Consume,
  InjectPublisher,
  RabbitModule,
  RoutingKey,
  type NestHandlerOptions,
  type Publisher,
} from '@warren/nestjs';

export interface Order {
  readonly customer: string;
  readonly number: number;
}

/** Where the examples leave what they did. */
export const done: string[] = [];

// #region order
@Injectable()
export class Accounts {
  @Consume('account.changes', { orderBy: { header: 'account' }, prefetch: 100, concurrency: 10 })
  async apply(@Payload() change: { readonly account: string; readonly amount: number }): Promise<void> {
    await Promise.resolve();
    done.push(`${change.account} ${change.amount}`);
  }
}
// #endregion

// #region shards
const SHARDS = [1, 2, 3, 4];
const orders = { name: 'orders', type: 'x-consistent-hash' };

/** Import it where orders are consumed, and where they are published: all shards are there before the first message. */
@Module({
  imports: [
    RabbitModule.forFeature({
      queues: SHARDS.map((shard) => ({ name: `orders.${shard}`, singleActive: true })),
      // To this type of exchange the key of a binding is a weight.
      bindings: SHARDS.map((shard) => ({ exchange: orders, queue: `orders.${shard}`, key: '1' })),
    }),
  ],
})
export class OrderQueues {}

/** One method for several queues. */
function ConsumeShards(name: string, shards: readonly number[]): MethodDecorator {
  const options: NestHandlerOptions = { singleActive: true, orderBy: 'routingKey' };
  return applyDecorators(...shards.map((shard) => Consume(`${name}.${shard}`, options)));
}

@Injectable()
export class OrderHandlers {
  @ConsumeShards('orders', SHARDS)
  place(@Payload() order: Order, @RoutingKey() customer: string): void {
    done.push(`${customer} ${order.number}`);
  }
}

@Injectable()
export class Checkout {
  constructor(@InjectPublisher() private readonly publisher: Publisher) {}

  order(order: Order): Promise<unknown> {
    return this.publisher.publish(order.customer, order, { exchange: 'orders' });
  }
}
// #endregion

// #region stream
@Injectable()
export class SearchIndex {
  /** Each instance reads all of it, from its beginning. */
  @Consume('catalog', { stream: { offset: 'first' }, prefetch: 500, concurrency: 1 })
  update(@Payload() product: { readonly name: string }): void {
    done.push(product.name);
  }
}
// #endregion
