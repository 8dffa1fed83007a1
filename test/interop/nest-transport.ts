// Nest's own RabbitMQ transport, of the Nest that is developed with and of the older one that is supported: a
// client that asks and emits, and a server that answers.
import { createRequire } from 'node:module';
import * as nest12 from '@nestjs/microservices';
import { Controller, Module, type Type } from '@nestjs/common';
import type * as common12 from '@nestjs/common';
import * as core12 from '@nestjs/core';
import type { ClientProxy } from '@nestjs/microservices';
import { concat, lastValueFrom, of, tap, throwError, toArray, type Observable } from 'rxjs';
import { Collector, within } from '../support/events.js';
import { closeLater } from './application.js';

type Microservices = typeof nest12;
type Core = Pick<typeof core12, 'NestFactory'>;

/** One version of Nest. */
export interface NestVersion {
  readonly microservices: Microservices;
  readonly core: Core;
}

// Nest 11 is CommonJS in a folder of its own.
const require11 = createRequire(new URL('../nest11/package.json', import.meta.url));

// Its client would print a line for each connection.
function silent(core: Core): Core {
  (require11('@nestjs/common') as typeof common12).Logger.overrideLogger(false);
  return core;
}

/** The versions that the tests run with. */
export const versions: readonly (readonly [string, () => NestVersion])[] = [
  ['Nest 12', () => ({ microservices: nest12, core: core12 })],
  [
    'Nest 11',
    () => ({
      microservices: require11('@nestjs/microservices') as Microservices,
      core: silent(require11('@nestjs/core') as Core),
    }),
  ],
];

/** Nest's client for one queue, connected. */
export async function clientProxy(
  { microservices }: NestVersion,
  url: string,
  queue: string,
  options: object = {},
): Promise<ClientProxy> {
  const client = microservices.ClientProxyFactory.create({
    transport: microservices.Transport.RMQ,
    options: { urls: [url], queue, queueOptions: { durable: true }, ...options },
  });
  closeLater(async () => void (await client.close()));
  await within(client.connect(), "Nest's client to connect");
  return client;
}

/** Asks and waits for the last value; an empty answer is undefined. */
export function ask(client: ClientProxy, pattern: unknown, data: unknown): Promise<unknown> {
  return within(
    lastValueFrom(client.send(pattern, data), { defaultValue: undefined }),
    "Nest's client's answer",
  );
}

/** Asks and collects every value until the end, also those before an error, which is told to `onError`. */
export async function askAll(client: ClientProxy, pattern: unknown, data: unknown): Promise<unknown[]> {
  const seen: unknown[] = [];
  const answer = client.send<unknown>(pattern, data).pipe(
    tap((value) => void seen.push(value)),
    toArray(),
  );
  try {
    return await within(lastValueFrom(answer), "Nest's client's answers");
  } catch (error) {
    return [...seen, error];
  }
}

/** Emits and waits until the broker has it. */
export async function emit(client: ClientProxy, pattern: unknown, data: unknown): Promise<void> {
  await within(lastValueFrom(client.emit(pattern, data), { defaultValue: undefined }), 'the event to be out');
}

/** A Nest microservice on one queue, listening. */
export async function microservice(
  { microservices, core }: NestVersion,
  url: string,
  queue: string,
): Promise<void> {
  @Module({ controllers: [stock(microservices)] })
  class StockModule {}
  const app = await core.NestFactory.createMicroservice(StockModule, {
    logger: false,
    transport: microservices.Transport.RMQ,
    options: { urls: [url], queue, queueOptions: { durable: true } },
  });
  closeLater(() => app.close());
  await within(app.listen(), 'the Nest microservice to listen');
}

/** What the microservice counted. */
export const counted = new Collector<unknown>('events');

function stock({ MessagePattern, EventPattern, Payload, RpcException }: Microservices): Type<unknown> {
  @Controller()
  class StockController {
    @MessagePattern('stock')
    stock(@Payload() order: { sku: string } | null | undefined): unknown {
      if (order === null || order === undefined) return order;
      if (order.sku === 'gone') throw new RpcException({ code: 410, message: 'sold out' });
      if (order.sku === 'words') throw new RpcException('only words');
      if (order.sku === 'broken') throw new Error('password is 1234');
      return { sku: order.sku, left: 3 };
    }

    @MessagePattern({ cmd: 'sum' })
    sum(@Payload() numbers: number[]): number {
      return numbers.reduce((sum, n) => sum + n, 0);
    }

    @MessagePattern('stream')
    stream(): Observable<number> {
      return of(1, 2, 3);
    }

    @MessagePattern('late')
    late(): Observable<never> {
      return throwError(() => new RpcException({ code: 'LATE', message: 'too late' }));
    }

    // Nest reads no generators.
    @MessagePattern('generated')
    async *generated(): AsyncGenerator<number> {
      yield await Promise.resolve(1);
    }

    @MessagePattern('broken')
    broken(): Observable<number> {
      const error = new RpcException({ code: 'HALT', message: 'halted' });
      return concat(
        of(1, 2),
        throwError(() => error),
      );
    }

    @MessagePattern('nothing')
    nothing(): Observable<never> {
      return of();
    }

    @EventPattern('counted')
    count(@Payload() event: unknown): void {
      counted.push(event);
    }
  }
  return StockController;
}
