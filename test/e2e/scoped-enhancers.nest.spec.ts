// Request-scoped and transient guards, pipes, interceptors and filters: those that belong to a handler run, constructed, and
// those of the HTTP side leave it alone. On Nest 12 and (in the project nest11) on Nest 11.

import { afterEach, describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import {
  BadRequestException,
  Catch,
  Controller,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ModuleMetadata,
  type NestInterceptor,
  type OnModuleInit,
  type PipeTransform,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, REQUEST } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, OnRabbitEvent, RabbitModule, RpcHandler } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { map, of, type Observable } from 'rxjs';

let rabbit: RabbitTesting | undefined;
afterEach(async () => {
  await rabbit?.stop();
  rabbit = undefined;
});

async function start(metadata: ModuleMetadata, inheritGlobals = false): Promise<RabbitTesting> {
  const root = RabbitModule.forRoot({
    service: 'scoped',
    queueType: 'classic',
    retry: false,
    inheritGlobals,
  });
  return (rabbit = await RabbitTesting.start({ ...metadata, imports: [root] }));
}

@Injectable()
class Words {
  readonly open = 'sesame';
}

/** What enhancers of a scope do with their own fields: all fail on an object whose constructor has not run. */
function enhancers(scope: Scope, made: string[] = []) {
  class Counted {
    private readonly open: string;
    constructor(@Inject(Words) words: Words) {
      this.open = words.open;
      made.push(new.target.name);
    }
    protected fits(word: unknown): boolean {
      if (typeof this.open !== 'string') throw new Error(`${this.constructor.name} was not constructed`);
      return this.open === word;
    }
  }
  @Injectable({ scope })
  class Guard extends Counted implements CanActivate {
    canActivate(context: { switchToRpc(): { getData(): unknown } }): boolean {
      return this.fits(context.switchToRpc().getData());
    }
  }
  @Injectable({ scope })
  class Pipe extends Counted implements PipeTransform {
    transform(value: unknown): unknown {
      if (!this.fits(value)) throw new BadRequestException('wrong word');
      return value;
    }
  }
  @Injectable({ scope })
  class Interceptor extends Counted implements NestInterceptor {
    intercept(_context: unknown, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map((value) => `${String(value)}, ${String(this.fits('x'))}`));
    }
  }
  @Injectable({ scope })
  @Catch()
  class Filter extends Counted implements ExceptionFilter {
    catch(error: Error): unknown {
      return of(`filtered ${error.message}, ${String(this.fits('x'))}`);
    }
  }
  return { Guard, Pipe, Interceptor, Filter };
}

describe('a request-scoped enhancer of the HTTP side', () => {
  const made: string[] = [];

  @Injectable({ scope: Scope.REQUEST })
  class Tenant implements NestInterceptor {
    private readonly tenant: unknown;
    constructor(@Inject(REQUEST) request: { readonly headers: { readonly tenant: string } }) {
      this.tenant = request.headers.tenant;
    }
    intercept(_context: unknown, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map((value) => [this.tenant, value]));
    }
  }
  const http: Provider = { provide: APP_INTERCEPTOR, useClass: Tenant };

  @Injectable()
  class Orders implements OnModuleInit {
    private count = 0;
    private base = -1_000;
    readonly heard: unknown[] = [];
    constructor() {
      made.push('Orders');
    }
    onModuleInit(): void {
      this.base = 10;
    }
    @RpcHandler('order.count')
    next(): number {
      return this.base + ++this.count;
    }
    @OnRabbitEvent('connected')
    connected(event: unknown): void {
      this.heard.push(event);
    }
  }

  it('leaves a provider with handlers the one instance that it is', async () => {
    made.length = 0;
    const test = await start({ providers: [Orders, http] });
    expect(await test.publisher.request('order.count', 1)).toBe(11);
    expect(await test.publisher.request('order.count', 1)).toBe(12);
    expect(made).toEqual(['Orders']);
    expect(test.get(Orders).heard.length).toBeGreaterThan(0);
  });

  it('is not made for the messages of a controller', async () => {
    @Controller()
    class Calls {
      @RpcHandler('controller.call')
      answer(@Payload() n: number): number {
        return n + 1;
      }
    }
    const { publisher } = await start({ controllers: [Calls], providers: [http] });
    expect(await publisher.request('controller.call', 1)).toBe(2);
  });
});

const scopes: [string, Scope][] = [
  ['transient', Scope.TRANSIENT],
  ['request-scoped', Scope.REQUEST],
];
const hosts: [string, (host: Type<unknown>) => ModuleMetadata][] = [
  ['a provider', (host) => ({ providers: [host] })],
  ['a controller', (host) => ({ controllers: [host] })],
  ['a provider under another token', (host) => ({ providers: [{ provide: 'other', useClass: host }] })],
  ['what a factory makes', (host) => ({ providers: [{ provide: 'made', useFactory: () => new host() }] })],
  ['a value', (host) => ({ providers: [{ provide: 'value', useValue: new host() }] })],
];

describe.each(scopes)('a %s enhancer', (_name, scope) => {
  it.each(hosts)('that is global runs on %s, given inheritGlobals', async (what, metadataOf) => {
    @(what === 'a controller' ? Controller() : Injectable())
    class Echo {
      @RpcHandler('echo')
      echo(@Payload() word: string): string {
        return word;
      }
      @RpcHandler('fail')
      fail(): never {
        throw new Error('early');
      }
    }
    const { Guard, Pipe, Interceptor, Filter } = enhancers(scope);
    const { controllers, providers = [] } = metadataOf(Echo);
    const withGlobals = (...globals: Provider[]) =>
      start({ controllers, providers: [Words, ...providers, ...globals] }, true);

    const guarded = await withGlobals({ provide: APP_GUARD, useClass: Guard });
    expect(await guarded.publisher.request('echo', 'sesame')).toBe('sesame');
    await expect(guarded.publisher.request('echo', 'x')).rejects.toThrow('Forbidden resource');
    await guarded.stop();

    const { publisher } = await withGlobals(
      { provide: APP_PIPE, useClass: Pipe },
      { provide: APP_INTERCEPTOR, useClass: Interceptor },
      { provide: APP_FILTER, useClass: Filter },
    );
    expect(await publisher.request('echo', 'sesame')).toBe('sesame, false');
    expect(await publisher.request('echo', 'x')).toBe('filtered wrong word, false');
    expect(await publisher.request('fail', 'sesame')).toBe('filtered early, false');
  });

  it.each(hosts.slice(0, 3))('of its class, method and parameters runs on %s', async (what, metadataOf) => {
    const made: string[] = [];
    const { Guard, Pipe, Interceptor, Filter } = enhancers(scope, made);
    @(what === 'a controller' ? Controller() : Injectable())
    class Local {
      @UseGuards(Guard)
      @RpcHandler('guarded')
      guarded(): string {
        return 'NOT DENIED';
      }
      @UsePipes(Pipe)
      @UseInterceptors(Interceptor)
      @UseFilters(Filter)
      @RpcHandler('piped')
      piped(@Payload() word: string): string {
        return word;
      }
      @RpcHandler('parameter')
      parameter(@Payload(Pipe) word: string): string {
        return word;
      }
    }
    const { controllers, providers = [] } = metadataOf(Local);
    const { publisher } = await start({ controllers, providers: [Words, ...providers] });
    made.length = 0;
    expect(await publisher.request('guarded', 'sesame')).toBe('NOT DENIED');
    await expect(publisher.request('guarded', 'x')).rejects.toThrow('Forbidden resource');
    expect(await publisher.request('piped', 'sesame')).toBe('sesame, false');
    expect(await publisher.request('piped', 'x')).toBe('filtered wrong word, false');
    expect(await publisher.request('parameter', 'sesame')).toBe('sesame');
    await expect(publisher.request('parameter', 'x')).rejects.toMatchObject({ remoteMessage: 'wrong word' });
    // A transient one belongs to the class, and was made when the application started.
    const guards = made.filter((name) => name === 'Guard').length;
    expect(guards).toBe(scope === Scope.TRANSIENT ? 0 : 2);
  });
});

it('a guard that another class brought to the module runs, constructed, for what a factory makes', async () => {
  const { Guard } = enhancers(Scope.REQUEST);
  @Injectable()
  class Other {
    @UseGuards(Guard)
    @RpcHandler('other')
    other(): void {}
  }
  class Made {
    @UseGuards(Guard)
    @RpcHandler('made')
    made(): string {
      return 'NOT DENIED';
    }
  }
  const made = { provide: 'made', useFactory: () => new Made() };
  const { publisher } = await start({ providers: [Words, Other, made] });
  expect(await publisher.request('made', 'sesame')).toBe('NOT DENIED');
  await expect(publisher.request('made', 'x')).rejects.toThrow('Forbidden resource');
});

it('a global guard per message knows the message, and the class beside it stays one instance', async () => {
  const seen: unknown[] = [];
  @Injectable({ scope: Scope.REQUEST })
  class Seeing implements CanActivate {
    constructor(@Inject(REQUEST) private readonly request: { getData(): unknown }) {}
    canActivate(): boolean {
      seen.push(this.request.getData());
      return true;
    }
  }
  let instances = 0;
  @Injectable()
  class Single {
    constructor() {
      instances++;
    }
    @Consume('single')
    take(): void {}
  }
  const test = await start({ providers: [Single, { provide: APP_GUARD, useClass: Seeing }] }, true);
  for (const n of [1, 2]) await test.publisher.send('single', n);
  await test.idle();
  expect(test.handled(Single, 'take')).toHaveLength(2);
  expect(seen.sort()).toEqual([1, 2]);
  expect(instances).toBe(1);
});
