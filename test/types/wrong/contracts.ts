// Contracts used wrongly: each line after an `error:` comment must not compile, with a message that holds that text.
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, event, Publisher, queue, RabbitContext, rpc, RpcHandler, Subscribe } from '@warren/nestjs';
import { z } from 'zod';

const Orders = queue('orders', { payload: z.object({ id: z.number() }) });
const OrderCreated = event('order.{id}.created', { payload: z.object({ total: z.number() }) });
const Quote = rpc('price.quote', {
  request: z.object({ sku: z.string() }),
  response: z.object({ cents: z.number() }),
});

export class Handlers {
  // error: the first parameter must take the payload of the contract
  @Consume(Orders)
  wrongField(@Payload() order: { id: string }): string {
    return order.id;
  }

  // error: the first parameter must take the payload of the contract
  @Consume(Orders)
  contextFirst(@Ctx() context: RabbitContext, @Payload() order: { id: number }): number {
    return order.id + context.attempt;
  }

  // error: the first parameter must take the payload of the contract
  @Consume(Orders, { batch: { size: 10 } })
  oneOfABatch(@Payload() order: { id: number }): number {
    return order.id;
  }

  // error: the first parameter must take the payload of the contract
  @Subscribe(OrderCreated)
  missingField(@Payload() order: { total: number; currency: string }): string {
    return order.currency;
  }

  // error: the method must return the response of the contract
  @RpcHandler(Quote)
  wrongAnswer(@Payload() { sku }: { sku: string }): string {
    return sku;
  }

  // error: the method must return the response of the contract
  @RpcHandler(Quote)
  wrongPromise(): Promise<{ cents: string }> {
    return Promise.resolve({ cents: '12' });
  }

  // error: the method must return the response of the contract
  @RpcHandler(Quote)
  async *wrongItems(): AsyncGenerator<number> {
    yield await Promise.resolve(12);
  }

  // error: Argument of type 'RpcContract
  @Consume(Quote)
  wrongKind(@Payload() quote: { sku: string }): string {
    return quote.sku;
  }
}

export async function callers(publisher: Publisher): Promise<void> {
  // error: Type 'string' is not assignable to type 'number'
  await publisher.send(Orders, { id: 'one' });
  // error: Type 'string' is not assignable to type 'number'
  await publisher.sendMany([{ target: Orders, payload: { id: 'one' } }]);
  // error: Property 'total' is missing
  await publisher.publish(OrderCreated, {}, { params: { id: 1 } });
  // error: Expected 3 arguments, but got 2
  await publisher.publish(OrderCreated, { total: 1 });
  // error: 'order' does not exist in type
  await publisher.publish(OrderCreated, { total: 1 }, { params: { order: 1 } });
  // error: Type 'number' is not assignable to type 'string'
  await publisher.request(Quote, { sku: 5 });
  // error: Property 'euros' does not exist
  console.log((await publisher.request(Quote, { sku: 'a' })).euros);
  // error: Argument of type 'EventContract
  await publisher.request(OrderCreated, { total: 1 });
}
