// One handler over several queues: the order of a key is kept, in one process and across them; and a stream that
// everybody reads.
import { applyDecorators, Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  Consume,
  InjectPublisher,
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
/** One method for all shards of a queue: `orders.1` to `orders.4` behind an exchange that picks one by the routing key. */
export function ConsumeShards(
  name: string,
  shards: number,
  options: NestHandlerOptions = {},
): MethodDecorator {
  // To this type of exchange the key of a binding is a weight.
  const bindings = [{ exchange: { name, type: 'x-consistent-hash' }, key: '1' }];
  const numbers = Array.from({ length: shards }, (_, index) => index + 1);
  return applyDecorators(
    ...numbers.map((shard) =>
      Consume(`${name}.${shard}`, { bindings, singleActive: true, orderBy: 'routingKey', ...options }),
    ),
  );
}

@Injectable()
export class OrderShards {
  @ConsumeShards('orders', 4)
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
