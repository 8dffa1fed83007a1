// The handlers and modules that the guides show do what the guides say.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { EmbeddedBroker } from '@warren/embedded';
import { RabbitModule } from '@warren/nestjs';
import { RabbitTesting, type RabbitTestingOptions } from '@warren/nestjs/testing';
import { OrderHandlers } from '../../docs/examples/config.js';
import { Payments, Transfers } from '../../docs/examples/failure.js';
import { Bridge, Inspector, Reports, TenantHandlers } from '../../docs/examples/handlers.js';
import { TopologyModule } from '../../docs/examples/module.js';
import { promised } from './page.js';

/** The application on a broker of its own, with what it printed. */
async function running(
  options: RabbitTestingOptions,
  test: (rabbit: RabbitTesting, printed: unknown[][]) => Promise<void>,
): Promise<void> {
  const printed: unknown[][] = [];
  const spy = jest
    .spyOn(console, 'log')
    .mockImplementation((...words: unknown[]) => void printed.push(words));
  const rabbit = await RabbitTesting.start(options);
  try {
    await test(rabbit, printed);
  } finally {
    spy.mockRestore();
    await rabbit.stop();
  }
}

const imports = [RabbitModule.forRoot({ service: 'guide' })];

describe('examples of the guides', () => {
  const given = process.env.RABBITMQ_URL;

  // On the embedded broker, as their reader would run them.
  beforeAll(() => void delete process.env.RABBITMQ_URL);
  afterAll(() => {
    if (given !== undefined) process.env.RABBITMQ_URL = given;
  });

  it('the test that the page on the embedded broker shows prints what the page says', async () => {
    const printed: string[] = [];
    const spy = jest
      .spyOn(console, 'log')
      .mockImplementation((...words) => void printed.push(words.join(' ')));
    await import('../../docs/examples/testing.js');
    await import('../../docs/examples/embedded.js');
    await import('../../docs/examples/override.js');
    await import('../../docs/examples/testing-time.js');
    await import('../../docs/examples/testing-faults.js');
    await import('../../docs/examples/embedded-clock.js');
    await import('../../docs/examples/embedded-operator.js');
    spy.mockRestore();

    expect(printed).toEqual([
      ...promised('docs/embedded-broker.md', 'docs/examples/testing.ts'),
      '127.0.0.1',
      'pretended 7',
      ...promised('docs/testing.md', 'docs/examples/testing-time.ts'),
      ...promised('docs/testing.md', 'docs/examples/testing-faults.ts'),
      ...promised('docs/embedded-broker.md', 'docs/examples/embedded-clock.ts'),
      '200 ',
    ]);
  });

  it('the program on the npm page of @warren/amqp ships its order, and ends', async () => {
    const broker = await EmbeddedBroker.start({ port: 0 });
    process.env.RABBITMQ_URL = broker.url;
    const spy = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    await import('../../docs/examples/amqp.js');
    const printed = spy.mock.calls;
    spy.mockRestore();
    delete process.env.RABBITMQ_URL;
    await broker.close();

    expect(printed).toEqual([['shipped', { id: 1 }]]);
    expect(readFileSync('libs/amqp/README.md', 'utf8')).toContain('It prints `shipped { id: 1 }`');
  });

  it('a payment is acked, tried again, rejected or dropped as its handler says', async () => {
    await running({ imports, providers: [Payments] }, async (rabbit) => {
      for (const state of ['new', 'old', 'wrong', 'early'])
        await rabbit.publisher.send('payments', { id: state, state });
      await rabbit.idle();

      expect(rabbit.handled(Payments, 'pay')).toEqual([{ id: 'new', state: 'new' }]);
      const dead = rabbit.dead('payments').map(({ payload }) => (payload as { id: string }).id);
      expect(dead.sort()).toEqual(['early', 'wrong']);
      expect(rabbit.failed(Payments, 'pay').filter(({ payload }) => isNew(payload))).toHaveLength(1);
    });
  });

  it('only named errors are tried again, and a handler may have no dead letters', async () => {
    await running({ imports, providers: [Transfers] }, async (rabbit) => {
      await rabbit.publisher.send('transfers', 2_000);
      await rabbit.publisher.send('refunds', 2_000);
      await rabbit.idle();

      expect(rabbit.failed(Transfers, 'transfer')).toHaveLength(5);
      expect(rabbit.failed(Transfers, 'refund')).toHaveLength(1);
      expect(rabbit.dead('transfers')).toHaveLength(1);
      await expect(rabbit.publisher.send('refunds.dead', 1)).rejects.toThrow(
        "queue 'refunds.dead' does not exist",
      );
    });
  });

  it('parameters, guards and handlers that share a queue get what is theirs', async () => {
    await running(
      { imports, providers: [Inspector, Reports], controllers: [TenantHandlers] },
      async (rabbit, printed) => {
        await rabbit.publisher.send('inspected', { a: 1 }, { headers: { tenant: 'eu' }, messageId: 'four' });
        await rabbit.publisher.send('tenants', 'yes', { headers: { tenant: 'eu' } });
        await rabbit.publisher.send('tenants', 'no');
        await rabbit.publisher.publish('', 'Q3', { exchange: 'reports', headers: { format: 'pdf' } });
        await rabbit.publisher.publish('', 'rows', { exchange: 'reports', headers: { format: 'csv' } });
        await rabbit.idle();

        expect(printed).toContainEqual(['inspected', 'eu', 4, 1, 7, { a: 1 }]);
        expect(printed.flat()).toEqual(expect.arrayContaining(['for a tenant: yes', 'pdf: Q3', 'raw: rows']));
        expect(printed.flat()).not.toContain('for a tenant: no');
        expect(rabbit.dead('tenants')).toHaveLength(1);
      },
    );
  });

  it('topology without handlers, a second connection, and a queue named by configuration are there', async () => {
    @Module({ imports: [RabbitModule.forRoot('legacy', { service: 'guide' })] })
    class LegacyModule {}
    const providers = [OrderHandlers, Bridge];
    const configuration = await import('@nestjs/config');
    const all = [...imports, LegacyModule, TopologyModule, configuration.ConfigModule.forRoot()];
    await running({ imports: all, providers }, async (rabbit, printed) => {
      await rabbit.publisher.send('orders', { id: 7 });
      await rabbit.publisher.publish('order.placed', { id: 8 });
      await rabbit.idle();

      expect(printed).toEqual([[7]]);
      expect(rabbit.published().filter(({ exchange }) => exchange === 'orders')).toHaveLength(1);
    });
  });
});

const isNew = (payload: unknown): boolean => (payload as { state: string }).state === 'new';
