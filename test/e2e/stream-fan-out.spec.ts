// A stream for many readers: each gets everything, at its own pace, from wherever it wants to begin. One copy is kept,
// however many read it.

import { expect, it } from '@jest/globals';
import type { Delivery, HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count, eventOf, logged, warren, type Warren } from '../support/warren.js';

const numbers = (length: number): number[] => Array.from({ length }, (_, n) => n);

onEachBroker('a stream that many read', (broker) => {
  const sender = async (stream: string): Promise<Warren> => {
    const rabbit = warren(broker.url);
    rabbit.broker.declare({
      queues: [{ name: stream, queueType: 'stream' }],
      bindings: [{ exchange: { name: `${stream}.events`, type: 'topic' }, key: '#', queue: stream }],
    });
    return rabbit.open();
  };
  const send = (rabbit: Warren, stream: string, list: readonly number[]): Promise<unknown> =>
    Promise.all(list.map((n) => rabbit.broker.publish('n', n, { exchange: `${stream}.events` })));
  const reader = (
    stream: string,
    handle: (delivery: Delivery) => unknown,
    options: HandlerOptions = {},
  ): Promise<Warren> =>
    warren(broker.url)
      .consume(stream, handle, { stream: { offset: 'first' }, concurrency: 1, ...options })
      .open();

  it.each(['next', 'last'] as const)(
    'a reader from %s on that lost its connection before it got anything skips nothing and repeats nothing old',
    async (offset) => {
      const stream = `from.${offset}`;
      const rabbit = await sender(stream);
      await send(rabbit, stream, [1, 2, 3]);
      const tap = await Tap.open(broker.url);
      const got = new Collector<number>('messages');
      const handle = ({ payload }: Delivery): void => got.push(payload as number);
      const late = await warren(tap.url, { reconnect: { min: 20, max: 100 } })
        .consume(stream, handle, { stream: { offset }, concurrency: 1 })
        .open();
      if (offset === 'last') await until(() => got.all.includes(3), 'the last one');
      tap.cut();
      await eventOf(late, 'consumer-lost');
      for (const n of [4, 5, 6]) await send(rabbit, stream, [n]);
      await tap.back();
      await until(() => got.all.includes(6), 'what came meanwhile');
      expect(got.all.slice(-3)).toEqual([4, 5, 6]);
      if (offset === 'next') expect(got.all).toEqual([4, 5, 6]);
      tap.cut();
    },
  );

  it('gives each of five readers all of it, in its order, and keeps it', async () => {
    const rabbit = await sender('five');
    const readers = numbers(5).map(() => new Collector<unknown>('messages'));
    await Promise.all(readers.map((got) => reader('five', ({ payload }) => got.push(payload))));
    await send(rabbit, 'five', numbers(300));
    for (const got of readers) expect(await got.take(300)).toEqual(numbers(300));
    await until(() => count(broker, 'five').then((kept) => kept === 300), 'the stream to hold them all');
  });

  it('gives a reader that comes late the whole history, or only what is new', async () => {
    const rabbit = await sender('late');
    await send(rabbit, 'late', numbers(100));
    const [all, fresh] = [new Collector<unknown>(), new Collector<unknown>()];
    await reader('late', ({ payload }) => all.push(payload));
    await reader('late', ({ payload }) => fresh.push(payload), { stream: { offset: 'next' } });
    expect(await all.take(100)).toEqual(numbers(100));
    await send(rabbit, 'late', [100]);
    expect([await all.one(), await fresh.one()]).toEqual([100, 100]);
    expect(fresh.size).toBe(1);
  });

  it('a reader that stands still holds no other up, and has no more than its prefetch in hand', async () => {
    const rabbit = await sender('slow');
    const got = new Collector<unknown>();
    let goOn: () => void = () => undefined;
    const stop = new Promise<void>((resolve) => (goOn = resolve));
    const slow = await reader('slow', () => stop, { prefetch: 10 });
    await reader('slow', ({ payload }) => got.push(payload));
    // One by one: a stream hands out what was written together as one piece, whatever the prefetch.
    for (const n of numbers(200)) await send(rabbit, 'slow', [n]);
    expect(await got.take(200)).toEqual(numbers(200));
    expect(slow.broker.status().consumers[0].inFlight).toBe(10);
    goOn();
    await until(() => slow.broker.status().consumers[0].inFlight === 0, 'the slow one to come to its end');
  });

  it('a reader works on keys at the same time and keeps the order of each', async () => {
    const rabbit = await sender('keys');
    const seen = new Map<number, number[]>();
    let running = 0;
    let most = 0;
    const handle = async ({ payload }: Delivery): Promise<void> => {
      most = Math.max(most, ++running);
      const n = payload as number;
      for (let turns = n % 7; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      running--;
      seen.set(n % 5, [...(seen.get(n % 5) ?? []), n]);
    };
    const orderBy: HandlerOptions['orderBy'] = ({ message }) => Number(message.content.toString()) % 5;
    await reader('keys', handle, { concurrency: 10, orderBy });
    await send(rabbit, 'keys', numbers(300));
    await until(() => [...seen.values()].flat().length === 300, 'all to be handled');
    for (const list of seen.values()) expect(list).toEqual([...list].sort((one, other) => one - other));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(5);
  });

  it('what fails is said and left behind: a stream takes nothing back', async () => {
    const rabbit = await sender('failing');
    const got = new Collector<unknown>();
    const failing = await reader('failing', ({ payload }) => {
      got.push(payload);
      if (payload === 1) throw new Error('not this one');
    });
    await send(rabbit, 'failing', numbers(3));
    expect(await got.take(3)).toEqual(numbers(3));
    await logged(failing, 'dropped, because the handler has no dead-letter queue');
  });
});
