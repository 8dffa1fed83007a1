// Handlers that are paused, resumed and limited while they run: nothing is lost, nothing runs that should not, and the order
// stays.

import { expect, it } from '@jest/globals';
import type { Delivery, HandlerOptions } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { countedTimers } from '../support/timers.js';
import { count, eventOf, logged, rejection, replying, warren, type Warren } from '../support/warren.js';

/** A handler that ends when the test says so. */
function held() {
  const started = new Collector<Delivery>();
  const ends: (() => void)[] = [];
  const handle = (delivery: Delivery): Promise<void> => {
    started.push(delivery);
    return new Promise((resolve) => ends.push(resolve));
  };
  return { started, handle, end: () => ends.shift()?.() };
}

async function send(rabbit: Warren, queue: string, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await rabbit.broker.send(queue, n);
}

const numbers = (from: number, to: number): number[] => [...Array(to - from + 1).keys()].map((n) => n + from);
const consumer = ({ broker }: Warren) => broker.status().consumers[0];

const KINDS: Readonly<Record<string, HandlerOptions>> = {
  classic: { queueType: 'classic' },
  quorum: { queueType: 'quorum' },
  'single active': { queueType: 'quorum', singleActive: true },
  stream: { stream: { offset: 'first' } },
  'ordered by key': { queueType: 'quorum', orderBy: 'routingKey' },
  batch: { queueType: 'quorum', batch: { size: 2, wait: 20 } },
};

onEachBroker('control of handlers', (broker: TestBroker) => {
  it.each(Object.keys(KINDS))(
    '%s: paused, nothing is delivered; resumed, all is, once and in order',
    async (kind) => {
      const queue = `paused ${kind}`;
      const got = new Collector<unknown>();
      const rabbit = warren(broker.url);
      if (kind === 'batch')
        rabbit.batch(queue, (list) => list.forEach(({ payload }) => got.push(payload)), KINDS[kind]);
      else rabbit.consume(queue, ({ payload }) => got.push(payload), KINDS[kind]);
      await rabbit.open();
      await send(rabbit, queue, 1, 5);
      expect(await got.take(5)).toEqual(numbers(1, 5));
      const control = rabbit.broker.control.handler(queue);
      const paused = await control.pause();
      expect(paused).toMatchObject({
        handler: queue,
        inForce: true,
        consumers: [{ ready: false, paused: { by: 'control' } }],
      });
      await control.pause();
      await send(rabbit, queue, 6, 10);
      // A stream counts what was read as well.
      if (kind !== 'stream')
        await until(async () => (await count(broker, queue)) === 5, 'all to wait in the queue');
      expect(got.size).toBe(5);
      const resumed = await control.resume();
      expect(resumed).toMatchObject({ inForce: true, consumers: [{ ready: true, paused: undefined }] });
      expect(await got.take(5)).toEqual(numbers(6, 10));
      await control.resume();
      await until(() => consumer(rabbit).inFlight === 0, 'all to be settled');
      expect(got.all).toEqual(numbers(1, 10));
      expect(
        rabbit.events.all.map(({ kind: event }) => event).filter((event) => /lost|failed/.test(event)),
      ).toEqual([]);
    },
  );

  it.each(['classic', 'quorum', 'stream', 'ordered by key'])(
    '%s: a pause finishes what runs, and what had not begun goes back in order',
    async (kind) => {
      const queue = `handed over ${kind}`;
      const { started, handle, end } = held();
      const options = { ...KINDS[kind], prefetch: 10, concurrency: 1 };
      const rabbit = await warren(broker.url).consume(queue, handle, options).open();
      await send(rabbit, queue, 1, 8);
      await until(() => consumer(rabbit).inFlight === 8, 'all to be handed over');
      await started.one();
      const control = rabbit.broker.control.handler(queue);
      const pausing = control.pause();
      // Its time is not over, and its handler runs.
      expect(await control.pause({ timeout: 1 })).toMatchObject({
        inForce: false,
        consumers: [{ running: 1 }],
      });
      end();
      expect(await pausing).toMatchObject({ inForce: true, consumers: [{ running: 0, inFlight: 0 }] });
      expect(started.size).toBe(1);
      if (kind !== 'stream')
        await until(async () => (await count(broker, queue)) === 7, 'the others to be back');
      await control.resume();
      for (let n = 2; n <= 8; n++) {
        const delivery = await started.one();
        expect(delivery.payload).toBe(n);
        // Nothing suspects it: it counts as one delivery at most.
        expect(Number(delivery.headers['x-delivery-count'] ?? 0)).toBeLessThanOrEqual(1);
        end();
      }
      await until(() => consumer(rabbit).inFlight === 0, 'all to be settled');
      expect(started.all.map(({ payload }) => payload)).toEqual(numbers(1, 8));
    },
  );

  it.each(['classic', 'quorum'])(
    '%s: resumed while a pause waits, it goes on without a new channel',
    async (kind) => {
      const queue = `called off ${kind}`;
      const { started, handle, end } = held();
      const rabbit = await warren(broker.url)
        .consume(queue, handle, { ...KINDS[kind], prefetch: 10, concurrency: 1 })
        .open();
      await send(rabbit, queue, 1, 3);
      await started.one();
      const control = rabbit.broker.control.handler(queue);
      const pausing = control.pause();
      expect(await control.resume()).toMatchObject({ inForce: true });
      await pausing;
      for (let n = 2; n <= 3; n++) {
        end();
        const { payload, message } = await started.one();
        expect([payload, message.redelivered]).toEqual([n, false]);
      }
      end();
    },
  );

  it('a pause holds when the connection is lost and when the queue is deleted', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url, { watchdog: 50 })
      .consume('stays paused', ({ payload }) => got.push(payload))
      .open();
    const control = rabbit.broker.control.handler('stays paused');
    await control.pause();
    await broker.closeConnections();
    await until(() => rabbit.broker.status().counters.reconnects === 2, 'both connections to be back');
    const channel = await (await broker.connect()).createChannel();
    await channel.deleteQueue('stays paused');
    await eventOf(rabbit, 'topology-restored');
    await rabbit.broker.send('stays paused', 1);
    expect(await count(broker, 'stays paused')).toBe(1);
    expect(consumer(rabbit)).toMatchObject({
      ready: false,
      paused: { by: 'control' },
      notReadySince: undefined,
    });
    await control.resume();
    expect(await got.one()).toBe(1);
  });

  it('what was set holds when the connection is lost', async () => {
    const { started, handle, end } = held();
    const rabbit = await warren(broker.url).consume('limits stay', handle).open();
    const control = rabbit.broker.control.handler('limits stay');
    await control.prefetch(3);
    await control.concurrency(2);
    await broker.closeConnections();
    await eventOf(rabbit, 'consumer-lost');
    await eventOf(rabbit, 'consumer-ready');
    const other = await warren(broker.url).open();
    await send(other, 'limits stay', 1, 6);
    await started.take(2);
    await until(() => consumer(rabbit).inFlight === 3, 'three to be handed over');
    expect(consumer(rabbit)).toMatchObject({ prefetch: 3, concurrency: 2, running: 2 });
    for (let n = 0; n < 6; n++) {
      end();
      if (n < 4) await started.one();
    }
  });

  it.each(['classic', 'quorum', 'stream'])('%s: another prefetch is in force at the broker', async (kind) => {
    const queue = `prefetch ${kind}`;
    const { started, handle, end } = held();
    const rabbit = await warren(broker.url)
      .consume(queue, handle, { ...KINDS[kind], prefetch: 2 })
      .open();
    await send(rabbit, queue, 1, 8);
    await started.take(2);
    const control = rabbit.broker.control.handler(queue);
    const changing = control.prefetch(5);
    end();
    end();
    expect(await changing).toMatchObject({ inForce: true, consumers: [{ prefetch: 5, concurrency: 5 }] });
    expect((await started.take(5)).map(({ payload }) => payload)).toEqual(numbers(3, 7));
    expect(consumer(rabbit)).toMatchObject({ inFlight: 5, running: 5 });
    for (let n = 0; n < 5; n++) end();
    expect((await started.one()).payload).toBe(8);
    end();
  });

  it('another concurrency is in force when no more than that run', async () => {
    const { started, handle, end } = held();
    const rabbit = await warren(broker.url).consume('slots', handle, { prefetch: 10, concurrency: 3 }).open();
    await send(rabbit, 'slots', 1, 10);
    await started.take(3);
    const control = rabbit.broker.control.handler('slots');
    const fewer = control.concurrency(1);
    end();
    expect(await control.concurrency(1, { timeout: 1 })).toMatchObject({
      inForce: false,
      consumers: [{ running: 2 }],
    });
    end();
    expect(await fewer).toMatchObject({ inForce: true, consumers: [{ running: 1 }] });
    expect(started.size).toBe(3);
    await control.concurrency(4);
    expect((await started.take(3)).map(({ payload }) => payload)).toEqual([4, 5, 6]);
    for (let n = 0; n < 10; n++) {
      end();
      if (n < 4) await started.one();
    }
  });

  it('a rate holds across prefetch and batches, and can be taken away', async () => {
    const got = new Collector<number>();
    const rabbit = await warren(broker.url, { consumerTimeout: 0 })
      .consume('slowly', () => got.push(1), { rate: '1/h' })
      .batch('slow batches', ({ length }) => got.push(length), { batch: { size: 3, wait: '1m' } })
      .open();
    await send(rabbit, 'slowly', 1, 5);
    expect(await got.one()).toBe(1);
    await until(() => consumer(rabbit).inFlight === 4, 'the others to be held');
    expect(got.size).toBe(1);
    expect(consumer(rabbit)).toMatchObject({ rate: '1/h', running: 0 });
    await rabbit.broker.control.handler('slowly').rate(null);
    expect(await got.take(4)).toEqual([1, 1, 1, 1]);
    await rabbit.broker.control.handler('slow batches').rate('1/h');
    await send(rabbit, 'slow batches', 1, 6);
    expect(await got.one()).toBe(3);
    await until(() => rabbit.broker.status().consumers[1].inFlight === 3, 'the second batch to be held');
    await rabbit.broker.control.handler('slow batches').rate('100/s');
    expect(await got.one()).toBe(3);
  });

  it('begins paused when it is told so, and says so', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('not yet', ({ payload }) => got.push(payload), { paused: true })
      .open();
    await logged(rabbit, 'PAUSED');
    await rabbit.broker.send('not yet', 1);
    expect(consumer(rabbit)).toMatchObject({ ready: false, paused: { by: 'start' }, lastError: undefined });
    await rabbit.broker.control.handler('not yet').resume();
    expect(await got.one()).toBe(1);
  });

  it('a caller of a paused RPC handler gets a timeout, and a reply once it is resumed in time', async () => {
    const rabbit = await warren(broker.url)
      .rpc('quote', () => 42)
      .open();
    const control = rabbit.broker.control.handler('quote');
    await control.pause();
    await replying(rabbit);
    const error = await rejection(rabbit.broker.request('quote', 1, { timeout: 500 }));
    expect(error.name).toBe('RpcTimeoutError');
    const answer = rabbit.broker.request('quote', 1, { timeout: '10s' });
    await control.resume();
    expect(await answer).toBe(42);
  });

  it('without acks a pause finishes what has arrived, and loses nothing', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('unacked', ({ payload }) => got.push(payload), { ack: 'none', concurrency: 1 })
      .open();
    await send(rabbit, 'unacked', 1, 20);
    const control = rabbit.broker.control.handler('unacked');
    await control.pause();
    await control.resume();
    expect(await got.take(20)).toEqual(numbers(1, 20));
  });

  it('a broadcast handler misses what is published while it is paused', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .subscribe('news', ({ payload }) => got.push(payload), { broadcast: true, id: 'news' })
      .open();
    const control = rabbit.broker.control.handler('news');
    await control.pause();
    await rabbit.broker.publish('news', 1);
    await control.resume();
    await rabbit.broker.publish('news', 2);
    expect(await got.one()).toBe(2);
  });

  it('a paused application closes at once, and hands over nothing', async () => {
    const rabbit = await warren(broker.url)
      .consume('closing', () => undefined)
      .open();
    await rabbit.broker.control.handler('closing').pause();
    await rabbit.broker.send('closing', 1);
    await rabbit.broker.close();
    expect(await count(broker, 'closing')).toBe(1);
  });

  it('what is not in force when the application closes is not waited for any more', async () => {
    const tap = await Tap.open(broker.url);
    const { clock, count: timers } = countedTimers();
    const { started, handle } = held();
    const rabbit = await warren(tap.url, { shutdown: 100 }, { clock })
      .consume('hangs', handle, { prefetch: 2 })
      .consume('lost', () => undefined)
      .open();
    await send(rabbit, 'hangs', 1, 2);
    await started.take(2);
    const handler = (queue: string) => rabbit.broker.control.handler(queue);
    await handler('lost').pause();
    tap.cut();
    await until(() => rabbit.broker.status().connections.every(({ state }) => state !== 'open'), 'the loss');
    const waiting = [
      handler('hangs').concurrency(1, { timeout: '10m' }),
      handler('lost').resume({ timeout: '10m' }),
      handler('lost').prefetch(5, { timeout: '10m' }),
    ];
    await rabbit.broker.close();
    for (const { inForce } of await within(Promise.all(waiting), 'the waits to end', 1_000))
      expect(inForce).toBe(false);
    expect(timers()).toBe(0);
  });

  it('says what is wrong with a name and a value', async () => {
    const rabbit = await warren(broker.url)
      .consume('orders', () => undefined, { batch: { size: 10 } })
      .open();
    const { control } = rabbit.broker;
    expect(() => control.handler('order')).toThrow(
      /there is no handler 'order'.*did you mean orders\? known: orders/,
    );
    const handler = control.handler('orders');
    await expect(handler.prefetch(0)).rejects.toThrow(
      /'prefetch' must be an integer between 1 and 65535, but is 0/,
    );
    await expect(handler.prefetch(5)).rejects.toThrow(/a batch of 10 can never fill with prefetch 5/);
    await expect(handler.concurrency(33)).rejects.toThrow(/concurrency 33 is above prefetch 32/);
    await expect(handler.rate('fast' as never)).rejects.toThrow(/'rate' must be a rate such as '100\/s'/);
    await expect(handler.pause({ timeout: 'soon' as never })).rejects.toThrow(/timeout must be a duration/);
  });
});
