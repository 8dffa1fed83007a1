// Filters, scopes and what is left behind: promises of the pipeline that a slip could break without a sound. On Nest 12
// and (in the project nest11) on Nest 11.

import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import {
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseInterceptors,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type OnModuleInit,
} from '@nestjs/common';
import { ContextIdFactory, NestFactory, REQUEST, type ContextIdStrategy } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { Consume, Publisher, RabbitContext, RabbitModule, RpcHandler } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { connect } from 'amqplib';
import { from, Observable, of } from 'rxjs';

const root = () => RabbitModule.forRoot({ service: 'scopes', queueType: 'classic', retry: false });

@Catch()
class Answers implements ExceptionFilter {
  catch(error: Error): unknown {
    return of(`filtered ${error.message}`);
  }
}

let rabbit: RabbitTesting | undefined;
afterEach(async () => {
  await rabbit?.stop();
  rabbit = undefined;
});

describe('filters', () => {
  it('make no success of a failed message, whatever they return', async () => {
    @Injectable()
    @UseFilters(Answers)
    class Failing {
      @Consume('failing')
      take(): never {
        throw new Error('disk full');
      }
    }
    rabbit = await RabbitTesting.start({ imports: [root()], providers: [Failing] });
    await rabbit.publisher.send('failing', 1);
    await rabbit.idle();
    expect(rabbit.handled(Failing, 'take')).toEqual([]);
    expect(rabbit.dead('failing')).toMatchObject([{ error: { message: 'disk full' } }]);
  });

  it('hear of a constructor that throws, when it runs for each message', async () => {
    @Injectable({ scope: Scope.REQUEST })
    @UseFilters(Answers)
    class Broken {
      constructor() {
        throw new Error('no constructor today');
      }
      @RpcHandler('broken')
      broken(): void {}
    }
    rabbit = await RabbitTesting.start({ imports: [root()], providers: [Broken] });
    expect(await rabbit.publisher.request('broken', 1)).toBe('filtered no constructor today');
  });
});

describe('scopes', () => {
  it('a durable provider gets what the strategy says of its tenant, and never a message', async () => {
    const shared = ContextIdFactory.create();
    const strategy: ContextIdStrategy = {
      attach: (contextId) => ({
        resolve: ({ isTreeDurable }) => (isTreeDurable ? shared : contextId),
        payload: { tenant: 'acme' },
      }),
    };
    ContextIdFactory.apply(strategy);
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class PerTenant {
      constructor(@Inject(REQUEST) private readonly request: object) {}
      @RpcHandler('durable')
      answer(): unknown {
        return { ...this.request, isMessage: 'getData' in this.request };
      }
    }
    rabbit = await RabbitTesting.start({ imports: [root()], providers: [PerTenant] });
    expect(await rabbit.publisher.request('durable', { secret: 1 })).toEqual({
      tenant: 'acme',
      isMessage: false,
    });
  });

  it('what an interceptor stores for one message is not seen by those beside it', async () => {
    const store = new AsyncLocalStorage<number>();
    class Storing implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return store.run(context.switchToRpc().getData<number>(), () => next.handle());
      }
    }
    @Injectable()
    @UseInterceptors(new Storing())
    class Parallel {
      @RpcHandler('parallel')
      async one(@Payload() n: number): Promise<unknown> {
        await new Promise((resolve) => setImmediate(resolve));
        return [n, store.getStore()];
      }
      @RpcHandler('parallel.items')
      async *many(@Payload() n: number): AsyncGenerator<unknown> {
        for (let i = 0; i < 3; i++) {
          await new Promise((resolve) => setImmediate(resolve));
          yield [n, store.getStore()];
        }
      }
    }
    rabbit = await RabbitTesting.start({ imports: [root()], providers: [Parallel] });
    const { publisher } = rabbit;
    const all = Array.from({ length: 20 }, (_, n) => n);
    expect(await Promise.all(all.map((n) => publisher.request('parallel', n)))).toEqual(
      all.map((n) => [n, n]),
    );
    const streams = all.map(async (n) => {
      const items: unknown[] = [];
      for await (const item of publisher.stream('parallel.items', n)) items.push(item);
      return items;
    });
    expect(await Promise.all(streams)).toEqual(
      all.map((n) => [
        [n, n],
        [n, n],
        [n, n],
      ]),
    );
  });

  it('a call to a handler of the same process goes through with a prefetch of one', async () => {
    @Injectable()
    class Nested {
      constructor(private readonly publisher: Publisher) {}
      @RpcHandler('outer', { prefetch: 1 })
      outer(@Payload() n: number): Promise<number> {
        return this.publisher.request<number>('inner', n);
      }
      @RpcHandler('inner', { prefetch: 1 })
      inner(@Payload() n: number): number {
        return n + 1;
      }
    }
    rabbit = await RabbitTesting.start({ imports: [root()], providers: [Nested] });
    const { publisher } = rabbit;
    expect(await Promise.all([1, 2, 3].map((n) => publisher.request('outer', n)))).toEqual([2, 3, 4]);
  });
});

describe('what is left behind', () => {
  it('an Observable that ends by itself leaves no listener on the signal of its message', async () => {
    const signals: AbortSignal[] = [];
    @Injectable()
    class Ending {
      @Consume('ending')
      take(_payload: unknown, @Ctx() { signal }: RabbitContext): Observable<number> {
        signals.push(signal);
        return from([1, 2]);
      }
    }
    rabbit = await RabbitTesting.start({ imports: [root()], providers: [Ending] });
    await rabbit.publisher.send('ending', 1);
    await rabbit.idle();
    expect(signals.map((signal) => getEventListeners(signal, 'abort').length)).toEqual([0]);
  });

  it('a test that leaves a connection open is told when it stops', async () => {
    // On the embedded broker: RabbitMQ does not tell a test which connections are open.
    const { RABBITMQ_URL: other } = process.env;
    delete process.env.RABBITMQ_URL;
    try {
      const leaking = await RabbitTesting.start({ imports: [root()] });
      const connection = await connect(leaking.url);
      connection.on('error', () => undefined);
      await expect(leaking.stop()).rejects.toThrow('left open after closing: 1 connections');
    } finally {
      if (other !== undefined) process.env.RABBITMQ_URL = other;
    }
  });
});

describe('a hybrid application', () => {
  it('answers over HTTP, over another transport and over RabbitMQ, and closes all three', async () => {
    @Controller()
    class Everywhere implements OnModuleInit {
      started = false;
      constructor(private readonly publisher: Publisher) {}
      onModuleInit(): void {
        this.started = true;
      }
      @Get()
      http(): Promise<string> {
        return this.publisher.request('hybrid', 'http');
      }
      @MessagePattern('hybrid')
      tcp(@Payload() from: string): string {
        return `tcp for ${from}`;
      }
      @RpcHandler('hybrid')
      rabbit(@Payload() from: string): string {
        return `rabbit for ${from}`;
      }
    }
    const broker = (rabbit = await RabbitTesting.start({}));
    @Module({
      imports: [RabbitModule.forRoot({ url: broker.url, service: 'hybrid', queueType: 'classic' })],
      controllers: [Everywhere],
    })
    class Hybrid {}
    const port = await freePort();
    const app: INestApplication = await NestFactory.create(Hybrid, { logger: false });
    app.connectMicroservice({ transport: Transport.TCP, options: { port } }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.listen(0);
    const response = await fetch(await app.getUrl());
    expect(await response.text()).toBe('rabbit for http');
    await app.close();
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
