// A class with handlers, in applications with and without RabbitModule.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ConfigError } from '@warren/amqp';
import { Consume } from './consume.js';
import { serve } from './demand-module.js';
import { OnRabbitEvent } from './on-rabbit-event.js';

const open: INestApplicationContext[] = [];
afterEach(() => Promise.all(open.splice(0).map((app) => app.close())));

async function start(...providers: (new () => object)[]): Promise<INestApplicationContext> {
  const app = await Test.createTestingModule({ providers }).compile();
  open.push(app);
  return app.init();
}

describe('an application without RabbitModule', () => {
  it('does not start with a handler, and names its class', async () => {
    @Injectable()
    class Orders {
      @Consume('orders')
      place(): void {}
    }

    const failure: unknown = await start(Orders).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(String(failure)).toMatch(/Orders has decorators .* no RabbitModule.*RabbitModule\.forRoot/s);
  });

  it('does not start with a listener to events, nor with an inherited handler', async () => {
    class Watch {
      @OnRabbitEvent('disconnected')
      lost(): void {}
    }
    class Base {
      @Consume('orders')
      place(): void {}
    }
    class Orders extends Base {}

    await expect(start(Watch)).rejects.toThrow('Watch has decorators');
    await expect(start(Orders)).rejects.toThrow('Orders has decorators');
  });

  it('may create such a class, as a test of its methods does', async () => {
    class Orders {
      @Consume('orders')
      place(): string {
        return 'placed';
      }
    }
    const app = await Test.createTestingModule({ providers: [Orders] }).compile();
    expect(app.get(Orders).place()).toBe('placed');
  });
});

describe('an application with RabbitModule', () => {
  it('calls the hook of the class, once, and that of its base', async () => {
    const calls: string[] = [];
    class Base {
      onApplicationBootstrap(): unknown {
        return calls.push('base');
      }
    }
    class Orders extends Base {
      @Consume('orders')
      place(): void {}
      @Consume('refunds')
      refund(): void {}
    }
    class Stock extends Base {
      override async onApplicationBootstrap(): Promise<unknown> {
        await Promise.resolve();
        return calls.push('stock');
      }
      @Consume('stock')
      take(): void {}
    }
    serve([Orders.prototype, Stock.prototype]);

    await start(Orders, Stock);
    expect(calls.sort()).toEqual(['base', 'stock']);
  });
});
