// What handlers answer with, seen by interceptors and filters: a generator is its items, one by one, never a value
// that passes them unseen. On Nest 12 and (in the project nest11) on Nest 11.

import { describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import {
  Catch,
  ClassSerializerInterceptor,
  Controller,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseInterceptors,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Publisher, RabbitModule, RpcHandler } from '@warren/nestjs';
import { Exclude } from 'class-transformer';
import { catchError, from, map, of, tap, timeout, toArray, type Observable } from 'rxjs';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { apps } from '../support/nest.js';

class User {
  constructor(readonly name: string) {}
  @Exclude()
  readonly password = 'hunter2';
}

const NAMES = ['ada', 'bob', 'eve'];

/** The same three users in every way in which a method can answer. */
function styles(decorate: () => ClassDecorator, method: MethodDecorator): Type<unknown> {
  const users = (): User[] => NAMES.map((name) => new User(name));
  @decorate()
  class Styles {
    @method
    @RpcHandler('value')
    value(): User {
      return users()[2];
    }

    @method
    @RpcHandler('promise')
    async promise(): Promise<User> {
      return Promise.resolve(users()[2]);
    }

    @method
    @RpcHandler('array')
    array(): User[] {
      return users();
    }

    @method
    @RpcHandler('observable')
    observable(): Observable<User> {
      return from(users());
    }

    @method
    @RpcHandler('generator')
    *generator(): Generator<User> {
      yield* users();
    }

    @method
    @RpcHandler('promised')
    *promised(): Generator<Promise<User>> {
      for (const user of users()) yield Promise.resolve(user);
    }

    @method
    @RpcHandler('async-generator')
    async *asyncGenerator(): AsyncGenerator<User> {
      for (const user of users()) yield await Promise.resolve(user);
    }

    @method
    @RpcHandler('iterable')
    async iterable(): Promise<AsyncIterable<User>> {
      return Promise.resolve({ [Symbol.asyncIterator]: () => this.asyncGenerator() });
    }

    @method
    @RpcHandler('nested')
    nested(): Observable<AsyncIterable<User>> {
      return of(this.asyncGenerator());
    }

    @method
    @RpcHandler('gathered', { broadcast: true })
    async *gathered(): AsyncGenerator<User> {
      yield* this.asyncGenerator();
    }
  }
  return Styles;
}

const MANY = ['observable', 'generator', 'promised', 'async-generator', 'iterable', 'nested'];
const nothing: MethodDecorator = () => undefined;
onEachBroker('answers of every style', (broker) => {
  async function start(host: Type<unknown>, isController: boolean, isGlobal = false): Promise<Publisher> {
    @Module({
      imports: [RabbitModule.forRoot({ url: broker.url, service: 'items', inheritGlobals: isGlobal })],
      controllers: isController ? [host] : [],
      providers: [
        ...(isController ? [] : [host]),
        ...(isGlobal ? [{ provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor }] : []),
      ],
    })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    apps.push(app);
    return app.get(Publisher);
  }

  describe.each<[string, () => Type<unknown>, boolean, boolean]>([
    [
      'a class of a controller',
      () =>
        styles(
          () => (target) => (Controller()(target), UseInterceptors(ClassSerializerInterceptor)(target)),
          nothing,
        ),
      true,
      false,
    ],
    [
      'methods of a provider',
      () => styles(() => Injectable(), UseInterceptors(ClassSerializerInterceptor)),
      false,
      false,
    ],
    [
      'methods of a request-scoped class',
      () => styles(() => Injectable({ scope: Scope.REQUEST }), UseInterceptors(ClassSerializerInterceptor)),
      false,
      false,
    ],
    ['the application', () => styles(() => Injectable(), nothing), false, true],
  ])('a serializer on %s', (_where, host, isController, isGlobal) => {
    it('keeps passwords from the wire', async () => {
      const publisher = await start(host(), isController, isGlobal);
      const all = NAMES.map((name) => ({ name }));
      for (const pattern of ['value', 'promise', ...MANY]) {
        expect([pattern, await publisher.request(pattern, 1)]).toEqual([pattern, all[2]]);
      }
      expect(await publisher.request('array', 1)).toEqual(all);
      for (const pattern of MANY) {
        const items: unknown[] = [];
        for await (const item of publisher.stream(pattern, 1)) items.push(item);
        expect([pattern, items]).toEqual([pattern, all]);
      }
      const [answer] = await publisher.gather('gathered', 1, { expect: 1 });
      expect(answer).toMatchObject({ value: all[2] });
    });
  });

  it('interceptors and filters work on each item, and stop the generator', async () => {
    const told: string[] = [];
    const interceptor = (change: (items: Observable<unknown>) => Observable<unknown>): NestInterceptor => ({
      intercept: (_context: ExecutionContext, next: CallHandler) => change(next.handle()),
    });
    @Catch()
    class Filter implements ExceptionFilter {
      catch(error: Error): unknown {
        return of(`filtered ${error.message}`);
      }
    }
    async function* numbers(upTo: number, failsWith?: string): AsyncGenerator<number> {
      try {
        for (let n = 1; n <= upTo; n++) yield await Promise.resolve(n);
        if (failsWith) throw new Error(failsWith);
      } finally {
        told.push('finally');
      }
    }
    @Injectable()
    class Numbers {
      @RpcHandler('wrapped')
      @UseInterceptors(interceptor((items) => items.pipe(map((data) => ({ data })))))
      wrapped(): AsyncGenerator<number> {
        return numbers(2);
      }

      @RpcHandler('tapped')
      @UseInterceptors(
        interceptor((items) =>
          items.pipe(
            tap({ next: (n) => told.push(`item ${String(n)}`), complete: () => told.push('complete') }),
          ),
        ),
      )
      tapped(): AsyncGenerator<number> {
        return numbers(2);
      }

      @RpcHandler('caught')
      @UseInterceptors(
        interceptor((items) => items.pipe(catchError((error: Error) => of(`caught ${error.message}`)))),
      )
      caught(): AsyncGenerator<number> {
        return numbers(1, 'disk full');
      }

      @RpcHandler('filtered')
      @UseInterceptors(interceptor((items) => items))
      @UseFilters(Filter)
      filtered(): AsyncGenerator<number> {
        return numbers(1, 'disk full');
      }

      @RpcHandler('listed')
      @UseInterceptors(interceptor((items) => items.pipe(toArray())))
      listed(): AsyncGenerator<number> {
        return numbers(3);
      }

      @RpcHandler('late')
      @UseInterceptors(
        interceptor((items) =>
          items.pipe(
            timeout(20),
            catchError(() => of('too late')),
          ),
        ),
      )
      async *late(): AsyncGenerator<number> {
        yield 1;
        await new Promise(() => undefined);
      }
    }
    const publisher = await start(Numbers, false);
    const stream = async (pattern: string): Promise<unknown[]> => {
      const items: unknown[] = [];
      for await (const item of publisher.stream(pattern, 1)) items.push(item);
      return items;
    };
    expect(await stream('wrapped')).toEqual([{ data: 1 }, { data: 2 }]);
    told.length = 0;
    expect(await stream('tapped')).toEqual([1, 2]);
    expect(told).toEqual(['item 1', 'item 2', 'finally', 'complete']);
    expect(await stream('caught')).toEqual([1, 'caught disk full']);
    expect(await stream('filtered')).toEqual([1, 'filtered disk full']);
    expect(await stream('listed')).toEqual([[1, 2, 3]]);
    expect(await stream('late')).toEqual([1, 'too late']);
    expect(await publisher.request('caught', 1)).toBe('caught disk full');
    expect(await publisher.request('filtered', 1)).toBe('filtered disk full');
    expect(await publisher.request('listed', 1)).toEqual([1, 2, 3]);
  });

  it('a caller who reads slowly holds the generator back, also behind an interceptor', async () => {
    let made = 0;
    let ended = false;
    @Injectable()
    @UseInterceptors(ClassSerializerInterceptor)
    class Endless {
      @RpcHandler('endless')
      async *endless(@Payload() _payload: unknown): AsyncGenerator<number> {
        try {
          for (;;) yield await Promise.resolve(++made);
        } finally {
          ended = true;
        }
      }
    }
    const publisher = await start(Endless, false);
    const stream = publisher.stream<number>('endless', 1, { credit: 5 });
    expect((await stream.next()).value).toBe(1);
    // Read one by one, it is never more than the credit ahead.
    for (let read = 2; read <= 40; read++) {
      expect((await stream.next()).value).toBe(read);
      expect(made).toBeLessThanOrEqual(read + 5);
    }
    await stream.return?.();
    await until(() => ended, 'the generator to end');
  });
});
