// Contracts: what two services agree on, used by both and checked by the compiler and at both ends.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import {
  Consume,
  EncodeError,
  Publisher,
  RabbitModule,
  RoutingKey,
  RpcHandler,
  Subscribe,
  event,
  eventParams,
  queue,
  rpc,
} from '@warren/nestjs';
// #region contracts
import { z } from 'zod';

export class SoldOut extends Error {
  constructor(readonly sku: string) {
    super(`${sku} is sold out`);
  }
}

export const Quote = rpc('price.quote', {
  request: z.object({ sku: z.string(), count: z.number().int().positive().default(1) }),
  response: z.object({ cents: z.number() }),
  errors: [SoldOut],
});

export const OrderCreated = event('order.{id}.created', {
  payload: z.object({ sku: z.string(), at: z.coerce.date() }),
});

export const Orders = queue('orders', { payload: z.object({ sku: z.string() }) });
// #endregion

// #region handlers
@Injectable()
export class Shop {
  constructor(private readonly publisher: Publisher) {}

  @RpcHandler(Quote)
  quote(@Payload() { sku, count }: { sku: string; count: number }): { cents: number } {
    if (sku === 'gone') throw new SoldOut(sku);
    return { cents: 60 * count };
  }

  @Consume(Orders)
  async place(@Payload() { sku }: { sku: string }): Promise<void> {
    await this.publisher.publish(OrderCreated, { sku, at: new Date(0) }, { params: { id: 7 } });
  }

  @Subscribe(OrderCreated)
  onOrder(@Payload() { sku, at }: { sku: string; at: Date }, @RoutingKey() key: string): void {
    console.log(`order ${eventParams(OrderCreated, key)?.id}: ${sku}, ${at.getUTCFullYear()}`);
  }
}
// #endregion

@Module({ imports: [RabbitModule.forRoot({ service: 'contracts' })], providers: [Shop] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();
const publisher = app.get(Publisher);

// #region callers
await publisher.send(Orders, { sku: 'carrot' });

const { cents } = await publisher.request(Quote, { sku: 'carrot' }); // cents is a number
console.log(`a carrot costs ${cents}`);

await publisher.request(Quote, { sku: 'gone' }).catch((error: unknown) => {
  if (error instanceof SoldOut) console.log(`no ${error.sku}`);
});

await publisher.request(Quote, { sku: 'carrot', count: 0 }).catch((error: unknown) => {
  if (error instanceof EncodeError) console.log(error.message);
});
// #endregion
