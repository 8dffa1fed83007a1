// The module around the handlers: how it is configured, what it refuses at boot, what it keeps apart, and
// in which order it starts and stops.

import { describe, expect, it } from '@jest/globals';
import {
  Injectable,
  Module,
  Scope,
  UseGuards,
  type CanActivate,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { ContextIdFactory, REQUEST, type ContextIdStrategy } from '@nestjs/core';
import { Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  Consume,
  getBrokerToken,
  getPublisherToken,
  InjectPublisher,
  Publisher,
  RabbitBatchContext,
  RabbitContext,
  RabbitModule,
  RpcHandler,
  Subscribe,
  type Broker,
  type RabbitModuleOptions,
  type RabbitOptionsFactory,
} from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { apps, start } from '../support/nest.js';

onEachBroker('the module', (broker) => {
  const options = (more: RabbitModuleOptions = {}): RabbitModuleOptions => {
    return { url: broker.url, service: 'app', queueType: 'classic', ...more };
  };

  @Injectable()
  class Echo {
    @RpcHandler('echo')
    echo(@Payload() value: unknown): unknown {
      return value;
    }
  }

  describe('configuration', () => {
    class Factory implements RabbitOptionsFactory {
      createRabbitOptions(): RabbitModuleOptions {
        return options();
      }
    }
    const rabbit = registerAs('rabbit', () => options());

    it.each<[string, () => ModuleMetadata['imports']]>([
      ['forRoot(options)', () => [RabbitModule.forRoot(options())]],
      ['useFactory', () => [RabbitModule.forRootAsync({ useFactory: async () => options() })]],
      [
        'useFactory with inject and imports',
        () => [
          RabbitModule.forRootAsync({
            imports: [ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ({ broker: broker.url })] })],
            inject: [ConfigService],
            useFactory: (config: ConfigService) => options({ url: config.getOrThrow<string>('broker') }),
          }),
        ],
      ],
      ['useClass', () => [RabbitModule.forRootAsync({ useClass: Factory })]],
      [
        'useExisting',
        () => {
          @Module({ providers: [Factory], exports: [Factory] })
          class FactoryModule {}
          return [RabbitModule.forRootAsync({ imports: [FactoryModule], useExisting: Factory })];
        },
      ],
      ['registerAs().asProvider()', () => [RabbitModule.forRootAsync(rabbit.asProvider())]],
    ])('%s connects', async (_form, imports) => {
      const app = await start({ imports: imports(), providers: [Echo] });
      await expect(app.get(Publisher).request('echo', 'hello')).resolves.toBe('hello');
    });

    it('options of a handler may come from providers', async () => {
      const got = new Collector<string>();
      @Injectable()
      class Configured {
        @Consume((get) => ({ queue: get(ConfigService).getOrThrow<string>('queue') }))
        work(@Payload() text: string): void {
          got.push(text);
        }
      }
      const app = await start({
        imports: [
          ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ({ queue: 'from.config' })] }),
          RabbitModule.forRoot(options()),
        ],
        providers: [Configured],
      });
      await app.get(Publisher).send('from.config', 'found');
      expect(await got.take(1)).toEqual(['found']);
    });

    it('forFeature declares what belongs to no handler', async () => {
      const app = await start({
        imports: [
          RabbitModule.forRoot(options()),
          RabbitModule.forFeature({
            exchanges: [{ name: 'audit', type: 'direct' }],
            queues: [{ name: 'audit.all', queueType: 'classic' }],
            bindings: [{ exchange: 'audit', queue: 'audit.all', key: 'all' }],
          }),
        ],
      });
      const receipt = await app.get(Publisher).publish('all', 1, { exchange: 'audit' });
      expect(receipt.routed).toBe(true);
    });

    it('a process that only publishes consumes nothing', async () => {
      const app = await start({
        imports: [RabbitModule.forRoot(options({ consumers: false }))],
        providers: [Echo],
      });
      await expect(app.get(Publisher).request('nobody.there', 1)).rejects.toMatchObject({
        name: 'RpcNoServerError',
      });
      expect(app.get(Publisher).status().consumers).toEqual([]);
    });
  });

  describe('keeping apart', () => {
    it('two named connections of one application have their own handlers and publishers', async () => {
      const other = await broker.addVhost();
      const here = new Collector<unknown>();
      const there = new Collector<unknown>();
      @Injectable()
      class Both {
        constructor(@InjectPublisher('audit') readonly audit: Publisher) {}
        @Consume('same.name')
        one(@Payload() value: unknown): void {
          here.push(value);
        }
        @Consume('same.name', { connection: 'audit' })
        two(@Payload() value: unknown): void {
          there.push(value);
        }
      }
      const app = await start({
        imports: [RabbitModule.forRoot(options()), RabbitModule.forRoot('audit', options({ url: other }))],
        providers: [Both],
      });
      await app.get(Publisher).send('same.name', 'here');
      await app.get(Both).audit.send('same.name', 'there');
      expect(await here.take(1)).toEqual(['here']);
      expect(await there.take(1)).toEqual(['there']);
      expect([here.size, there.size]).toEqual([1, 1]);
    });

    it('two applications in one process do not know of each other', async () => {
      const [one, two] = [new Collector<unknown>(), new Collector<unknown>()];
      const events = (got: Collector<unknown>) => {
        @Injectable()
        class Events {
          @Subscribe('shared.event')
          on(@Payload() value: unknown): void {
            got.push(value);
          }
        }
        return Events;
      };
      const first = await start({
        imports: [RabbitModule.forRoot(options({ service: 'one' }))],
        providers: [events(one)],
      });
      await start({ imports: [RabbitModule.forRoot(options({ service: 'two' }))], providers: [events(two)] });
      await first.get(Publisher).publish('shared.event', 1);
      expect([await one.take(1), await two.take(1)]).toEqual([[1], [1]]);
      await first.close();
      await apps[1].get(Publisher).publish('shared.event', 2);
      expect(await two.take(1)).toEqual([2]);
      expect(one.size).toBe(1);
    });
  });

  describe('boot errors', () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    class Guarded {
      @RpcHandler('guarded.by.factory')
      @UseGuards(Guard)
      open(): string {
        return 'NOT DENIED';
      }
    }

    it.each<[string, () => ModuleMetadata, RegExp]>([
      [
        'a class guard on a handler made by a factory',
        () => ({ providers: [Guard, { provide: 'made', useFactory: () => new Guarded() }] }),
        /Guarded\.open uses the guard Guard, which Nest would not run/,
      ],
      [
        'a connection that nobody configured',
        () => {
          class Lost {
            @Consume('q', { connection: 'elsewhere' })
            work(): void {}
          }
          return { providers: [Lost] };
        },
        /Lost\.work uses the connection 'elsewhere'/,
      ],
      [
        'a class with handlers that two modules provide',
        () => {
          @Module({ providers: [Echo] })
          class A {}
          @Module({ providers: [Echo] })
          class B {}
          return { imports: [A, B] };
        },
        /Echo has handlers and is provided twice, by A and B/,
      ],
      [
        'one connection configured twice',
        () => ({ imports: [RabbitModule.forRoot(options({ service: 'twice' }))] }),
        /configured twice/,
      ],
      [
        'an option that does not exist',
        () => {
          class Typo {
            @Consume('q', { prefech: 1 } as object)
            work(): void {}
          }
          return { providers: [Typo] };
        },
        /@Consume Typo\.work: there is no option 'prefech'/,
      ],
      [
        'an options function that fails',
        () => {
          class Fails {
            @Consume((get) => ({ queue: get<string>('nothing provides this') }))
            work(): void {}
          }
          return { providers: [Fails] };
        },
        /options function of Fails\.work failed/,
      ],
      [
        'two handlers that want one queue differently',
        () => {
          class Differ {
            @Consume('shared.queue', { messageTtl: '1m' })
            one(): void {}
            @Consume('shared.queue', { messageTtl: '2m' })
            two(): void {}
          }
          return { providers: [Differ] };
        },
        /Differ\.one and @Consume Differ\.two want queue 'shared\.queue' differently: x-message-ttl/,
      ],
    ])('%s', async (_case, metadata, message) => {
      const { imports = [], ...rest } = metadata();
      await expect(
        start({ imports: [RabbitModule.forRoot(options()), ...imports], ...rest }),
      ).rejects.toThrow(message);
    });
  });

  it('consumes last at start and drains first at shutdown', async () => {
    const order: string[] = [];
    @Injectable()
    class Database implements OnApplicationBootstrap, OnModuleDestroy {
      onApplicationBootstrap(): void {
        order.push('database ready');
      }
      onModuleDestroy(): void {
        order.push('database gone');
      }
    }
    @Module({ providers: [Database] })
    class LateModule {}
    let release = (): void => undefined;
    const running = new Collector<string>();
    @Injectable()
    class Slow {
      @Consume('slow.queue')
      async work(): Promise<void> {
        running.push('started');
        await new Promise<void>((resolve) => (release = resolve));
        order.push('handler done');
      }
    }
    const app = await start({ imports: [RabbitModule.forRoot(options()), LateModule], providers: [Slow] });
    app.get<Broker>(getBrokerToken()).on((event) => event.kind === 'disconnected' && order.push('lost'));
    await app.get(Publisher).send('slow.queue', 1);
    await running.take(1);
    const closing = app.close();
    await until(() => !app.get(Publisher).status().consumers[0].ready, 'the consumer to stop');
    release();
    await closing;
    expect(order).toEqual(['database ready', 'handler done', 'database gone']);
  });

  it.each([
    ['default', 'second'],
    ['second', 'default'],
  ])('drains all connections at once: while %s waits, %s starts nothing more', async (held, other) => {
    const running = new Collector<string>();
    const release = new Map<string, () => void>();
    @Injectable()
    class Held {
      @Consume('held.queue', { prefetch: 1 })
      @Consume('held.queue', { prefetch: 1, connection: 'second' })
      async work(@Payload() _payload: unknown, @Ctx() { connection }: RabbitContext): Promise<void> {
        running.push(connection);
        await new Promise<void>((resolve) => release.set(connection, resolve));
      }
    }
    const url = await broker.addVhost();
    const app = await start({
      imports: [RabbitModule.forRoot(options()), RabbitModule.forRoot('second', options({ url }))],
      providers: [Held],
    });
    const publishers = ['default', 'second'].map((name) => app.get<Publisher>(getPublisherToken(name)));
    for (const publisher of publishers) for (const n of [1, 2]) await publisher.send('held.queue', n);
    await running.take(2);
    const closing = app.close();
    const isDraining = (): boolean =>
      publishers.every((publisher) => publisher.status().consumers.every(({ ready }) => !ready));
    // Less than `shutdown`, after which the next one would begin.
    await until(isDraining, 'both to drain', 5_000).finally(async () => {
      release.get(other)?.();
      await new Promise((resolve) => setImmediate(resolve));
      release.get(held)?.();
      await closing;
    });
    expect(running.all.sort()).toEqual(['default', 'second']);
  });

  it('hands batches to a handler, with a context per message', async () => {
    const got = new Collector<unknown[]>();
    @Injectable()
    class Batches {
      @Consume('batched', { batch: { size: 3, wait: '5s' } })
      work(@Payload() payloads: number[], @Ctx() context: RabbitBatchContext): void {
        context.items[1].reject('the second is bad');
        got.push([payloads, context.items.map(({ routingKey }) => routingKey)]);
      }
    }
    const app = await start({ imports: [RabbitModule.forRoot(options())], providers: [Batches] });
    const dead = new Collector<string>();
    app
      .get(Publisher)
      .on((event) => event.kind === 'settled' && event.delivery.payload === 2 && dead.push('settled'));
    await Promise.all([1, 2, 3].map((n) => app.get(Publisher).send('batched', n)));
    expect(await got.take(1)).toEqual([
      [
        [1, 2, 3],
        ['batched', 'batched', 'batched'],
      ],
    ]);
    await dead.take(1);
  });

  it('durable providers are made once per tenant', async () => {
    class ByTenant implements ContextIdStrategy<{ getData(): { tenant: string } }> {
      private readonly ids = new Map<string, ReturnType<typeof ContextIdFactory.create>>();
      attach(contextId: { id: number }, request: { getData(): { tenant: string } }) {
        const { tenant } = request.getData();
        const shared = this.ids.get(tenant) ?? ContextIdFactory.create();
        this.ids.set(tenant, shared);
        return {
          resolve: (info: { isTreeDurable: boolean }) => (info.isTreeDurable ? shared : contextId),
          payload: { tenant },
        };
      }
    }
    ContextIdFactory.apply(new ByTenant());
    let made = 0;
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class PerTenant {
      private readonly number = ++made;
      constructor(@Inject(REQUEST) private readonly request: { tenant: string }) {}
      @RpcHandler('tenant')
      answer(): unknown {
        return [this.request.tenant, this.number];
      }
    }
    const app = await start({ imports: [RabbitModule.forRoot(options())], providers: [PerTenant] });
    const ask = (tenant: string) => app.get(Publisher).request<[string, number]>('tenant', { tenant });
    const [a, b, again] = [await ask('a'), await ask('b'), await ask('a')];
    expect([a[0], b[0], again]).toEqual(['a', 'b', a]);
    expect(a[1]).not.toBe(b[1]);
  });
});
