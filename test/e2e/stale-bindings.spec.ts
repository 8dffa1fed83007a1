// What a former version bound to a queue and nobody unbound: its messages reach no handler that never asked for them,
// but a dead-letter queue, with a line that says what to do.
import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { logged, taken, warren } from '../support/warren.js';

onEachBroker('bindings of a former version', (broker) => {
  it('bring nothing to a subscriber, which says so once', async () => {
    const id = 'Orders.on';
    const queue = `test.${id}`;
    const before = await warren(broker.url)
      .subscribe('order.*', () => undefined, { id })
      .open();
    await before.broker.close();
    const got = new Collector<string>();
    const rabbit = await warren(broker.url)
      .subscribe('order.created', ({ routingKey }) => got.push(routingKey), { id })
      .open();
    await rabbit.broker.publish('order.paid', 1);
    await rabbit.broker.publish('order.paid', 2);
    await rabbit.broker.publish('order.created', 3);
    await rabbit.broker.send(queue, 4);
    expect(await got.take(2)).toEqual(['order.created', queue]);
    const letters = [await taken(broker, `${queue}.dead`), await taken(broker, `${queue}.dead`)];
    expect(letters.map(({ content }) => content.toString()).sort()).toEqual(['1', '2']);
    for (const { properties } of letters) {
      expect(properties.headers).toMatchObject({
        'x-warren-reason': 'unmatched',
        'x-original-routingKey': 'order.paid',
      });
    }
    const line = await logged(
      rabbit,
      "no handler of queue 'test.Orders.on' matches 'order.paid' of exchange 'events'",
    );
    expect(line).toContain('rabbitmqctl list_bindings');
    expect(rabbit.lines.filter((each) => each.includes('order.paid'))).toHaveLength(1);
    expect(got.size).toBe(2);
  });

  it('nor to a batch, whose other messages are handled', async () => {
    const channel = await (await broker.connect()).createChannel();
    const rabbit = warren(broker.url);
    const got = new Collector<unknown>();
    const bindings = [{ exchange: { name: 'stale', type: 'topic' as const }, key: 'a' }];
    await rabbit
      .batch('stale.batch', (list) => got.push(list.map(({ payload }) => payload)), {
        bindings,
        batch: { size: 3 },
      })
      .open();
    await channel.bindQueue('stale.batch', 'stale', 'b');
    for (const [key, n] of [
      ['a', 1],
      ['b', 2],
      ['a', 3],
    ] as const) {
      await rabbit.broker.publish(key, n, { exchange: 'stale' });
    }
    expect(await got.one()).toEqual([1, 3]);
    expect((await taken(broker, 'stale.batch.dead')).content.toString()).toBe('2');
  });

  it('a retry and a replay still belong to their handler', async () => {
    const got = new Collector<number>();
    const rabbit = await warren(broker.url)
      .subscribe(
        'again.created',
        ({ attempt }) => {
          got.push(attempt);
          if (attempt < 2) throw new Error('again');
        },
        { retry: { attempts: 2, delays: 10, jitter: false } },
      )
      .open();
    await rabbit.broker.publish('again.created', 1);
    expect(await got.take(2)).toEqual([1, 2]);
  });

  it('a queue that is consumed by name takes what anybody routes to it', async () => {
    const got = new Collector<string>();
    const rabbit = await warren(broker.url)
      .consume('by.name', ({ routingKey }) => got.push(routingKey))
      .open();
    const channel = await (await broker.connect()).createChannel();
    await channel.bindQueue('by.name', 'amq.topic', '#');
    await rabbit.broker.publish('whatever.else', 1, { exchange: 'amq.topic' });
    expect(await got.one()).toBe('whatever.else');
  });

  it('handlers of one name keep their own retry policies', async () => {
    const rabbit = warren(broker.url);
    const exchange = { name: 'twins', type: 'topic' } as const;
    const got = new Collector<string>();
    const twin = (key: string, attempts: number): void =>
      rabbit.broker.register({
        kind: 'consume',
        id: 'Twin.on',
        patterns: ['twins'],
        options: { bindings: [{ exchange, key }], retry: { attempts, delays: 10, jitter: false } },
        handle: (input) => {
          got.push(key);
          (input as { retry(): void }).retry();
        },
      });
    twin('one', 1);
    twin('two', 7);
    await rabbit.open();
    await rabbit.broker.publish('two', 1, { exchange: exchange.name });
    expect(await got.take(7)).toEqual(Array(7).fill('two'));
    expect((await taken(broker, 'twins.dead')).properties.headers).toMatchObject({ 'x-warren-attempt': 6 });
  });
});
