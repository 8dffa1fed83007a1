// Kinds of queues that behave in ways of their own: quorum and its count of deliveries, single active
// consumers, priorities, temporary queues, streams.

import { expect, it } from '@jest/globals';
import type { HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, rejection, warren } from '../support/warren.js';

onEachBroker('kinds of queues', (broker) => {
  it('of two single active consumers one gets everything, and the other takes over when it goes', async () => {
    const options: HandlerOptions = { singleActive: true };
    const [first, second] = [new Collector<unknown>(), new Collector<unknown>()];
    const one = await warren(broker.url)
      .consume('single', ({ payload }) => first.push(payload), options)
      .open();
    const two = await warren(broker.url)
      .consume('single', ({ payload }) => second.push(payload), options)
      .open();
    for (let n = 0; n < 10; n++) await two.broker.send('single', n);
    expect(await first.take(10)).toHaveLength(10);
    expect(second.size).toBe(0);
    await one.broker.close();
    await two.broker.send('single', 'next');
    expect(await second.one()).toBe('next');
  });

  it('messages of higher priority come first', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('urgent', { maxPriority: 9 });
    const got = new Collector<unknown>();
    const sender = warren(broker.url);
    for (const priority of [1, 5, 9]) await sender.broker.send('urgent', priority, { priority });
    await warren(broker.url)
      .consume('urgent', ({ payload }) => got.push(payload), { maxPriority: 9, prefetch: 1 })
      .open();
    expect(await got.take(3)).toEqual([9, 5, 1]);
  });

  it('a consumer of higher priority is served first', async () => {
    const [low, high] = [new Collector<unknown>(), new Collector<unknown>()];
    await warren(broker.url)
      .consume('ranked', ({ payload }) => low.push(payload))
      .open();
    const rabbit = await warren(broker.url)
      .consume('ranked', ({ payload }) => high.push(payload), { priority: 10 })
      .open();
    for (let n = 0; n < 10; n++) await rabbit.broker.send('ranked', n);
    expect(await high.take(10)).toHaveLength(10);
    expect(low.size).toBe(0);
  });

  it('every broadcast subscriber gets its copy, and its queue goes with it', async () => {
    const copies = [new Collector<unknown>(), new Collector<unknown>()];
    const rabbits = await Promise.all(
      copies.map((copy) =>
        warren(broker.url)
          .subscribe('all.*', ({ payload }) => copy.push(payload), { broadcast: true, id: 'all' })
          .open(),
      ),
    );
    const queues = rabbits.map(({ broker: client }) => client.status().consumers[0].queue);
    expect(new Set(queues).size).toBe(2);
    await rabbits[0].broker.publish('all.x', 'hello');
    expect([await copies[0].one(), await copies[1].one()]).toEqual(['hello', 'hello']);
    await rabbits[0].broker.close();
    const channel = await (await broker.connect()).createChannel();
    channel.on('error', () => undefined);
    await expect(channel.checkQueue(queues[0])).rejects.toThrow(/404/);
  });

  it('the queue of a broadcast subscriber has the limits of its options', async () => {
    const [got, release] = [new Collector<unknown>(), new Collector<unknown>()];
    const options: HandlerOptions = {
      ...{ broadcast: true, queueType: 'classic', durable: false, prefetch: 1, singleActive: true },
      ...{ maxLength: 3, messageTtl: '1h', maxPriority: 5 },
    };
    const rabbit = await warren(broker.url)
      .subscribe(
        'short.*',
        async ({ payload }) => {
          got.push(payload);
          if (payload === 'first') await release.one();
        },
        { ...options, id: 'short' },
      )
      .open();
    await rabbit.broker.publish('short.x', 'first');
    await got.take(1);
    for (let n = 1; n <= 5; n++) await rabbit.broker.publish('short.x', n);
    release.push('now');
    expect(await got.take(3)).toEqual([3, 4, 5]);
    expect(await count(broker, 'test.short.dead')).toBe(0);
  });

  it('a broadcast subscriber refuses what overflows its queue, when it says so', async () => {
    const [got, release] = [new Collector<unknown>(), new Collector<unknown>()];
    const options = { maxLength: 1, prefetch: 1, arguments: { 'x-overflow': 'reject-publish' } };
    const rabbit = await warren(broker.url, { publish: { retryNacked: 0 } })
      .subscribe('full.*', () => (got.push(1), release.one()), { ...options, broadcast: true, id: 'full' })
      .open();
    await rabbit.broker.publish('full.x', 1);
    await got.take(1);
    await rabbit.broker.publish('full.x', 2);
    expect(await rejection(rabbit.broker.publish('full.x', 3))).toMatchObject({
      code: 'WARREN_PUBLISH_NACKED',
    });
    release.push('now');
    release.push('now');
  });
});

onEachBroker('streams', (broker) => {
  const read = async (
    offset: NonNullable<HandlerOptions['stream']>['offset'],
    expected: number,
  ): Promise<unknown[]> => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('stream', ({ payload }) => got.push(payload), { stream: { offset } })
      .open();
    const values = await got.take(expected);
    await rabbit.broker.close();
    return values;
  };

  it('are read from the first message, the last chunk, a number, or a date', async () => {
    const rabbit = warren(broker.url);
    rabbit.broker.declare({ queues: [{ name: 'stream', queueType: 'stream' }] });
    await rabbit.open();
    const before = new Date(Date.now() - 60_000);
    for (let n = 0; n < 5; n++) await rabbit.broker.send('stream', n);
    expect(await read('first', 5)).toEqual([0, 1, 2, 3, 4]);
    expect(await read(3, 2)).toEqual([3, 4]);
    expect((await read('last', 1)).length).toBe(1);
    expect(await read(before, 5)).toEqual([0, 1, 2, 3, 4]);
  });

  it('go on where they were after a loss, without a second delivery of what was handled and without a gap', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('stream.lost', ({ payload }) => got.push(payload), { stream: { offset: 'first' } })
      .open();
    for (let n = 0; n < 3; n++) await rabbit.broker.send('stream.lost', n);
    await got.take(3);
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be acked');
    await broker.closeConnections();
    await eventOf(rabbit, 'consumer-lost');
    // Its own connection for publishing may be about to hear that it is closed.
    const other = await warren(broker.url).open();
    await other.broker.send('stream.lost', 3);
    expect(await got.one()).toBe(3);
    expect(got.all).toEqual([0, 1, 2, 3]);
  });
});
