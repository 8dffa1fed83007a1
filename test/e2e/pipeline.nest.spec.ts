// Guards, pipes, interceptors, filters and scopes on messages: every case on a controller and on a
// provider, on Nest 12 and (in the project nest11) on Nest 11.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  Controller,
  Injectable,
  InternalServerErrorException,
  Module,
  ParseIntPipe,
  Scope,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplicationContext,
  type NestInterceptor,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, NestFactory, Reflector, REQUEST } from '@nestjs/core';
import { Ctx, Payload, RpcException } from '@nestjs/microservices';
import { Catch, Inject } from '@nestjs/common';
import {
  Consume,
  Drop,
  Headers,
  Message,
  Properties,
  Publisher,
  RabbitContext,
  RabbitModule,
  Reject,
  RoutingKey,
  RpcHandler,
  Subscribe,
  type BrokerEvent,
  type RabbitModuleOptions,
} from '@warren/nestjs';
import { IsInt } from 'class-validator';
import { EMPTY, map, of, throwError, type Observable } from 'rxjs';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { apps } from '../support/nest.js';

@Injectable()
class Secrets {
  readonly word = 'open sesame';
}

@Injectable()
class Deny implements CanActivate {
  // Proves that dependencies are injected: without them this throws instead of denying.
  constructor(private readonly secrets: Secrets) {}
  canActivate(): boolean {
    return this.secrets.word !== 'open sesame';
  }
}

const Role = (role: string) => SetMetadata('role', role);

@Injectable()
class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext): boolean {
    const role = this.reflector.get<string>('role', context.getHandler());
    return context.getType() === 'rpc' && role === context.switchToRpc().getData<{ role?: string }>().role;
  }
}

@Injectable()
class Ailing implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToRpc().getData() === 'known') throw new InternalServerErrorException('no database');
    throw new Error('no database');
  }
}

@Injectable()
class Shout implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value) => `${String(value)}!`));
  }
}

@Catch(TypeError)
class AnswerFilter implements ExceptionFilter {
  catch(error: Error): unknown {
    return of(`caught ${error.message}`);
  }
}

@Catch()
class SilentFilter implements ExceptionFilter {
  catch(): void {}
}

@Catch()
class ReplacingFilter implements ExceptionFilter {
  catch(): unknown {
    return throwError(() => new RpcException({ code: 42, message: 'replaced' }));
  }
}

@Catch()
class DroppingFilter implements ExceptionFilter {
  catch(): unknown {
    return Drop();
  }
}

class Order {
  @IsInt()
  id!: number;
}

/** The handlers under test, put on whichever kind of host `decorate` makes. */
function handlers(
  decorate: (...scopes: { scope?: Scope; durable?: boolean }[]) => ClassDecorator,
): Type<unknown>[] {
  @decorate()
  class Plain {
    @RpcHandler('echo')
    echo(@Payload() payload: unknown): unknown {
      return payload;
    }

    @RpcHandler('parts')
    parts(
      @Payload('id', ParseIntPipe) id: number,
      @Headers('tenant') tenant: string,
      @Properties('messageId') messageId: string,
      @RoutingKey() key: string,
      @Message() message: { content: Buffer },
      @Ctx() context: RabbitContext,
    ): unknown {
      return { id, tenant, messageId, key, size: message.content.length, attempt: context.attempt };
    }

    @RpcHandler('guarded')
    @UseGuards(Deny)
    guarded(): string {
      return 'NOT DENIED';
    }

    @RpcHandler('role')
    @Role('admin')
    @UseGuards(RoleGuard)
    role(): string {
      return 'welcome';
    }

    @RpcHandler('shout')
    @UseInterceptors(Shout)
    shout(): string {
      return 'hey';
    }

    @RpcHandler('valid')
    @UsePipes(new ValidationPipe({ transform: true }))
    valid(@Payload() order: Order): unknown {
      return order instanceof Order ? order.id : 'no instance';
    }

    @RpcHandler('undecorated')
    @UsePipes(new ValidationPipe({ transform: true }))
    undecorated(order: Order): unknown {
      return order instanceof Order ? order.id : 'no instance';
    }

    @RpcHandler('observable')
    observable(): Observable<number> {
      return of(1, 2, 3);
    }

    @RpcHandler('promised')
    async promised(): Promise<Observable<number>> {
      return Promise.resolve(of(1, 2, 3));
    }

    @RpcHandler('empty')
    empty(): Observable<never> {
      return EMPTY;
    }

    @RpcHandler('late-error')
    @UseFilters(AnswerFilter)
    lateError(): Observable<never> {
      return throwError(() => new TypeError('late'));
    }

    @RpcHandler('filtered')
    @UseFilters(AnswerFilter)
    filtered(): never {
      throw new TypeError('early');
    }

    @RpcHandler('silenced')
    @UseFilters(SilentFilter)
    silenced(): never {
      throw new RpcException('still here');
    }

    @RpcHandler('replaced')
    @UseFilters(ReplacingFilter)
    replaced(): never {
      throw new Error('secret');
    }

    @RpcHandler('rpc-exception')
    rpcException(): never {
      throw new RpcException({ code: 'E_STOCK', message: 'sold out', left: 0 });
    }

    @RpcHandler('http-exception')
    httpException(): never {
      throw new BadRequestException('too many');
    }

    @RpcHandler('secret')
    secret(): never {
      throw new Error('password is 1234');
    }

    @Consume('swallowed', { retry: false })
    @UseFilters(SilentFilter)
    swallowed(): never {
      throw new Error('swallowed by a filter');
    }

    @Consume('dropped', { retry: false })
    @UseFilters(DroppingFilter)
    dropped(): never {
      throw new Error('dropped by a filter');
    }

    @Consume('rejected')
    rejected(): unknown {
      return Reject('returned, not thrown');
    }

    @Consume('denied')
    @UseGuards(Deny)
    denied(): void {}

    @Consume('unguarded', { retry: false })
    @UseGuards(Ailing)
    unguarded(): void {}

    @Consume('invalid')
    invalid(@Payload(new ValidationPipe()) _order: Order): void {}

    @Subscribe('stack.a')
    @Subscribe('stack.b')
    stacked(): void {}
  }

  @decorate()
  @UseGuards(Deny)
  class DeniedClass {
    @RpcHandler('class-guarded')
    guarded(): string {
      return 'NOT DENIED';
    }
  }

  let made = 0;
  @decorate({ scope: Scope.REQUEST })
  class PerMessage {
    private readonly number = ++made;
    constructor(@Inject(REQUEST) private readonly request: { getData(): unknown; getPattern(): string }) {}

    @RpcHandler('scoped')
    @UseInterceptors(Shout)
    scoped(@Payload() payload: unknown): unknown {
      return JSON.stringify([this.number, this.request.getData(), payload, this.request.getPattern()]);
    }
  }

  @decorate({ scope: Scope.REQUEST })
  class Broken {
    constructor() {
      throw new RpcException('no constructor today');
    }

    @RpcHandler('broken')
    broken(): void {}
  }

  return [Plain, DeniedClass, PerMessage, Broken];
}

const hosts: [string, Type<unknown>[], boolean][] = [
  ['controllers', handlers((options) => (options ? Controller(options) : Controller())), true],
  ['providers', handlers((options) => Injectable(options)), false],
];

async function start(
  url: string,
  classes: Type<unknown>[],
  areControllers: boolean,
  options: RabbitModuleOptions = {},
  extra: Provider[] = [],
): Promise<{ publisher: Publisher; app: INestApplicationContext; events: BrokerEvent[] }> {
  @Module({
    imports: [RabbitModule.forRoot({ url, service: 'table', queueType: 'classic', ...options })],
    controllers: areControllers ? classes : [],
    providers: [...(areControllers ? [] : classes), Secrets, Deny, RoleGuard, Shout, ...extra],
  })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  const publisher = app.get(Publisher);
  const events: BrokerEvent[] = [];
  publisher.on((event) => events.push(event));
  return { publisher, app, events };
}

onEachBroker('the pipeline', (broker) => {
  describe.each(hosts)('on %s', (_name, classes, areControllers) => {
    // One application for all of these tests: each uses handlers of its own.
    let publisher: Publisher;
    let app: INestApplicationContext;
    let events: BrokerEvent[];

    beforeAll(async () => {
      ({ publisher, app, events } = await start(broker.url, classes, areControllers));
    });
    afterAll(() => app.close());

    const call = (pattern: string, payload: unknown): Promise<unknown> =>
      publisher.request(pattern, payload, { headers: { tenant: 'acme' }, messageId: 'm-1' });

    it.each<[string, string, unknown, unknown]>([
      ['a payload', 'echo', { a: 1 }, { a: 1 }],
      ['undefined', 'echo', undefined, undefined],
      ['a guard that reads metadata and lets pass', 'role', { role: 'admin' }, 'welcome'],
      ['an interceptor', 'shout', {}, 'hey!'],
      ['a validated DTO', 'valid', { id: 7 }, 7],
      ['a validated DTO without decorator', 'undecorated', { id: 7 }, 7],
      ['the last value of an Observable', 'observable', {}, 3],
      ['the last value of a promised Observable', 'promised', {}, 3],
      ['an empty Observable', 'empty', {}, undefined],
      ['a filter for a late error', 'late-error', {}, 'caught late'],
      ['a filter that answers', 'filtered', {}, 'caught early'],
    ])('answers with %s', async (_case, pattern, payload, answer) => {
      await expect(call(pattern, payload)).resolves.toEqual(answer);
    });

    it('hands over the parts of a message', async () => {
      await expect(call('parts', { id: '12' })).resolves.toEqual({
        id: 12,
        tenant: 'acme',
        messageId: 'm-1',
        key: 'parts',
        size: 11,
        attempt: 1,
      });
    });

    it.each<[string, string, unknown, object]>([
      ['a guard on the method', 'guarded', {}, { remoteMessage: 'Forbidden resource' }],
      ['a guard on the class', 'class-guarded', {}, { remoteMessage: 'Forbidden resource' }],
      [
        'a guard that misses its metadata',
        'role',
        { role: 'guest' },
        { remoteMessage: 'Forbidden resource' },
      ],
      ['a pipe', 'parts', { id: 'x' }, { remoteName: 'BadRequestException', remoteCode: 400 }],
      ['a DTO that does not fit', 'valid', { id: 'x' }, { remoteCode: 400 }],
      ['a filter that says nothing', 'silenced', {}, { remoteMessage: 'still here' }],
      ['a filter that throws anew', 'replaced', {}, { remoteMessage: 'replaced', remoteCode: 42 }],
      [
        'RpcException',
        'rpc-exception',
        {},
        { remoteCode: 'E_STOCK', data: { code: 'E_STOCK', message: 'sold out', left: 0 } },
      ],
      ['HttpException', 'http-exception', {}, { remoteMessage: 'too many', remoteCode: 400 }],
      ['an error of a request-scoped constructor', 'broken', {}, { remoteMessage: 'no constructor today' }],
    ])('refuses with the error of %s', async (_case, pattern, payload, facts) => {
      await expect(call(pattern, payload)).rejects.toMatchObject({ name: 'RpcRemoteError', ...facts });
    });

    it('does not tell the message of an unknown error', async () => {
      const error = await call('secret', {}).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ remoteName: 'Error', remoteCode: 'INTERNAL' });
      expect(String(error)).not.toContain('1234');
    });

    it('makes a request-scoped instance per message', async () => {
      const answers = await Promise.all([1, 2].map((n) => publisher.request<string>('scoped', { n })));
      answers.push(await publisher.request<string>('scoped', { n: 3 }));
      const made = answers.map(
        (text) => JSON.parse(text.replace(/!$/, '')) as [number, unknown, unknown, string],
      );
      const [one] = made;
      expect(answers.every((text) => text.endsWith('!'))).toBe(true);
      expect(new Set(made.map(([instance]) => instance)).size).toBe(3);
      expect([one[1], one[2]]).toEqual([{ n: 1 }, { n: 1 }]);
      expect(one[3]).toBe('PerMessage.scoped');
    });

    it.each<[string, string, unknown, object]>([
      [
        'a filter that swallows is no success',
        'swallowed',
        {},
        { kind: 'dead-letter', reason: 'attempts-exhausted' },
      ],
      ['a filter may drop', 'dropped', {}, { kind: 'drop' }],
      ['a returned Reject counts', 'rejected', {}, { kind: 'dead-letter', reason: 'rejected' }],
      [
        'a guard that fails is no refusal',
        'unguarded',
        {},
        { kind: 'dead-letter', reason: 'attempts-exhausted' },
      ],
      [
        'a guard that fails in the words of HTTP is no refusal',
        'unguarded',
        'known',
        { kind: 'dead-letter', reason: 'attempts-exhausted' },
      ],
      ['a guard refusal is final', 'denied', {}, { kind: 'dead-letter', reason: 'rejected' }],
      [
        'a validation failure is final',
        'invalid',
        { id: 'x' },
        { kind: 'dead-letter', reason: 'undecodable' },
      ],
    ])('for messages: %s', async (_case, queue, payload, verdict) => {
      const before = events.length;
      await publisher.send(queue, payload);
      const handled = await until(
        () => events.slice(before).find((event) => event.kind === 'handled' && event.queue === queue),
        `queue '${queue}' to be handled`,
      );
      expect(handled).toMatchObject({ verdict });
    });

    it('runs global guards only with inheritGlobals', async () => {
      const deny: Provider = { provide: APP_GUARD, useClass: Deny };
      // Where the application of the other tests does not share the queues.
      const url = await broker.addVhost();
      const without = await start(url, classes, areControllers, {}, [deny]);
      apps.push(without.app);
      await expect(without.publisher.request('echo', 1)).resolves.toBe(1);
      await without.app.close();
      const inheriting = await start(url, classes, areControllers, { inheritGlobals: true }, [deny]);
      apps.push(inheriting.app);
      await expect(inheriting.publisher.request('echo', 1)).rejects.toMatchObject({
        remoteMessage: 'Forbidden resource',
      });
    });

    it('stacked decorators share the queue of their method', async () => {
      await publisher.publish('stack.a', 1);
      await publisher.publish('stack.b', 2);
      await until(
        () => events.filter((e) => e.kind === 'handled' && e.handler === 'Plain.stacked').length === 2,
        'both events',
      );
    });
  });
});
