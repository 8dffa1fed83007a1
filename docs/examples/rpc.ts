// Calls as the page about them tells it: what a handler says, what its caller sees, and every way to end.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  Publisher,
  RabbitContext,
  RabbitModule,
  RpcHandler,
  RpcNoServerError,
  RpcRemoteError,
  RpcTimeoutError,
} from '@warren/nestjs';
import { setTimeout as pause } from 'node:timers/promises';

// #region known
/** In a package that both services import. */
export class OrderNotFound extends Error {
  constructor(readonly orderId: string) {
    super(`there is no order ${orderId}`);
  }
}
// #endregion

// #region handlers
@Injectable()
export class Orders {
  private payments = 0;

  constructor(private readonly publisher: Publisher) {}

  @RpcHandler('order.find', { errors: [OrderNotFound] })
  async find(@Payload() id: string): Promise<{ id: string; cents: number }> {
    if (id === '0') throw new OrderNotFound(id);
    // No longer than the caller of `order.find` waits, and over when it leaves.
    return { id, cents: await this.publisher.request<number>('order.price', id) };
  }

  @RpcHandler('order.price')
  price(@Payload() id: string): number {
    if (id === 'odd') throw new Error('SELECT failed on db-7');
    return id.length * 100;
  }

  @RpcHandler('order.report', { timeout: '1m', ifCallerGone: 'skip' })
  async report(@Payload() ms: number, @Ctx() { signal }: RabbitContext): Promise<string> {
    try {
      // The signal goes to everything that takes one: fetch, timers, database drivers.
      return await pause(ms, 'a report', { signal });
    } finally {
      if (signal.aborted) console.log(`stopped: ${(signal.reason as { code: string }).code}`);
    }
  }

  @RpcHandler('order.history')
  async *history(@Payload() id: string): AsyncGenerator<string> {
    try {
      for (let n = 1; ; n++) yield await Promise.resolve(`${id} changed ${n} times`);
    } finally {
      console.log('history closed');
    }
  }

  @RpcHandler('order.pay', { idempotent: { ttl: '10m' } })
  pay(): string {
    return `paid ${++this.payments} times`;
  }

  @RpcHandler('cache.size', { broadcast: true })
  size(): number {
    return 0;
  }
}
// #endregion

@Module({ imports: [RabbitModule.forRoot({ service: 'orders' })], providers: [Orders] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();
const publisher = app.get(Publisher);

// #region errors
async function find(id: string): Promise<string> {
  try {
    const order = await publisher.request<{ cents: number }>('order.find', id, {
      errors: [OrderNotFound],
      timeout: '2s',
    });
    return `${id} costs ${order.cents}`;
  } catch (error) {
    if (error instanceof OrderNotFound) return `no order ${error.orderId}`;
    if (error instanceof RpcRemoteError) return `${error.remoteName} (${error.remoteCode})`;
    if (error instanceof RpcNoServerError) return 'no server for order.find';
    if (error instanceof RpcTimeoutError) return `no reply within ${error.waitedMs} ms`;
    throw error;
  }
}

for (const id of ['7', '0', 'odd']) console.log(await find(id));
// #endregion

// #region cancel
const controller = new AbortController();
const report = publisher.request('order.report', 60_000, { timeout: '1m', signal: controller.signal });
setTimeout(() => controller.abort(), 100);
await report.catch((error: unknown) => console.log((error as Error).name));
// #endregion

// #region stream
const history = publisher.stream<string>('order.history', '7', { credit: 16 });
for await (const line of history) {
  console.log(line);
  if (line.endsWith('2 times')) break; // the generator runs its `finally`, wherever it is
}
// #endregion

// #region gather
const answers = await publisher.gather<number>('cache.size', undefined, { expect: 1, timeout: '2s' });
for (const answer of answers) console.log('value' in answer ? answer.value : answer.error.message);
// #endregion

// #region repeat
const payment = { messageId: 'payment-7', idempotent: true };
console.log(await publisher.request<string>('order.pay', '7', payment));
console.log(await publisher.request<string>('order.pay', '7', payment)); // called again: the stored reply
// #endregion
