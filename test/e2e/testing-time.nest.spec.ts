// A test that moves time: what waits for minutes or hours has happened when `advance` resolves, in its order.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitContext, RabbitModule, RpcHandler } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

const imports = [RabbitModule.forRoot({ service: 'shop' })];

/** What Jest's fake timers must leave alone: see docs/testing.md. */
const REAL = [
  ...([
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
    'setImmediate',
    'clearImmediate',
  ] as const),
  ...(['nextTick', 'queueMicrotask', 'performance', 'hrtime'] as const),
];

@Injectable()
class Orders {
  static readonly at: number[] = [];
  static failures = Infinity;

  @Consume('orders')
  place(@Payload() _order: unknown): void {
    Orders.at.push(Date.now());
    if (Orders.at.length <= Orders.failures) throw new Error('not yet');
  }
}

@Injectable()
class Slow {
  static readonly deadlines: (number | undefined)[] = [];
  static readonly aborted: unknown[] = [];

  constructor(private readonly publisher: Publisher) {}

  @Consume('slow', { timeout: '10m', retry: false })
  run(@Payload() _job: unknown, @Ctx() context: RabbitContext): Promise<void> {
    Slow.deadlines.push(context.deadline);
    return new Promise((_resolve, reject) => {
      context.signal.addEventListener('abort', () => {
        Slow.aborted.push(context.signal.reason);
        reject(new Error('stopped'));
      });
    });
  }

  @Consume('reminders')
  async remind(@Payload() step: number): Promise<void> {
    if (step < 5) await this.publisher.send('reminders', step + 1, { delay: '1h' });
  }

  @RpcHandler('never')
  never(@Payload() _question: unknown, @Ctx() { signal }: RabbitContext): Promise<void> {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  }
}

describe('a test that moves time', () => {
  const given = process.env.RABBITMQ_URL;
  let rabbit: RabbitTesting;

  beforeEach(() => {
    // RabbitMQ's time is its own.
    delete process.env.RABBITMQ_URL;
    Orders.at.length = Slow.deadlines.length = Slow.aborted.length = 0;
    Orders.failures = Infinity;
  });
  afterEach(async () => {
    await rabbit.stop();
    if (given !== undefined) process.env.RABBITMQ_URL = given;
  });

  it('has all attempts of the default policy, until the dead letter, in less than a second', async () => {
    rabbit = await RabbitTesting.start({ imports, providers: [Orders], waits: 'real' });
    await rabbit.publisher.send('orders', 1);
    const before = process.cpuUsage();
    await rabbit.advance('2m35.9s');
    expect([rabbit.failed(Orders, 'place').length, rabbit.dead('orders').length]).toEqual([4, 0]);
    await rabbit.advance('100ms');
    expect(rabbit.failed(Orders, 'place').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(rabbit.dead('orders')).toMatchObject([{ reason: 'attempts-exhausted', attempts: 5 }]);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });

  it('sees each attempt when it is due, and not before', async () => {
    Orders.failures = 2;
    rabbit = await RabbitTesting.start({ imports, providers: [Orders], waits: 'real' });
    await rabbit.publisher.send('orders', 1);
    const attempts: number[] = [];
    for (const by of [0, 900, 100, '4.9s', '100ms', '1h']) {
      await rabbit.advance(by);
      attempts.push(Orders.at.length);
    }
    expect(attempts).toEqual([1, 1, 2, 2, 3, 3]);
    expect(rabbit.handled(Orders, 'place')).toEqual([1]);
  });

  it('goes with fake timers that replace Date alone', async () => {
    jest.useFakeTimers({ now: 0, doNotFake: REAL });
    try {
      Orders.failures = 1;
      rabbit = await RabbitTesting.start({ imports, providers: [Orders], waits: 'real' });
      await rabbit.publisher.send('orders', 1);
      await rabbit.advance('1s');
      await rabbit.idle();
      expect(Orders.at).toEqual([0, 0]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('has delays that follow from each other in one move', async () => {
    rabbit = await RabbitTesting.start({ imports, providers: [Slow], waits: 'real' });
    await rabbit.publisher.send('reminders', 0, { delay: '30m' });
    await rabbit.advance('29m59s');
    expect(rabbit.handled(Slow, 'remind')).toEqual([]);
    await rabbit.advance('1s');
    expect(rabbit.handled(Slow, 'remind')).toEqual([0]);
    await rabbit.advance('5h');
    expect(rabbit.handled(Slow, 'remind')).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('ends what runs too long, and calls that nobody answers, at their time', async () => {
    rabbit = await RabbitTesting.start({ imports, providers: [Slow], waits: 'real' });
    await rabbit.publisher.send('slow', 1);
    await rabbit.advance(0, { patience: 20 });
    const [deadline = 0] = Slow.deadlines;
    expect(Math.abs(deadline - Date.now() - 600_000)).toBeLessThan(2_000);
    const call = rabbit.publisher.request('never', 1, { timeout: '5m' }).catch((error: unknown) => error);
    await rabbit.advance('5m', { patience: 20 });
    expect(await call).toMatchObject({ code: 'WARREN_RPC_TIMEOUT' });
    expect(Slow.aborted).toEqual([]);
    await rabbit.advance('5m', { patience: 20 });
    expect(Slow.aborted).toMatchObject([{ name: 'HandlerTimeoutError' }]);
    expect(rabbit.dead('slow')).toHaveLength(1);
  });

  it('waits for what a handler does meanwhile, also when that takes a while', async () => {
    let done = false;
    @Injectable()
    class Reading {
      @Consume('reading')
      async read(): Promise<void> {
        // waits: it stands for a database
        await new Promise((resolve) => setTimeout(resolve, 60));
        done = true;
      }
    }
    rabbit = await RabbitTesting.start({ imports, providers: [Reading], waits: 'real' });
    await rabbit.publisher.send('reading', 1, { delay: '2h' });
    await rabbit.advance('2h');
    expect(done).toBe(true);
    expect(rabbit.handled(Reading, 'read')).toEqual([1]);
  });

  it('keeps consumers and connections through half a day', async () => {
    rabbit = await RabbitTesting.start({ imports, providers: [Orders, Slow], waits: 'real' });
    await rabbit.advance('12h');
    const [status] = [rabbit.publisher.status()];
    expect(status.connections.map(({ state }) => state)).toEqual(['open', 'open', 'open']);
    expect(status.counters).toMatchObject({ connectionsLost: 0, consumersRestarted: 0 });
    Orders.failures = 0;
    await rabbit.publisher.send('orders', 1);
    await rabbit.idle();
    expect(rabbit.handled(Orders, 'place')).toEqual([1]);
  });
});
