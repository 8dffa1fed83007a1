// A handler that is slower than the broker lets a message be held: it is told, it does not run twice at once, and its good
// result counts. The queue's own argument makes the timeout short; RabbitMQ 3.10 does not know it.

import { expect, it } from '@jest/globals';
import type { Delivery } from '@warren/amqp';
import { onRabbitMQ, type TestBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, taken, warren } from '../support/warren.js';

/** RabbitMQ before 4.3 looks once a minute. */
const LONG = 80_000;

async function version(broker: TestBroker): Promise<number> {
  const { serverProperties } = (await broker.connect()).connection;
  return Number(/^\d+\.\d+/.exec(String(serverProperties.version))?.[0]);
}

onRabbitMQ('a handler slower than the consumer timeout', (broker) => {
  const slow = { queueType: 'quorum', arguments: { 'x-consumer-timeout': 3_000 } } as const;

  it('is told by its signal; its result settles the message when that comes again', async () => {
    if ((await version(broker)) < 4) return;
    const runs = new Collector<Delivery>('runs');
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const rabbit = await warren(broker.url)
      .consume('slow', (delivery) => (runs.push(delivery), ended), { ...slow, concurrency: 1 })
      .open();
    await rabbit.broker.send('slow', 1, { messageId: 'the-slow-one' });
    const { signal } = await runs.one();
    await until(() => signal.aborted, 'the signal', LONG);
    expect(signal.reason).toMatchObject({ code: 'WARREN_CONSUMER_TIMEOUT' });
    const { reason } = await eventOf(rabbit, 'consumer-lost');
    expect(reason).toContain('consumer timeout');
    const line = await logged(rabbit, 'after its consumer timeout');
    for (const word of ['the-slow-one', "'slow'", 'consumerTimeout']) expect(line).toContain(word);
    await until(() => rabbit.broker.status().consumers[0].inFlight === 1, 'the message to be back');
    end();
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'it to be settled');
    await rabbit.broker.close();
    expect([runs.size, await count(broker, 'slow'), await count(broker, 'slow.dead')]).toEqual([1, 0, 0]);
  }, 120_000);

  it('and never ends is poison after five of them, and the next message runs', async () => {
    if ((await version(broker)) < 4.3) return;
    const runs = new Collector<unknown>('runs');
    const rabbit = await warren(broker.url)
      .consume(
        'hangs',
        ({ payload }) => (runs.push(payload), payload === 1 ? new Promise(() => undefined) : 1),
        {
          ...slow,
          concurrency: 2,
        },
      )
      .open();
    await rabbit.broker.send('hangs', 1);
    expect(await runs.one()).toBe(1);
    const dead = await taken(broker, 'hangs.dead').catch(() => taken(broker, 'hangs.dead'));
    expect(dead.properties.headers).toMatchObject({ 'x-warren-reason': 'poison' });
    await rabbit.broker.send('hangs', 2);
    expect(await runs.one()).toBe(2);
    expect(runs.all).toEqual([1, 2]);
  }, 60_000);
});
