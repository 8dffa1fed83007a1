// A gateway answers HTTP for calls that fail: 4xx for what its client can mend, 5xx for what is wrong behind it.
import { expect, it } from '@jest/globals';
import {
  BadRequestException,
  ConflictException,
  Controller,
  Get,
  Injectable,
  Module,
  Param,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { Payload, RpcException } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Publisher, RabbitModule, RpcHandler } from '@warren/nestjs';
import { z } from 'zod';
import { GatewayModule } from '../../docs/examples/gateway.js';
import { onEachBroker } from '../support/brokers.js';
import { apps } from '../support/nest.js';

class CardDeclined extends Error {
  readonly limit = 100;
}

class Blocked extends Error {
  static fromRemote({ message }: { message: string }): Blocked {
    return new Blocked(message);
  }
}

const errors = [CardDeclined, Blocked];

@Injectable()
class Payments {
  @RpcHandler('pay', { errors, schema: z.object({ cents: z.number() }) })
  pay(@Payload() { cents }: { cents: number }): number {
    if (cents === 1) throw new CardDeclined('over the limit');
    if (cents === 2) throw new ConflictException('paid already');
    if (cents === 3) throw new Error('SELECT secret');
    if (cents === 4) throw new Blocked('blocked for today');
    if (cents === 6) throw new RpcException({ code: 404.5, message: 'between' });
    return cents;
  }

  @RpcHandler('slow')
  slow(): Promise<never> {
    return new Promise(() => undefined);
  }
}

@Controller()
class Gateway {
  constructor(private readonly publisher: Publisher) {}

  @Get('call/:pattern/:cents')
  call(@Param('pattern') pattern: string, @Param('cents') cents: string): Promise<unknown> {
    const timeout = pattern === 'slow' ? 200 : '20s';
    const payload = cents === 'wrong' ? { cents } : { cents: Number(cents) };
    return this.publisher.request(pattern, payload, { timeout, errors });
  }

  @Get('wrapped')
  async wrapped(): Promise<never> {
    const cause: unknown = await this.publisher.request('pay', { cents: 3 }).catch((error: unknown) => error);
    throw new Error('row 17 of db-7', { cause });
  }

  @Get('own')
  own(): never {
    throw new BadRequestException('not a call');
  }
}

onEachBroker('an HTTP gateway', (broker) => {
  async function answers(
    adapter: AbstractHttpAdapter,
  ): Promise<(path: string, method?: string) => Promise<[number, unknown]>> {
    @Module({
      imports: [
        GatewayModule,
        RabbitModule.forRoot({ url: broker.url, service: 'gateway', queueType: 'classic', shutdown: 100 }),
      ],
      controllers: [Gateway],
      providers: [Payments],
    })
    class AppModule {}
    const app = await NestFactory.create(AppModule, adapter, { logger: false, abortOnError: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    return async (path, method = 'GET') => {
      const response = await fetch(`${url}/${path}`, { method });
      return [response.status, await response.json()];
    };
  }

  it.each([
    ['Express', () => new ExpressAdapter()],
    ['Fastify', () => new FastifyAdapter()],
  ])('answers on %s', async (_name, adapter) => {
    const get = await answers(adapter());
    expect(await get('call/pay/5')).toEqual([200, 5]);
    expect(await get('call/pay/wrong')).toEqual([
      400,
      {
        statusCode: 400,
        message: 'the request does not match its schema',
        issues: [{ path: 'cents', message: expect.any(String) }],
      },
    ]);
    expect(await get('call/pay/1')).toEqual([
      422,
      { statusCode: 422, message: 'over the limit', name: 'CardDeclined', data: { limit: 100 } },
    ]);
    expect(await get('call/pay/2')).toMatchObject([409, { message: 'paid already' }]);
    const [status, failed] = await get('call/pay/3');
    expect([status, failed]).toEqual([
      502,
      { statusCode: 502, message: 'a service failed', reference: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    ]);
    expect(await get('call/nobody/5')).toMatchObject([503, { statusCode: 503 }]);
    expect(await get('call/slow/5')).toMatchObject([504, { statusCode: 504 }]);
    expect(await get('payments/5', 'POST')).toEqual([201, 5]);
    expect(await get('payments/x', 'POST')).toMatchObject([400, { issues: [{ path: 'cents' }] }]);
    expect(await get('call/pay/4')).toEqual([
      422,
      { statusCode: 422, message: 'blocked for today', name: 'Blocked' },
    ]);
    expect(await get('call/pay/6')).toMatchObject([502, { message: 'a service failed' }]);
    expect(await get('wrapped')).toEqual([500, { statusCode: 500, message: 'Internal server error' }]);
    expect(await get('own')).toMatchObject([400, { message: 'not a call' }]);
  });
});
