// Handlers that get lists: when a list is complete, and that each message in it keeps an outcome of its own.

import { expect, it } from '@jest/globals';
import { Reject, type Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, taken, warren } from '../support/warren.js';

onEachBroker('batches', (broker) => {
  const payloads = (list: readonly Delivery[]): unknown[] => list.map(({ payload }) => payload);
  /** Messages that are there when the handler comes, and so arrive together. */
  const lyingThere = async (queue: string, ...messages: readonly unknown[]): Promise<void> => {
    const other = await warren(broker.url, { consumers: false })
      .consume(queue, () => 1)
      .open();
    for (const message of messages) await other.broker.send(queue, message);
  };

  it('a list is handed over when it has its size', async () => {
    const lists = new Collector<unknown[]>();
    const rabbit = await warren(broker.url)
      .batch('sized', (list) => lists.push(payloads(list)), {
        batch: { size: 3, wait: '1m' },
        concurrency: 1,
      })
      .open();
    await Promise.all([1, 2, 3, 4, 5, 6].map((n) => rabbit.broker.send('sized', n)));
    expect(await lists.take(2)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be acked');
  });

  it('or when its first message has waited long enough', async () => {
    const lists = new Collector<unknown[]>();
    await lyingThere('timed', 1, 2);
    const began = performance.now();
    const rabbit = await warren(broker.url)
      .batch('timed', (list) => lists.push(payloads(list)), { batch: { size: 100, wait: 150 } })
      .open();
    expect(await lists.one()).toEqual([1, 2]);
    expect(performance.now() - began).toBeGreaterThan(140);
    await rabbit.broker.send('timed', 3);
    expect(await lists.one()).toEqual([3]);
  });

  it("a size above the connection's prefetch raises it, or the list would never fill", async () => {
    const lists = new Collector<unknown[]>();
    const rabbit = await warren(broker.url, { prefetch: 2 })
      .batch('raised', (list) => lists.push(payloads(list)), { batch: { size: 50, wait: '1m' } })
      .open();
    await Promise.all(Array.from({ length: 50 }, (_, n) => rabbit.broker.send('raised', n)));
    expect(await lists.one()).toHaveLength(50);
    await logged(rabbit, 'prefetch 50');
  });

  it('each message may be settled by itself; the rest is acked when the handler returns', async () => {
    const seen = new Collector<string[]>();
    await lyingThere('mixed', 'good', 'bad', 'again');
    const rabbit = await warren(broker.url)
      .batch(
        'mixed',
        (list) => {
          for (const delivery of list) {
            if (delivery.payload === 'bad') delivery.reject('not this one');
            if (delivery.payload === 'again' && delivery.attempt === 1) delivery.retry({ after: 10 });
          }
          seen.push(list.map(({ payload, attempt }) => `${String(payload)}${attempt}`));
        },
        { batch: { size: 3, wait: 500 } },
      )
      .open();
    expect(await seen.take(2)).toEqual([['good1', 'bad1', 'again1'], ['again2']]);
    expect((await taken(broker, 'mixed.dead')).content.toString()).toBe('bad');
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be settled');
    expect(await count(broker, 'mixed')).toBe(0);
  });

  it('one that cannot be read is dead-lettered alone; the handler gets the others', async () => {
    const lists = new Collector<unknown[]>();
    const rabbit = await warren(broker.url)
      .batch('partly', (list) => lists.push(payloads(list)), { batch: { size: 3, wait: '1m' } })
      .open();
    await rabbit.broker.send('partly', 1);
    await rabbit.broker.send('partly', Buffer.from('{"half'), { contentType: 'application/json' });
    await rabbit.broker.send('partly', 3);
    expect(await lists.one()).toEqual([1, 3]);
    expect((await taken(broker, 'partly.dead')).properties.headers?.['x-warren-reason']).toBe('undecodable');
  });

  it('when none can be read the handler is not called', async () => {
    const lists = new Collector<unknown[]>();
    const rabbit = await warren(broker.url)
      .batch('broken', (list) => lists.push(payloads(list)), { batch: { size: 2, wait: '1m' } })
      .open();
    for (const body of ['{', '['])
      await rabbit.broker.send('broken', Buffer.from(body), { contentType: 'application/json' });
    await until(async () => (await count(broker, 'broken.dead')) === 2, 'two dead letters');
    expect(lists.size).toBe(0);
  });

  it('a throw sends each of the list that is not settled through its own retries', async () => {
    const attempts = new Collector<string>();
    await lyingThere('throws', 'a', 'b', 'c');
    await warren(broker.url)
      .batch(
        'throws',
        (list) => {
          for (const { payload, attempt } of list) attempts.push(`${String(payload)}${attempt}`);
          if (list.some(({ attempt }) => attempt === 1)) list[0].ack();
          throw list[0].attempt < 2 ? new Error('no') : Reject('enough');
        },
        { batch: { size: 3, wait: 500 }, retry: { attempts: 3, delays: 10, jitter: false } },
      )
      .open();
    expect((await attempts.take(5)).sort()).toEqual(['a1', 'b1', 'b2', 'c1', 'c2']);
    await until(async () => (await count(broker, 'throws.dead')) === 2, 'b and c to be dead-lettered');
  });

  it('a timeout aborts the signal of each and counts as a throw', async () => {
    const deliveries = new Collector<Delivery>();
    const rabbit = await warren(broker.url)
      .batch(
        'slow',
        (list) => {
          list.forEach(deliveries.push);
          return new Promise(() => undefined);
        },
        { batch: { size: 2, wait: '1m' }, timeout: 50, retry: false },
      )
      .open();
    await Promise.all([1, 2].map((n) => rabbit.broker.send('slow', n)));
    const two = await deliveries.take(2);
    await until(async () => (await count(broker, 'slow.dead')) === 2, 'both to be dead-lettered');
    expect(two.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  it('what was collected when the connection went comes again, once', async () => {
    const lists = new Collector<unknown[]>();
    const rabbit = await warren(broker.url)
      .batch('lost', (list) => lists.push(payloads(list)), { batch: { size: 3, wait: '1m' } })
      .open();
    await Promise.all([1, 2].map((n) => rabbit.broker.send('lost', n)));
    await until(() => rabbit.broker.status().consumers[0].inFlight === 2, 'two to be collected');
    await broker.closeConnections();
    await eventOf(rabbit, 'consumer-lost');
    await until(() => rabbit.broker.status().consumers[0].inFlight === 2, 'two to come again');
    await rabbit.broker.send('lost', 3);
    expect((await lists.one()).sort()).toEqual([1, 2, 3]);
    await until(
      async () => (await count(broker, 'lost')) === 0 && rabbit.broker.status().consumers[0].inFlight === 0,
      'all to be acked',
    );
    expect(lists.size).toBe(1);
  });
});
