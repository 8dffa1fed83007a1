// RabbitTesting as a user meets it: start, send, wait until idle, ask.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, Reject, Subscribe } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

@Injectable()
class Ledger {
  readonly entries: unknown[] = [];
}

@Injectable()
class OrderHandlers {
  constructor(
    private readonly ledger: Ledger,
    private readonly publisher: Publisher,
  ) {}

  @Consume('orders')
  async place(@Payload() order: { id: number; trouble?: string }): Promise<void> {
    if (order.trouble === 'always') throw new Error('never works');
    if (order.trouble === 'bad') throw Reject('no such customer');
    this.ledger.entries.push(order);
    await this.publisher.publish('order.placed', { id: order.id });
  }

  @Subscribe('order.placed')
  announced(): void {}
}

@Module({
  imports: [
    RabbitModule.forRoot({
      url: 'amqp://nobody:nothing@unreachable.invalid',
      service: 'shop',
      queueType: 'classic',
    }),
  ],
  providers: [Ledger, OrderHandlers],
})
class AppModule {}

describe('RabbitTesting', () => {
  let rabbit: RabbitTesting;
  afterEach(() => rabbit.stop());

  it('runs the unchanged application and tells what was handled', async () => {
    rabbit = await RabbitTesting.start({ imports: [AppModule] });
    await rabbit.publisher.send('orders', { id: 7 });
    await rabbit.idle();
    expect(rabbit.handled(OrderHandlers, 'place')).toEqual([{ id: 7 }]);
    expect(rabbit.handled(OrderHandlers, 'announced')).toEqual([{ id: 7 }]);
    expect(rabbit.dead('orders')).toHaveLength(0);
    expect(rabbit.get(Ledger).entries).toEqual([{ id: 7 }]);
  });

  it('waits for every attempt, with short waits between them', async () => {
    rabbit = await RabbitTesting.start({ imports: [AppModule] });
    await rabbit.publisher.send('orders', { id: 8, trouble: 'always' });
    await rabbit.idle();
    expect(rabbit.failed(OrderHandlers, 'place').map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, 'retry'],
      [2, 'retry'],
      [3, 'retry'],
      [4, 'retry'],
      [5, 'dead-letter'],
    ]);
    expect(rabbit.dead('orders')).toMatchObject([
      { payload: { id: 8 }, reason: 'attempts-exhausted', attempts: 5 },
    ]);
  });

  it('lets providers be replaced', async () => {
    const entries: unknown[] = [];
    rabbit = await RabbitTesting.start({
      imports: [AppModule],
      configure: (builder) => builder.overrideProvider(Ledger).useValue({ entries }),
    });
    await rabbit.publisher.send('orders', { id: 9 });
    await rabbit.publisher.send('orders', { id: 10, trouble: 'bad' });
    await rabbit.idle();
    expect(entries).toEqual([{ id: 9 }]);
    expect(rabbit.dead('orders')).toMatchObject([{ reason: 'rejected' }]);
    expect(rabbit.published().map(({ routingKey }) => routingKey)).toContain('order.placed');
  });
});
