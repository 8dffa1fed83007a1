// What is a handler: decorators above it, subclasses, copies and namesakes. Nothing that carries a decorator is left
// out in silence. On Nest 12 and (in the project nest11) on Nest 11.

import { describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import {
  Injectable,
  Module,
  Scope,
  UseGuards,
  type CanActivate,
  type ModuleMetadata,
  type Provider,
  type Type,
} from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  Consume,
  OnRabbitEvent,
  Publisher,
  RabbitContext,
  RabbitModule,
  RpcHandler,
  Subscribe,
  type RabbitModuleOptions,
} from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { apps } from '../support/nest.js';

/** As tracing and transaction decorators are written by hand: another function, and nothing of the old one's. */
const Traced: MethodDecorator = (_target, _name, descriptor: PropertyDescriptor) => {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = async function traced(this: unknown, ...args: unknown[]): Promise<unknown> {
    return `traced ${String(await method.apply(this, args))}`;
  };
};

const deny: CanActivate = { canActivate: () => false };

function moduleOf(metadata: ModuleMetadata, name: string): Type<unknown> {
  const made = { [name]: class {} }[name];
  Module(metadata)(made);
  return made;
}

onEachBroker('what is a handler', (broker) => {
  const options = (more: RabbitModuleOptions = {}): RabbitModuleOptions => {
    return { url: broker.url, service: 'identity', queueType: 'classic', ...more };
  };

  async function start(
    providers: Provider[],
    imports: NonNullable<ModuleMetadata['imports']> = [],
  ): Promise<Publisher> {
    const root = moduleOf({ imports: [RabbitModule.forRoot(options()), ...imports], providers }, 'Root');
    const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
    apps.push(app);
    return app.get(Publisher);
  }

  it('a decorator above that replaces the method, with the guards below it', async () => {
    @Injectable()
    class Wrapped {
      @Traced
      @RpcHandler('wrapped')
      wrapped(@Payload() text: string): string {
        return text;
      }

      @Traced
      @UseGuards(deny)
      @RpcHandler('guarded')
      guarded(): string {
        return 'NOT DENIED';
      }
    }
    const publisher = await start([Wrapped]);
    expect(await publisher.request('wrapped', 'hello')).toBe('traced hello');
    await expect(publisher.request('guarded', 1)).rejects.toThrow('Forbidden resource');
  });

  it('a method that an instance binds to itself keeps its guards', async () => {
    @Injectable()
    class Bound {
      constructor() {
        this.bound = this.bound.bind(this);
      }
      @UseGuards(deny)
      @RpcHandler('bound')
      bound(): string {
        return 'NOT DENIED';
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class BoundPerMessage {
      constructor() {
        this.bound = this.bound.bind(this);
      }
      @UseGuards(deny)
      @RpcHandler('bound.scoped')
      bound(): string {
        return 'NOT DENIED';
      }
    }
    const publisher = await start([Bound, BoundPerMessage]);
    await expect(publisher.request('bound', 1)).rejects.toThrow('Forbidden resource');
    await expect(publisher.request('bound.scoped', 1)).rejects.toThrow('Forbidden resource');
  });

  it('an override without the decorator, a decorated one, and a method copied from a mixin', async () => {
    class Base {
      @UseGuards({ canActivate: (context) => context.switchToRpc().getData() !== 'denied' })
      @RpcHandler('inherited')
      inherited(_text: string): string {
        return 'base';
      }
      @RpcHandler('renamed')
      renamed(): string {
        return 'base';
      }
    }
    class Mixin {
      @RpcHandler('mixed.in')
      mixedIn(): string {
        return 'mixed in';
      }
    }
    @Injectable()
    class Derived extends Base {
      override inherited(text: string): string {
        return `derived ${text}`;
      }
      @RpcHandler('renamed.derived')
      override renamed(): string {
        return 'derived';
      }
    }
    Object.defineProperty(
      Derived.prototype,
      'mixedIn',
      Object.getOwnPropertyDescriptor(Mixin.prototype, 'mixedIn') ?? {},
    );
    const publisher = await start([Derived]);
    expect(await publisher.request('inherited', 'x')).toBe('derived x');
    await expect(publisher.request('inherited', 'denied')).rejects.toThrow('Forbidden resource');
    expect(await publisher.request('renamed.derived', 1)).toBe('derived');
    await expect(publisher.request('renamed', 1)).rejects.toMatchObject({ name: 'RpcNoServerError' });
    expect(await publisher.request('mixed.in', 1)).toBe('mixed in');
  });

  it('the same object under several tokens, once, with its guards by class', async () => {
    @Injectable()
    class Denying implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    const heard: object[] = [];
    @Injectable()
    class One {
      @RpcHandler('one')
      @UseGuards(Denying)
      one(): string {
        return 'NOT DENIED';
      }
      @OnRabbitEvent('connected')
      onConnected(event: object): void {
        heard.push(event);
      }
    }
    const again = { provide: 'again', useFactory: (one: One) => one, inject: [One] };
    for (const providers of [
      [One, again],
      [again, One],
    ]) {
      heard.length = 0;
      const publisher = await start([Denying, ...providers]);
      await expect(publisher.request('one', 1)).rejects.toThrow('Forbidden resource');
      expect(heard.length).toBeGreaterThan(0);
      expect(new Set(heard).size).toBe(heard.length);
      await apps.splice(0)[0].close();
    }
  });

  describe('refused at boot, by name', () => {
    it.each<[string, () => Provider[], RegExp]>([
      [
        'a generator of messages',
        () => {
          class Gen {
            @Consume('gen')
            *take(): Generator<number> {
              yield 1;
            }
          }
          return [Gen];
        },
        /Gen\.take is a generator/,
      ],
      [
        'a generator of events, behind another decorator',
        () => {
          class Gen {
            @Traced
            @Subscribe('gen.*')
            async *take(): AsyncGenerator<number> {
              yield await Promise.resolve(1);
            }
          }
          return [Gen];
        },
        /Gen\.take is a generator/,
      ],
      [
        'two objects of one class',
        () => {
          class Twice {
            @Consume('twice')
            take(): void {}
          }
          return [Twice, { provide: 'other', useFactory: () => new Twice() }];
        },
        /Twice has handlers and is provided twice, by Root and Root \(as other\)/,
      ],
      [
        'what is no method any more',
        () => {
          class Gone {
            @Consume('gone')
            take(): void {}
          }
          Object.defineProperty(Gone.prototype, 'take', { value: 'text' });
          return [Gone];
        },
        /Gone\.take was decorated as a method and is no longer one/,
      ],
    ])('%s', async (_what, providers, message) => {
      await expect(start(providers())).rejects.toThrow(message);
    });

    it('methods without a name, and properties', () => {
      const symbol = Symbol('take');
      expect(() => {
        class Symbolic {
          @Consume('symbolic')
          [symbol](): void {}
        }
        return Symbolic;
      }).toThrow(/Symbolic\[Symbol\(take\)\] cannot handle messages: it has no name/);
      expect(() => {
        class Symbolic {
          @OnRabbitEvent('connected')
          [symbol](): void {}
        }
        return Symbolic;
      }).toThrow(/cannot hear events/);
      expect(() => {
        class Property {
          take = (): void => undefined;
        }
        (Consume('property') as PropertyDecorator)(Property.prototype, 'take');
      }).toThrow(/Property\.take cannot handle messages/);
    });
  });

  describe('classes of one name', () => {
    const namesake = (decorator: MethodDecorator, log: string[], word: string): Type<{ on(): void }> => {
      @Injectable()
      class OrderHandlers {
        on(): void {
          log.push(word);
          throw new Error(word);
        }
      }
      decorator(
        OrderHandlers.prototype,
        'on',
        Object.getOwnPropertyDescriptor(OrderHandlers.prototype, 'on') ?? {},
      );
      return OrderHandlers;
    };

    it('with subscriptions that would share a queue are refused, naming both modules', async () => {
      const one = namesake(Subscribe('order.created'), [], 'one');
      const other = namesake(Subscribe('order.*'), [], 'other');
      await expect(
        start([], [moduleOf({ providers: [one] }, 'Billing'), moduleOf({ providers: [other] }, 'Shipping')]),
      ).rejects.toThrow(
        /two classes are called OrderHandlers, one in Billing and one in Shipping.*<service>\.OrderHandlers\.on.*queue:/,
      );
    });

    it('with queues of their own live side by side, and tests tell them apart', async () => {
      const log: string[] = [];
      const retry = { delays: 10, jitter: false };
      const one = namesake(
        Subscribe('twin.one', { queue: 'q.one', retry: { ...retry, attempts: 2 } }),
        log,
        'one',
      );
      const two = namesake(
        Subscribe('twin.two', { queue: 'q.two', retry: { ...retry, attempts: 4 } }),
        log,
        'two',
      );
      const rabbit = await RabbitTesting.start({
        imports: [
          RabbitModule.forRoot({ service: 'twins', queueType: 'classic' }),
          moduleOf({ providers: [one] }, 'Billing'),
          moduleOf({ providers: [two] }, 'Shipping'),
        ],
      });
      try {
        await rabbit.publisher.publish('twin.two', 2);
        await rabbit.publisher.publish('twin.one', 1);
        await rabbit.idle();
        expect(rabbit.failed(one, 'on').map(({ payload }) => payload)).toEqual([1, 1]);
        expect(rabbit.failed(two, 'on').map(({ payload }) => payload)).toEqual([2, 2, 2, 2]);
        expect(rabbit.handled(two, 'on')).toEqual([]);
        expect(rabbit.dead('q.one').map(({ handler }) => handler)).toEqual(['OrderHandlers.on (Billing)']);
      } finally {
        await rabbit.stop();
      }
    });
  });

  describe('modules that are loaded lazily', () => {
    @Injectable()
    class Late {
      @Consume('late')
      take(): void {}
    }

    it.each<[string, ModuleMetadata, RegExp]>([
      ['handlers', { providers: [Late] }, /Late\.take is in a lazily loaded module/],
      ['a topology', { imports: [RabbitModule.forFeature({ queues: [{ name: 'x' }] })] }, /forFeature/],
      ['a connection', { imports: [RabbitModule.forRoot('late', {})] }, /forRoot\('late'\)/],
    ])('say that %s come too late', async (_what, metadata, message) => {
      await start([]);
      const loader = apps[0].get(LazyModuleLoader);
      await expect(loader.load(() => moduleOf(metadata, 'LateModule'))).rejects.toThrow(message);
    });

    it('say so without a connection from the start, too', async () => {
      const app = await NestFactory.createApplicationContext(moduleOf({}, 'Root'), { logger: false });
      apps.push(app);
      const late = moduleOf({ imports: [RabbitModule.forRoot(options())], providers: [Late] }, 'LateModule');
      await expect(app.get(LazyModuleLoader).load(() => late)).rejects.toThrow(/forRoot\('default'\)/);
    });

    it('may publish', async () => {
      await start([]);
      @Injectable()
      class Sender {
        constructor(readonly publisher: Publisher) {}
      }
      const ref = await apps[0]
        .get(LazyModuleLoader)
        .load(() => moduleOf({ providers: [Sender] }, 'SenderModule'));
      await expect(ref.get(Sender).publisher.publish('nobody.hears', 1)).resolves.toMatchObject({
        routed: false,
      });
    });
  });

  it('options functions run once, however many connections there are', async () => {
    let calls = 0;
    @Injectable()
    class Configured {
      @Consume(() => ({ queue: `configured.${++calls}` }))
      take(): void {}
    }
    await start(
      [Configured],
      [RabbitModule.forRoot('second', options()), RabbitModule.forRoot('third', options())],
    );
    expect(calls).toBe(1);
  });

  it('one method on two connections knows which of them it works for', async () => {
    const other = await broker.addVhost();
    const seen: string[] = [];
    @Injectable()
    class Tenants {
      @Consume('tenant')
      @Consume('tenant', { connection: 'acme' })
      take(@Payload() payload: string, @Ctx() context: RabbitContext): void {
        seen.push(`${context.connection} ${payload}`);
      }
    }
    const publisher = await start([Tenants], [RabbitModule.forRoot('acme', options({ url: other }))]);
    await publisher.send('tenant', 'one');
    await apps[0].get<Publisher>('warren:publisher:acme').send('tenant', 'two');
    await until(() => seen.length === 2, 'both messages');
    expect(seen.sort()).toEqual(['acme two', 'default one']);
  });

  it('a Publisher among the providers of a feature module just works', async () => {
    @Injectable()
    class Feature {
      constructor(readonly publisher: Publisher) {}
    }
    await start([], [moduleOf({ providers: [Publisher, Feature] }, 'FeatureModule')]);
    const { publisher } = apps[0].get(Feature, { strict: false });
    await expect(publisher.publish('feature', 1)).resolves.toMatchObject({ routed: false });
  });
});
