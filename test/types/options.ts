// All forms of options, used as they are meant to be: this file must compile. Its wrong counterpart is in wrong/.
import { Payload } from '@nestjs/microservices';
import { Consume, event, queue, RabbitModule, rpc, RpcHandler, Subscribe } from '@warren/nestjs';
import type { Get, NestHandlerOptions, RabbitModuleOptions } from '@warren/nestjs';
import { z } from 'zod';

const Orders = queue('orders', { payload: z.object({ id: z.number() }) });
const OrderCreated = event('order.created', { payload: z.object({ id: z.number() }) });
const Quote = rpc('price.quote');

declare const common: NestHandlerOptions;
declare const size: number;
declare const names: readonly string[];
declare const maybe: RabbitModuleOptions | undefined;

const fromConfiguration = (get: Get): NestHandlerOptions => ({ prefetch: get<number>('PREFETCH') });

/** A decorator of an application's own. */
function OneAtATime(name: string, options?: NestHandlerOptions): MethodDecorator {
  return Consume(name, { ...options, prefetch: 1 });
}

export class Handlers {
  @Consume('orders')
  @Consume('orders', { prefetch: 5 })
  @Consume('orders', common)
  @Consume('orders', fromConfiguration)
  @Consume({ queue: 'orders', prefetch: 5 })
  @Consume(common)
  @Consume(fromConfiguration)
  @Consume((get) => ({ queue: get<string>('QUEUE') }))
  @OneAtATime('orders', common)
  any(): void {}

  @Consume(Orders, common)
  @Consume(Orders, { ...common, prefetch: 5 })
  @Consume(Orders, { batch: undefined })
  @Consume(Orders, fromConfiguration)
  @Subscribe(OrderCreated, { ...common, broadcast: true })
  one(@Payload() order: { id: number }): number {
    return order.id;
  }

  @Consume(Orders, { batch: { size } })
  @Consume(Orders, { ...common, batch: { size: 10, wait: '1s' } })
  @Subscribe(OrderCreated, { batch: { size: 10 }, prefetch: 20 })
  many(@Payload() orders: { id: number }[]): number {
    return orders.length;
  }

  @Subscribe('order.*')
  @Subscribe(names)
  @Subscribe(['order.*', 'refund.*'], { broadcast: true })
  @Subscribe(fromConfiguration)
  @Subscribe({ queue: 'orders', bindings: [{ exchange: 'orders', keys: ['order.*'] }] })
  events(): void {}

  @RpcHandler('price.quote')
  @RpcHandler('price.quote', { timeout: '5s' })
  @RpcHandler(Quote, fromConfiguration)
  @RpcHandler({ queue: 'price.quote' })
  calls(): number {
    return 1;
  }
}

export const modules = [
  RabbitModule.forRoot(),
  RabbitModule.forRoot({ service: 'shop' }),
  RabbitModule.forRoot(maybe),
  RabbitModule.forRoot('audit'),
  RabbitModule.forRoot('audit', { service: 'shop' }),
  RabbitModule.forRoot('audit', maybe),
];
