// Deployments: one instance ends cleanly, the next one goes on. Nothing that was acked runs again, and what was fetched
// and not begun comes first again, in its order.

import { expect, it } from '@jest/globals';
import type { Delivery, HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';
import { warren, type Warren } from '../support/warren.js';

const MESSAGES = 300;

const ways: [string, HandlerOptions][] = [
  ['concurrency 1', { concurrency: 1 }],
  ['orderBy', { concurrency: 8, orderBy: { header: 'key' } }],
  ['singleActive', { concurrency: 1, singleActive: true }],
  ['a batch', { batch: { size: 7, wait: 50 }, concurrency: 1 }],
];

onEachBroker('an order over deployments', (broker) => {
  const cases = ways.flatMap(([name, options]) =>
    (['classic', 'quorum'] as const).map((queueType) => ({ name, queueType, options })),
  );

  it.each(cases)('$name of a $queueType queue', async ({ name, queueType, options }) => {
    const queue = `order.${queueType}.${name.replace(' ', '.')}`;
    const handled: { key: string; n: number }[] = [];
    const one = async (delivery: Delivery): Promise<void> => {
      // As unequal as handlers are.
      for (let turns = Number(delivery.payload) % 7; turns > 0; turns--)
        await new Promise((resolve) => setImmediate(resolve));
      handled.push({ key: String(delivery.headers.key), n: delivery.payload as number });
    };
    const list = async (all: readonly Delivery[]): Promise<void> => {
      for (const each of all) await one(each);
    };
    const instance = (): Promise<Warren> => {
      const rabbit = warren(broker.url);
      const all: HandlerOptions = { prefetch: 40, queueType, ...options };
      return (options.batch ? rabbit.batch(queue, list, all) : rabbit.consume(queue, one, all)).open();
    };
    const publisher = await warren(broker.url, { consumers: false })
      .consume(queue, one, { queueType, ...options, batch: undefined })
      .open();
    const send = (n: number): Promise<unknown> =>
      publisher.broker.send(queue, n, { headers: { key: `k${n % 3}` } });
    // Half of it is there already, the other half comes while instances come and go.
    for (let n = 0; n < MESSAGES / 2; n++) await send(n);
    const flow = (async () => {
      for (let n = MESSAGES / 2; n < MESSAGES; n++) await send(n);
    })();
    while (handled.length < MESSAGES) {
      const enough = Math.min(handled.length + 30, MESSAGES);
      const rabbit = await instance();
      await until(() => handled.length >= enough, `${enough} runs; there are ${handled.length}`);
      await within(rabbit.broker.close(), 'close()');
    }
    await flow;
    const key = options.orderBy ? (run: { key: string }) => run.key : () => '';
    const keys = [...new Set(handled.map(key))];
    for (const each of keys) {
      const order = handled.filter((run) => key(run) === each).map(({ n }) => n);
      expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
    }
    expect(handled).toHaveLength(MESSAGES);
  });
});
