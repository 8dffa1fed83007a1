// RabbitTesting as a user meets it: start, send, wait until idle, ask.

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Broker, Consume, getBrokerToken, Publisher, RabbitModule, Reject, Subscribe } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { EmbeddedBroker } from '@warren/embedded';
import { onRabbitMQ } from '../support/brokers.js';
import { until } from '../support/events.js';
import { management } from '../support/management.js';

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

  it('says what is still under way when that does not end in time', async () => {
    let finish = (): void => undefined;
    @Injectable()
    class Slow {
      @Consume('slow')
      wait(): Promise<void> {
        return new Promise((resolve) => (finish = resolve));
      }
    }
    rabbit = await RabbitTesting.start({ imports: [AppModule], providers: [Slow] });
    await rabbit.publisher.send('slow', 1);
    await until(
      () =>
        rabbit
          .get<Broker>(getBrokerToken())
          .status()
          .consumers.some(({ inFlight }) => inFlight),
      'the run',
    );
    await expect(rabbit.idle({ timeout: 50 })).rejects.toThrow(
      "not idle after 50 ms: 1 unsettled from 'slow'",
    );
    finish();
    await rabbit.idle();
  });

  it('keeps the real waits where it is asked to', async () => {
    const waited: number[] = [];
    @Injectable()
    class Later {
      @Consume('later', { retry: { attempts: 2, delays: '300ms', jitter: false } })
      run(): void {
        waited.push(performance.now());
        if (waited.length === 1) throw new Error('again');
      }
    }
    rabbit = await RabbitTesting.start({ imports: [AppModule], providers: [Later], waits: 'real' });
    await rabbit.publisher.send('later', 1);
    await rabbit.idle();
    expect(waited[1] - waited[0]).toBeGreaterThanOrEqual(290);
  });

  it('gives all named connections its broker', async () => {
    @Injectable()
    class Elsewhere {
      @Consume('elsewhere', { connection: 'legacy' })
      take(): void {}
    }
    const legacy = RabbitModule.forRoot('legacy', {
      url: 'amqp://unreachable.invalid',
      queueType: 'classic',
    });
    rabbit = await RabbitTesting.start({ imports: [AppModule, legacy], providers: [Elsewhere] });
    await rabbit.publisher.send('elsewhere', 1);
    await rabbit.idle();
    expect(rabbit.handled(Elsewhere, 'take')).toEqual([1]);
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

it('a start that fails ends its broker, also when the connections cannot be closed', async () => {
  @Injectable()
  class Failing {
    onModuleInit(): void {
      throw new Error('no luck');
    }
  }
  const given = process.env.RABBITMQ_URL;
  delete process.env.RABBITMQ_URL;
  const ended = jest.spyOn(EmbeddedBroker.prototype, 'close');
  const closing = jest.spyOn(Broker.prototype, 'close').mockRejectedValue(new Error('cannot be closed'));
  try {
    await expect(RabbitTesting.start({ imports: [AppModule], providers: [Failing] })).rejects.toThrow(
      'no luck',
    );
    expect(ended).toHaveBeenCalledTimes(1);
  } finally {
    const left = [...new Set(closing.mock.contexts as Broker[])];
    closing.mockRestore();
    ended.mockRestore();
    await Promise.all(left.map((broker) => broker.close()));
    if (given !== undefined) process.env.RABBITMQ_URL = given;
  }
});

onRabbitMQ('RabbitTesting with RABBITMQ_URL', () => {
  it('has a virtual host of its own there, which goes with it, and cannot move time', async () => {
    const vhosts = async (): Promise<string[]> =>
      ((await management('GET', '/vhosts')) as { name: string }[]).map(({ name }) => name);
    const rabbit = await RabbitTesting.start({ imports: [AppModule] });
    const own = decodeURIComponent(new URL(rabbit.url).pathname.slice(1));
    expect(await vhosts()).toContain(own);
    await expect(rabbit.advance('1s')).rejects.toMatchObject({ code: 'WARREN_CONFIG' });
    await rabbit.stop();
    expect(await vhosts()).not.toContain(own);
  });
});
