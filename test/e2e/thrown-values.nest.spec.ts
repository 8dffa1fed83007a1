// JavaScript can throw anything, and so can handlers of Nest. What the caller learns of it: all of what was meant for
// it, nothing of the rest unless the server says so, and never an empty phrase.

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Injectable,
  UseFilters,
  type ExceptionFilter,
  type INestApplicationContext,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BaseRpcExceptionFilter, Payload, RpcException } from '@nestjs/microservices';
import { Publisher, RabbitModule, RpcHandler, type RpcRemoteError } from '@warren/nestjs';
import { throwError, type Observable } from 'rxjs';
import { onEachBroker } from '../support/brokers.js';

const VALUES: Record<string, unknown> = {
  object: { reason: 'x', code: 'E_X' },
  message: { message: 'sold out', left: 0 },
  text: 'text',
  undefined,
  exception: new RpcException({ status: 404, reason: 'x' }),
};

@Catch()
class PayloadFilter implements ExceptionFilter {
  catch(): Observable<never> {
    return throwError(() => ({ status: 'error', why: 'a filter' }));
  }
}

@Catch()
class PassingFilter implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

@Injectable()
class Throws {
  @RpcHandler('plain')
  plain(@Payload() what: string): never {
    throw VALUES[what];
  }

  @RpcHandler('filtered')
  @UseFilters(PayloadFilter)
  filtered(): never {
    throw new Error('secret');
  }

  @RpcHandler('passed')
  @UseFilters(PassingFilter)
  passed(@Payload() what: string): never {
    throw VALUES[what];
  }

  @RpcHandler('nests-own')
  @UseFilters(new BaseRpcExceptionFilter())
  nestsOwn(@Payload() what: string): never {
    throw VALUES[what];
  }
}

onEachBroker('values that are thrown', (broker) => {
  let app: INestApplicationContext | undefined;
  afterEach(() => app?.close());

  const failure = async (exposeErrors: boolean, pattern: string, what: string): Promise<RpcRemoteError> => {
    const options = {
      url: broker.url,
      service: 'throws',
      queueType: 'classic',
      rpc: { exposeErrors },
    } as const;
    const root = { module: class {}, imports: [RabbitModule.forRoot(options)], providers: [Throws] };
    app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
    return app
      .get(Publisher)
      .request(pattern, what)
      .then(
        () => {
          throw new Error('it answered');
        },
        (error: RpcRemoteError) => error,
      );
  };

  describe('of a service that exposes its errors', () => {
    it.each<[string, string, object]>([
      [
        'object',
        'an object without a message',
        {
          remoteName: 'object',
          remoteMessage: 'the handler threw an object without a message: see its data',
          remoteCode: 'E_X',
          data: { reason: 'x', code: 'E_X' },
        },
      ],
      [
        'message',
        'an object with a message',
        { remoteMessage: 'sold out', data: { message: 'sold out', left: 0 } },
      ],
      ['text', 'a text', { remoteName: 'string', remoteMessage: 'text' }],
      ['undefined', 'nothing', { remoteName: 'undefined', remoteMessage: 'the handler threw undefined' }],
    ])('%s: the caller learns what it was', async (what, _case, facts) => {
      expect(await failure(true, 'plain', what)).toMatchObject({ name: 'RpcRemoteError', ...facts });
    });
  });

  describe('of a service that does not', () => {
    it.each(['object', 'message', 'text', 'undefined'])('%s: the caller gets an id', async (what) => {
      for (const pattern of ['plain', 'passed']) {
        const { remoteMessage, remoteCode, data } = await failure(false, pattern, what);
        expect({ remoteCode, data }).toEqual({ remoteCode: 'INTERNAL', data: undefined });
        expect(remoteMessage).toMatch(/^internal error [0-9a-f-]{36}$/);
        await app?.close();
      }
    });

    it.each<[string, string, string, object]>([
      [
        'an RpcException with an object',
        'plain',
        'exception',
        {
          remoteName: 'RpcException',
          remoteMessage: 'the handler threw RpcException without a message: see its data',
          remoteCode: 404,
          data: { status: 404, reason: 'x' },
        },
      ],
      [
        'the payload of a filter',
        'filtered',
        'object',
        { remoteCode: 'error', data: { status: 'error', why: 'a filter' } },
      ],
      [
        'the payload of the filter of Nest',
        'nests-own',
        'exception',
        { remoteCode: 404, data: { status: 404, reason: 'x' } },
      ],
      ['the mask of the filter of Nest', 'nests-own', 'object', { remoteMessage: 'Internal server error' }],
    ])('%s was meant for the caller', async (_case, pattern, what, facts) => {
      expect(await failure(false, pattern, what)).toMatchObject(facts);
    });
  });
});
