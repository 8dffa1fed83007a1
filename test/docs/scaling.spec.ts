// The page on scaling: its examples run, and its numbers of queues, bindings and channels are counted.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedBroker, type BrokerSnapshot } from '@warren/embedded';
import { RabbitModule } from '@warren/nestjs';
import { RabbitTesting, type RabbitTestingOptions } from '@warren/nestjs/testing';
import { Accounts, Checkout, done, OrderHandlers, OrderQueues } from '../../docs/examples/scaling.js';
import { root } from '../architecture/sources.js';
import { until } from '../support/events.js';
import { warren, type Warren } from '../support/warren.js';

describe('examples of the page on scaling', () => {
  const given = process.env.RABBITMQ_URL;

  beforeAll(() => void delete process.env.RABBITMQ_URL);
  beforeEach(() => void done.splice(0));
  afterAll(() => {
    if (given !== undefined) process.env.RABBITMQ_URL = given;
  });

  const running = async (
    providers: RabbitTestingOptions['providers'],
    test: (rabbit: RabbitTesting) => Promise<void>,
  ): Promise<void> => {
    const rabbit = await RabbitTesting.start({
      imports: [RabbitModule.forRoot({ service: 'guide' }), OrderQueues],
      providers,
    });
    try {
      await test(rabbit);
    } finally {
      await rabbit.stop();
    }
  };

  it('changes of an account are applied in their order', async () => {
    await running([Accounts], async (rabbit) => {
      for (const change of ['a 1', 'a 2', 'b 1', 'a 3']) {
        const [account, amount] = change.split(' ');
        await rabbit.publisher.send(
          'account.changes',
          { account, amount: Number(amount) },
          { headers: { account } },
        );
      }
      await rabbit.idle();
    });
    expect(done.filter((line) => line.startsWith('a'))).toEqual(['a 1', 'a 2', 'a 3']);
    expect(done).toHaveLength(4);
  });

  it('orders go to their shards and one method handles them all', async () => {
    const customers = Array.from({ length: 20 }, (_, n) => `customer-${n}`);
    await running([OrderHandlers, Checkout], async (rabbit) => {
      for (const number of [1, 2, 3])
        for (const customer of customers) await rabbit.app.get(Checkout).order({ customer, number });
      await rabbit.idle();
    });
    for (const customer of customers)
      expect(done.filter((line) => line.startsWith(`${customer} `))).toEqual([
        `${customer} 1`,
        `${customer} 2`,
        `${customer} 3`,
      ]);
  });
});

/** What 500 handlers are, by the first cell of the page's row. */
const SERVICES: Record<string, (rabbit: Warren, n: number) => void> = {
  '`@Consume`': (rabbit, n) => void rabbit.consume(`q${n}`, handle),
  '`@Subscribe` to two patterns each': (rabbit, n) =>
    void rabbit.subscribe([`a${n}.*`, `b${n}.*`], handle, { id: `on${n}` }),
  '`@Subscribe`, 25 to a queue': (rabbit, n) =>
    void rabbit.subscribe([`a${n}.*`, `b${n}.*`], handle, { id: `on${n}`, queue: `q${n % 20}` }),
  '`@Subscribe` with `broadcast`': (rabbit, n) =>
    void rabbit.subscribe([`a${n}.*`, `b${n}.*`], handle, { id: `on${n}`, broadcast: true }),
  '`@RpcHandler`': (rabbit, n) => void rabbit.rpc(`r${n}`, handle),
};
const handle = (): undefined => undefined;

describe('a service of 500 handlers', () => {
  const rows = rowsOf('docs/scaling.md');

  it.each(Object.entries(SERVICES))('%s', async (name, register) => {
    const broker = await EmbeddedBroker.start({ port: 0 });
    const rabbit = warren(broker.url, { queueType: 'quorum' });
    try {
      for (let n = 0; n < 500; n++) register(rabbit, n);
      await rabbit.open();
      const row = rows.find(([first]) => first === name);
      // What calls need beside the handlers' own queues is declared a moment later.
      let there: string[] = [];
      await until(async () => {
        there = [name, ...counted(await broker.inspect())];
        return String(there) === String(row);
      }, 'the broker to have what the page says').catch(() => undefined);
      expect(there).toEqual(row);
    } finally {
      await rabbit.broker.close();
      await broker.close();
    }
  });
});

/** Queues, bindings, exchanges, channels, connections; without what every broker has. */
function counted({ queues, exchanges, connections }: BrokerSnapshot): string[] {
  const own = exchanges.filter(({ name }) => name !== '' && !name.startsWith('amq.'));
  return [
    queues.length,
    own.reduce((sum, { bindings }) => sum + bindings.length, 0),
    own.length,
    connections.reduce((sum, { channels }) => sum + channels, 0),
    connections.length,
  ].map(String);
}

/** Cells of all table rows of a page. */
function rowsOf(page: string): string[][] {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  return lines
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
