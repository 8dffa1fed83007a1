// A breaker on real queues: while what a handler needs is down, messages wait instead of failing, and one message probes.

import { expect, it } from '@jest/globals';
import type { Delivery, HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { eventOf, logged, rejection, warren } from '../support/warren.js';

const KINDS: Readonly<Record<string, HandlerOptions>> = {
  'one at a time': { prefetch: 10, concurrency: 1 },
  'all at once': { prefetch: 10 },
  'in order': { prefetch: 10, concurrency: 1, orderBy: 'routingKey' },
};

onEachBroker('breakers', (broker) => {
  it.each(Object.keys(KINDS))(
    '%s: opens, probes with one message, and closes when that succeeds',
    async (kind) => {
      const queue = `breaker ${kind}`;
      const options = KINDS[kind];
      const ran = new Collector<Delivery>();
      const done = new Collector<unknown>();
      let down = true;
      // How many had run each time that it began to probe.
      const probes = new Collector<number>();
      const rabbit = await warren(broker.url)
        .consume(
          queue,
          (delivery) => {
            ran.push(delivery);
            if (down) throw new Error('the database is down');
            done.push(delivery.payload);
          },
          {
            ...{ queueType: 'quorum', ...options, retry: { delays: 50, attempts: 20, jitter: false } },
            breaker: { failures: 3, pause: 200 },
          },
        )
        .open();
      rabbit.broker.on(() => probes.push(ran.size), ['breaker-half-open']);
      for (let n = 1; n <= 10; n++) await rabbit.broker.send(queue, n);
      const opened = await eventOf(rabbit, 'breaker-open');
      expect(rabbit.broker.status().consumers[0]).toMatchObject({
        breaker: expect.stringMatching(/^(half-)?open$/),
        paused: undefined,
      });
      expect(opened).toMatchObject({ handler: queue, queue, pause: 200, probed: false });
      await logged(
        rabbit,
        `the breaker of ${queue} is open (3 of the last 3 runs failed: Error: the database is down)`,
      );
      // Each probe is one message.
      const [before, ...after] = await probes.take(3);
      expect(before).toBeLessThanOrEqual(10);
      expect(after).toEqual([before + 1, before + 2]);
      down = false;
      await eventOf(rabbit, 'breaker-closed');
      expect((await done.take(10)).map(Number).sort((one, other) => one - other)).toEqual(
        [...Array(10).keys()].map((n) => n + 1),
      );
      await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be settled');
      // Nothing was returned to the broker, so nothing counts against a message.
      expect(ran.all.filter(({ message }) => message.redelivered)).toEqual([]);
      expect(rabbit.broker.status().consumers[0]).toMatchObject({ breaker: 'closed', ready: true });
    },
  );

  it('a batch is one run, and its probe is one message', async () => {
    const sizes: number[] = [];
    const done = new Collector<unknown>();
    let down = true;
    const rabbit = await warren(broker.url)
      .batch(
        'breaker batch',
        (list) => {
          sizes.push(list.length);
          if (down) throw new Error('down');
          for (const { payload } of list) done.push(payload);
        },
        {
          ...{ batch: { size: 4, wait: 20 }, concurrency: 1, prefetch: 20 },
          ...{ retry: { delays: 50, attempts: 20, jitter: false }, breaker: { failures: 2, pause: 200 } },
        },
      )
      .open();
    const before = new Collector<readonly number[]>();
    rabbit.broker.on(() => before.push([...sizes]), ['breaker-half-open']);
    for (let n = 0; n < 16; n++) await rabbit.broker.send('breaker batch', n);
    const [failed, probed] = await before.take(2);
    expect(failed).toHaveLength(2);
    expect(probed).toEqual([...failed, 1]);
    down = false;
    await eventOf(rabbit, 'breaker-closed');
    await done.take(16);
    expect(new Set(done.all).size).toBe(16);
  });

  it.each(['breaker-open', 'breaker-half-open'] as const)(
    'a suspect that comes at %s is the probe when nothing else can be, also after one that failed',
    async (kind) => {
      const queue = `suspects at ${kind}`;
      let down = true;
      const ran = new Collector<unknown>();
      const rabbit = await warren(broker.url)
        .consume(
          queue,
          ({ payload }) => {
            ran.push(payload);
            if (down) throw new Error('down');
          },
          { queueType: 'quorum', prefetch: 1, retry: false, breaker: { failures: 1, pause: 200 } },
        )
        .open();
      const channel = await (await broker.connect()).createChannel();
      const send = (body: string, headers = {}): boolean =>
        channel.sendToQueue(queue, Buffer.from(body), { contentType: 'application/json', headers });
      send('1');
      await eventOf(rabbit, kind);
      send('2', { 'x-warren-trial': 1 });
      send('3', { 'x-warren-trial': 1 });
      expect(await ran.take(2)).toEqual([1, 2]);
      down = false;
      await eventOf(rabbit, 'breaker-closed');
      expect(await ran.one()).toBe(3);
    },
  );

  it('on a queue of several handlers, the errors that each declares do not count for it', async () => {
    class Declared extends Error {}
    class Other extends Error {}
    const exchange = { name: 'breaker.calls', type: 'direct' } as const;
    const shared = { exchange, queue: 'breaker shared', breaker: { failures: 1, pause: '1m' } } as const;
    const rabbit = await warren(broker.url)
      .rpc('breaker.first', () => Promise.reject(new Declared('down')), { ...shared, errors: [Other] })
      .rpc('breaker.second', () => Promise.reject(new Declared('not found')), {
        ...shared,
        errors: [Declared],
      })
      .open();
    const state = (): unknown => rabbit.broker.status().consumers[0].breaker;
    await rejection(rabbit.broker.request('breaker.second', 1, { exchange: exchange.name }));
    expect(state()).toBe('closed');
    await rejection(rabbit.broker.request('breaker.first', 1, { exchange: exchange.name }));
    expect(state()).toBe('open');
  });
});
