// Options used wrongly: each line after an `error:` comment must not compile, with a message that holds that text.
import {
  Consume,
  event,
  OnRabbitEvent,
  queue,
  RabbitModule,
  rpc,
  RpcHandler,
  Subscribe,
} from '@warren/nestjs';
import { z } from 'zod';

const Orders = queue('orders', { payload: z.object({ id: z.number() }) });
const OrderCreated = event('order.created', { payload: z.object({ id: z.number() }) });
const Quote = rpc('price.quote', { request: z.object({ sku: z.string() }) });

export class Handlers {
  // error: Did you mean to write 'prefetch'?
  @Consume('orders', { prefech: 5 })
  consume(): void {}

  // error: Did you mean to write 'prefetch'?
  @Consume({ queue: 'orders', prefech: 5 })
  consumeOptions(): void {}

  // error: Did you mean to write 'queue'?
  @Consume({ queu: 'orders' })
  consumeOnlyOption(): void {}

  // error: Did you mean to write 'prefetch'?
  @Consume(Orders, { prefech: 5 })
  consumeContract(): void {}

  // error: 'wiat' does not exist in type '{ readonly size: number; readonly wait?: Duration | undefined; }'
  @Consume(Orders, { batch: { size: 5, wiat: '1s' } })
  consumeBatch(): void {}

  // error: Did you mean to write 'attempts'?
  @Consume('orders', { retry: { attemps: 5 } })
  nested(): void {}

  // error: Type 'string' is not assignable to type 'number'
  @Consume('orders', { prefetch: '5' })
  wrongValue(): void {}

  // error: Type '"5 sec"' is not assignable to type 'Duration | undefined'
  @Consume('orders', { timeout: '5 sec' })
  wrongDuration(): void {}

  // error: Did you mean to write 'broadcast'?
  @Subscribe('order.*', { brodcast: true })
  subscribe(): void {}

  // error: Did you mean to write 'broadcast'?
  @Subscribe(['order.*', 'refund.*'], { brodcast: true })
  subscribePatterns(): void {}

  // error: Did you mean to write 'bindings'?
  @Subscribe({ queue: 'orders', bindngs: [] })
  subscribeOptions(): void {}

  // error: Did you mean to write 'broadcast'?
  @Subscribe(OrderCreated, { brodcast: true })
  subscribeContract(): void {}

  // error: Did you mean to write 'timeout'?
  @RpcHandler('price.quote', { timout: '5s' })
  rpc(): void {}

  // error: Did you mean to write 'timeout'?
  @RpcHandler({ queue: 'price.quote', timout: '5s' })
  rpcOptions(): void {}

  // error: Did you mean to write 'timeout'?
  @RpcHandler(Quote, { timout: '5s' })
  rpcContract(): void {}

  // error: Did you mean to write 'connection'?
  @OnRabbitEvent('connected', { conection: 'audit' })
  listen(): void {}
}

export const modules = [
  // error: Did you mean to write 'service'?
  RabbitModule.forRoot({ servce: 'shop' }),
  // error: Did you mean to write 'service'?
  RabbitModule.forRoot('audit', { servce: 'shop' }),
  // error: Did you mean to write 'attempts'?
  RabbitModule.forRoot({ retry: { attemps: 5 } }),
  // error: Type '"embeded"' is not assignable to type 'DevelopmentOption | undefined'. Did you mean '"embedded"'?
  RabbitModule.forRoot({ development: 'embeded' }),
  // error: Did you mean to write 'useFactory'?
  RabbitModule.forRootAsync({ useFactry: () => ({ service: 'shop' }) }),
  // error: Type '{ servce: string; }' is not assignable to type
  RabbitModule.forRootAsync({ useFactory: () => ({ servce: 'shop' }) }),
  // error: Did you mean to write 'queues'?
  RabbitModule.forFeature({ queus: [] }),
];
