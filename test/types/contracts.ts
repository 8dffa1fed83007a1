// Contracts used as they are meant to be: this file must compile. Its wrong counterpart is in wrong/.
import assert from 'node:assert';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  Consume,
  event,
  Publisher,
  queue,
  RabbitContext,
  Reject,
  RejectSignal,
  rpc,
  RpcHandler,
  Subscribe,
} from '@warren/nestjs';
import { of, type Observable } from 'rxjs';
import { z } from 'zod';

const Orders = queue('orders', { payload: z.object({ id: z.number() }) });
const OrderCreated = event('order.{id}.created', { payload: z.object({ at: z.coerce.date() }) });
const Quote = rpc('price.quote', {
  request: z.object({ sku: z.string() }),
  response: z.object({ cents: z.number() }),
});
const Ping = rpc('ping');
const Started = event('service.started');

export class Handlers {
  @Consume(Orders)
  one(@Payload() order: { readonly id: number }, @Ctx() context: RabbitContext): number {
    return order.id + context.attempt;
  }

  @Consume(Orders, { batch: { size: 10 } })
  many(@Payload() orders: readonly { id: number }[]): number {
    return orders.length;
  }

  @Consume(Orders, (get) => ({ prefetch: get<number>('PREFETCH') }))
  nothing(): void {}

  // The schema turns text into a date before the handler sees it.
  @Subscribe(OrderCreated)
  created(@Payload() { at }: { at: Date }): number {
    return at.getTime();
  }

  @RpcHandler(Quote)
  now(@Payload() { sku }: { sku: string }): { cents: number } {
    return { cents: sku.length };
  }

  @RpcHandler(Quote)
  later(@Payload() { sku }: { sku: string }): Promise<{ cents: number; more: string } | RejectSignal> {
    return Promise.resolve(sku === '' ? Reject('no sku') : { cents: 1, more: 'fields are allowed' });
  }

  @RpcHandler(Quote)
  observed(): Observable<{ cents: number }> {
    return of({ cents: 1 });
  }

  @RpcHandler(Quote)
  async *generated(): AsyncGenerator<{ cents: number }> {
    yield await Promise.resolve({ cents: 1 });
  }

  @RpcHandler(Ping)
  anything(@Payload() payload: unknown): unknown {
    return payload;
  }
}

export async function callers(publisher: Publisher): Promise<number> {
  await publisher.send(Orders, { id: 1 });
  await publisher.send('any', { whatever: true });
  await publisher.publish(OrderCreated, { at: '2026-01-01' }, { params: { id: 7 }, persistent: false });
  await publisher.publish(Started, {});
  await publisher.publish('any.key', 1);
  await publisher.publishMany([
    { target: OrderCreated, payload: { at: '2026-01-01' }, options: { params: { id: 7 } } },
    { target: Started, payload: {} },
    { target: 'any.key', payload: 1, options: { persistent: false } },
  ]);
  const orders = [1, 2].map((id) => ({ target: Orders, payload: { id } }));
  for (const { receipt, error } of await publisher.sendMany(orders)) {
    if (error) throw error;
    assert(receipt.routed);
  }
  const { cents }: { cents: number } = await publisher.request(Quote, { sku: 'a' });
  const text: string = await publisher.request<string>('any', {});
  for await (const item of publisher.stream(Quote, { sku: 'a' }, { credit: 8 })) return item.cents + cents;
  const answers = await publisher.gather(Quote, { sku: 'a' }, { expect: 2 });
  return answers.reduce((sum, one) => sum + ('value' in one ? one.value.cents : 0), text.length);
}
