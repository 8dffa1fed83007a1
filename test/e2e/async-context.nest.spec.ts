// In which async context handlers run: that of the program, whoever opened the connection, published the message or handled
// the one before. On Nest 12 and (in the project nest11) on Nest 11.
import 'reflect-metadata';
import { beforeEach, expect, it } from '@jest/globals';
import { Injectable, Module, UseGuards, type CanActivate } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitContext, RabbitModule, RpcHandler } from '@warren/nestjs';
import { AsyncLocalStorage } from 'node:async_hooks';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { apps } from '../support/nest.js';

/** As nestjs-cls has one for each request. */
const store = new AsyncLocalStorage<string>();
/** What each handler saw of it, in order. */
const seen: (readonly [handler: string, stored: string | undefined])[] = [];
const look = (handler: string): number => seen.push([handler, store.getStore()]);

/** As `ClsGuard` of nestjs-cls. */
@Injectable()
class Enters implements CanActivate {
  canActivate(): boolean {
    look('guard');
    store.enterWith('of the guard');
    return true;
  }
}

@Injectable()
class Handlers {
  @Consume('plain', { concurrency: 1 })
  plain(@Payload() n: number): void {
    look('plain');
    // What a handler sets stays with its message.
    store.enterWith(`message ${n}`);
  }

  @Consume('manual', { ack: 'manual', concurrency: 1 })
  async manual(@Payload() n: number, @Ctx() delivery: RabbitContext): Promise<void> {
    look('manual');
    await store.run(`message ${n}`, async () => {
      await Promise.resolve();
      delivery.ack();
    });
  }

  @Consume('lists', { batch: { size: 2, wait: '20ms' } })
  list(): void {
    look('list');
  }

  @Consume('failing', { retry: { attempts: 2, delays: ['10ms'], jitter: false } })
  failing(@Ctx() { attempt }: RabbitContext): void {
    look('failing');
    if (attempt === 1) throw new Error('once more');
  }

  @Consume('guarded', { concurrency: 1 })
  @UseGuards(Enters)
  guarded(@Payload() answered: string): void {
    seen.push(['guarded', `${answered}: ${String(store.getStore())}`]);
  }

  @RpcHandler('ask')
  ask(): string {
    look('ask');
    return store.getStore() ?? 'nothing';
  }
}

onEachBroker('the async context of handlers', (broker) => {
  beforeEach(() => void seen.splice(0));

  async function start(): Promise<Publisher> {
    @Module({
      imports: [RabbitModule.forRoot({ url: broker.url, service: 'context', queueType: 'classic' })],
      providers: [Handlers],
    })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    apps.push(app);
    return app.get(Publisher);
  }

  it('has nothing of whoever started the application or published the message', async () => {
    const publisher = await store.run('start', start);
    const answer = await store.run('request', async () => {
      for (let n = 1; n <= 3; n++)
        for (const queue of ['plain', 'manual', 'lists']) await publisher.send(queue, n);
      await publisher.send('failing', 1);
      const replied = await publisher.request<string>('ask', 1);
      // What waits for an answer goes on where it was.
      expect(store.getStore()).toBe('request');
      return replied;
    });
    expect(answer).toBe('nothing');
    const count = (name: string): number => seen.filter(([handler]) => handler === name).length;
    await until(
      () => count('plain') === 3 && count('manual') === 3 && count('list') >= 2 && count('failing') === 2,
      'all messages to be handled',
    );
    expect(seen.filter(([, stored]) => stored !== undefined)).toEqual([]);
  });

  it('has nothing of the message before, which was handled in the same turn', async () => {
    const publisher = await start();
    await Promise.all([1, 2, 3, 4].map((n) => store.run(`request ${n}`, () => publisher.send('plain', n))));
    await until(() => seen.filter(([handler]) => handler === 'plain').length === 4, 'four messages');
    expect(seen.filter(([, stored]) => stored !== undefined)).toEqual([]);
  });

  it('has what a guard set for its message', async () => {
    const publisher = await start();
    await Promise.all(['a', 'b'].map((name) => publisher.send('guarded', name)));
    await until(() => seen.length === 4, 'two messages');
    expect(seen.filter(([handler]) => handler === 'guard')).toEqual(Array(2).fill(['guard', undefined]));
    expect(seen.map(([, stored]) => stored)).toEqual(
      expect.arrayContaining(['a: of the guard', 'b: of the guard']),
    );
  });
});
