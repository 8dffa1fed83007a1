// Interceptors, pipes and filters at every level, and parameter decorators of an application's own: on a
// controller and on a provider.

import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  createParamDecorator,
  Injectable,
  Module,
  UseFilters,
  UseInterceptors,
  UsePipes,
  type ArgumentMetadata,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Publisher, RabbitModule, RpcHandler, type RabbitContext } from '@warren/nestjs';
import { map, of, type Observable } from 'rxjs';
import { onEachBroker } from '../support/brokers.js';
import { apps } from '../support/nest.js';

/** An interceptor that leaves its mark on the answer. */
function marks(mark: string): Type<NestInterceptor> {
  @Injectable()
  class Marks implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map((value) => `${String(value)} ${mark}`));
    }
  }
  return Marks;
}

/** A pipe that leaves its mark on the payload. */
function pipes(mark: string): Type<PipeTransform> {
  @Injectable()
  class Pipes implements PipeTransform {
    transform(value: unknown, { type }: ArgumentMetadata): unknown {
      return type === 'body' ? `${String(value)} ${mark}` : value;
    }
  }
  return Pipes;
}

@Catch()
class Answers implements ExceptionFilter {
  catch(error: Error): unknown {
    return of(`filtered ${error.message}`);
  }
}

const Attempt = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  return context.switchToRpc().getContext<RabbitContext>().attempt;
});

function handlers(decorate: () => ClassDecorator): Type<unknown> {
  @decorate()
  @UseInterceptors(marks('class-interceptor'))
  @UsePipes(pipes('class-pipe'))
  @UseFilters(Answers)
  class Levels {
    @RpcHandler('levels')
    @UseInterceptors(marks('method-interceptor'))
    @UsePipes(pipes('method-pipe'))
    levels(@Payload(pipes('parameter-pipe')) payload: string): string {
      return payload;
    }

    @RpcHandler('fails')
    fails(): never {
      throw new Error('at class level');
    }

    @RpcHandler('own-decorator')
    own(@Attempt() attempt: number): number {
      return attempt;
    }
  }
  return Levels;
}

function bare(decorate: () => ClassDecorator): Type<unknown> {
  @decorate()
  class Bare {
    @RpcHandler('bare')
    bare(@Payload() payload: string): string {
      if (payload.startsWith('bad')) throw new Error('from below');
      return payload;
    }
  }
  return Bare;
}

const globals: Provider[] = [
  { provide: APP_INTERCEPTOR, useClass: marks('global-interceptor') },
  { provide: APP_PIPE, useClass: pipes('global-pipe') },
  { provide: APP_FILTER, useClass: Answers },
];

onEachBroker('enhancers', (broker) => {
  describe.each<[string, () => ClassDecorator, boolean]>([
    ['a controller', () => Controller(), true],
    ['a provider', () => Injectable(), false],
  ])('on %s', (_name, decorate, isController) => {
    async function start(
      host: Type<unknown>,
      extra: Provider[] = [],
      inheritGlobals = false,
    ): Promise<Publisher> {
      @Module({
        imports: [RabbitModule.forRoot({ url: broker.url, service: 'levels', inheritGlobals })],
        controllers: isController ? [host] : [],
        providers: [...(isController ? [] : [host]), ...extra],
      })
      class AppModule {}
      const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
      apps.push(app);
      return app.get(Publisher);
    }

    it('class, method and parameter level run in the order of Nest', async () => {
      const publisher = await start(handlers(decorate));
      await expect(publisher.request('levels', 'x')).resolves.toBe(
        'x class-pipe method-pipe parameter-pipe method-interceptor class-interceptor',
      );
      await expect(publisher.request('fails', 'x')).resolves.toBe('filtered at class level');
      await expect(publisher.request('own-decorator', 'x')).resolves.toBe('1 class-interceptor');
    });

    it('global ones run only with inheritGlobals', async () => {
      const without = await start(bare(decorate), globals);
      await expect(without.request('bare', 'x')).resolves.toBe('x');
      await apps.splice(0)[0].close();
      const inheriting = await start(bare(decorate), globals, true);
      await expect(inheriting.request('bare', 'x')).resolves.toBe('x global-pipe global-interceptor');
      await expect(inheriting.request('bare', 'bad')).resolves.toBe('filtered from below');
    });
  });
});
