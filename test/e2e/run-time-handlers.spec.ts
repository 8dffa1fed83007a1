// Handlers that are added and removed while the application runs: planned, checked and declared as at the start.

import { expect, it } from '@jest/globals';
import type { HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count, eventOf, rejection, taken, warren, type Warren } from '../support/warren.js';

onEachBroker('handlers at run time', (broker) => {
  const subscribe = (
    { broker: client }: Warren,
    kind: 'consume' | 'subscribe' | 'rpc',
    pattern: string,
    handle: (payload: unknown) => unknown,
    options: HandlerOptions = {},
  ): Promise<void> =>
    client.control.subscribe({
      ...{ kind, id: `at.run.time.${pattern}`, patterns: [pattern], options },
      handle: (input) => handle((input as { payload: unknown }).payload),
    });

  it('queues per tenant: each is declared, consumed, retried, dead-lettered and left', async () => {
    const got = new Collector<string>();
    const rabbit = await warren(broker.url).open();
    for (const tenant of ['a', 'b']) {
      const options = { queueType: 'quorum', retry: { attempts: 2, delays: 20 } } as const;
      await subscribe(
        rabbit,
        'consume',
        `orders.${tenant}`,
        (payload) => {
          got.push(`${tenant} ${String(payload)}`);
          if (payload === 'bad') throw new Error('no');
        },
        options,
      );
    }
    await rabbit.broker.send('orders.a', 1);
    await rabbit.broker.send('orders.b', 2);
    expect((await got.take(2)).sort()).toEqual(['a 1', 'b 2']);
    await rabbit.broker.send('orders.a', 'bad');
    expect(await got.take(2)).toEqual(['a bad', 'a bad']);
    expect((await taken(broker, 'orders.a.dead')).content.toString()).toBe('bad');
    await rabbit.broker.control.unsubscribe('at.run.time.orders.a');
    expect(rabbit.broker.status().consumers.map(({ queue }) => queue)).toEqual(['orders.b']);
    await rabbit.broker.send('orders.a', 3);
    expect(await count(broker, 'orders.a')).toBe(1);
    // And again.
    await subscribe(rabbit, 'consume', 'orders.a', (payload) => got.push(`again ${String(payload)}`), {
      queueType: 'quorum',
    });
    expect(await got.one()).toBe('again 3');
  });

  it('subscriptions and RPC handlers, also when nothing was consumed before', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url).open();
    await subscribe(rabbit, 'subscribe', 'late.*', got.push);
    await rabbit.broker.publish('late.news', 1);
    expect(await got.one()).toBe(1);
    await subscribe(rabbit, 'rpc', 'late.sum', (payload) => Number(payload) + 1);
    expect(await rabbit.broker.request('late.sum', 41)).toBe(42);
    await subscribe(rabbit, 'rpc', 'late.product', (payload) => Number(payload) * 2);
    expect(await rabbit.broker.request('late.product', 21)).toBe(42);
    // They can be paused like the others.
    await rabbit.broker.control.handler('at.run.time.late.sum').pause();
    expect(rabbit.broker.status().consumers[1]).toMatchObject({ ready: false, paused: { by: 'control' } });
  });

  it('come back after a loss of the connection and of their queue', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url, { watchdog: 50 }).open();
    await subscribe(rabbit, 'consume', 'returns', got.push);
    await broker.closeConnections();
    await until(() => rabbit.broker.status().counters.consumersLost > 0, 'the loss to be seen');
    const channel = await (await broker.connect()).createChannel();
    await channel.deleteQueue('returns');
    await until(() => rabbit.broker.status().consumers[0].ready, 'it to consume');
    const other = await warren(broker.url).open();
    await until(
      () =>
        other.broker.send('returns', 1).then(
          () => true,
          () => false,
        ),
      'its queue to be there',
    );
    expect(await got.one()).toBe(1);
  });

  it('a shutdown waits for the handler of one that is being removed', async () => {
    const running = new Collector<() => void>();
    const rabbit = await warren(broker.url).open();
    await subscribe(rabbit, 'consume', 'leaving', () => new Promise<void>((end) => running.push(end)));
    await rabbit.broker.send('leaving', 1);
    const end = await running.one();
    const removed = rabbit.broker.control.unsubscribe('at.run.time.leaving');
    const ended: string[] = [];
    await until(() => !rabbit.broker.status().consumers[0].ready, 'it to be removed');
    const closed = rabbit.broker.close().then(() => ended.push('closed'));
    await eventOf(rabbit, 'closing');
    setTimeout(() => (ended.push('handled'), end()), 300);
    await Promise.all([removed, closed]);
    expect([ended, await count(broker, 'leaving')]).toEqual([['handled', 'closed'], 0]);
  });

  it('mistakes are refused as at the start, and leave everything as it was', async () => {
    const rabbit = await warren(broker.url)
      .consume('taken', () => undefined)
      .open();
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('otherwise', { maxPriority: 5 });
    const add = (queue: string, options?: HandlerOptions): Promise<void> =>
      subscribe(rabbit, 'consume', queue, () => undefined, options);
    await expect(add('taken')).rejects.toThrow(/queue 'taken' is consumed by taken/);
    await expect(add('x', { prefetch: 0 })).rejects.toThrow(/'prefetch' must be an integer/);
    await expect(add('taken', { maxPriority: 3 })).rejects.toThrow(/want queue 'taken' differently/);
    await expect(add('otherwise')).rejects.toThrow(/otherwise/);
    await expect(rabbit.broker.control.unsubscribe('at.run.time.x')).rejects.toThrow(/there is no handler/);
    expect(rabbit.broker.status().consumers).toHaveLength(1);
    await add('fine');
    await expect(add('fine')).rejects.toThrow(/there is a handler 'at.run.time.fine' already/);
    const early = warren(broker.url);
    await expect(subscribe(early, 'consume', 'early', () => undefined)).rejects.toThrow(/not open/);
  });

  it('one that was not added in time is not added later either', async () => {
    const tap = await Tap.open(broker.url);
    const rabbit = await warren(tap.url, { startup: 'background', startupTimeout: 300 })
      .consume('always', () => undefined)
      .open();
    const { control } = rabbit.broker;
    const states = (): string =>
      rabbit.broker
        .status()
        .connections.map(({ state }) => state)
        .join();
    await until(() => rabbit.broker.status().consumers[0].ready, 'it to consume');
    tap.cut();
    await until(() => !states().includes('open'), 'the loss to be seen');
    const add = (queue: string): Promise<void> => subscribe(rabbit, 'consume', queue, () => undefined);
    const added = (queue: string): Promise<true> =>
      until(
        () =>
          add(queue).then(
            () => true,
            () => false,
          ),
        'it to be added',
      );
    const known = (): string[] => control.status().map(({ handler }) => handler);
    expect((await rejection(add('late'))).message).toMatch('startupTimeout');
    await tap.back();
    // It would go on as soon as the connection is back, before this one begins.
    await until(() => states() === 'open,open', 'the connections to be back');
    await added('next');
    expect(known()).toEqual(['always', 'at.run.time.next']);
    await added('late');
    expect(known()).toEqual(['always', 'at.run.time.next', 'at.run.time.late']);
    tap.cut();
  });

  it('one whose queue is taken leaves no bindings: its messages would be dead letters of the other', async () => {
    const rabbit = await warren(broker.url)
      .consume('orders', () => undefined)
      .open();
    const audit = subscribe(rabbit, 'subscribe', 'audit.#', () => undefined, { queue: 'orders' });
    await expect(audit).rejects.toThrow(/queue 'orders' is consumed by orders/);
    expect(await rabbit.broker.publish('audit.x', 1)).toMatchObject({ routed: false });
    expect(await count(broker, 'orders.dead')).toBe(0);
  });

  it('one of several on a queue cannot be unsubscribed: the others would be too', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .subscribe('both.a', () => undefined, { id: 'a', queue: 'both' })
      .subscribe('both.b', ({ payload }) => got.push(payload), { id: 'b', queue: 'both' })
      .open();
    await expect(rabbit.broker.control.unsubscribe('a')).rejects.toThrow(
      /a cannot be unsubscribed: .* for b as/,
    );
    await rabbit.broker.publish('both.b', 1);
    expect(await got.one()).toBe(1);
  });
});
