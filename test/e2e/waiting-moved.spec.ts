// Who moves messages on when their wait is over: the processes of their service, with care; the broker alone when there
// is none; and what version 0.1 left waiting comes as well.

import { expect, it } from '@jest/globals';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Delivery } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, taken, warren } from '../support/warren.js';

async function channelOf(broker: TestBroker): Promise<Channel> {
  const channel = await (await broker.connect()).createChannel();
  channel.on('error', () => undefined);
  return channel;
}

/** Fails at the first attempt and tells of the second. */
function failsOnce(done: Collector<unknown>): (delivery: Delivery) => void {
  return ({ attempt, payload }) => {
    if (attempt === 1) throw new Error('later');
    done.push(payload);
  };
}

const retry = { attempts: 2, delays: 300, jitter: false } as const;

onEachBroker('what waits while no process of the service is there', (broker) => {
  const GRACE = 300;

  it('comes back by itself, a little late: retries and delays to queues', async () => {
    const done = new Collector<unknown>();
    const rabbit = await warren(broker.url, { service: 'away' }, { grace: GRACE })
      .consume('away.q', () => Promise.reject(new Error('later')), { retry })
      .open();
    await rabbit.broker.send('away.q', 'retry');
    await eventOf(rabbit, 'settled');
    await rabbit.broker.send('away.q', 'delay', { delay: 300 });
    await rabbit.broker.close();
    const channel = await channelOf(broker);
    await channel.consume('away.q', (message) => done.push(String(message?.content)), { noAck: true });
    expect((await done.take(2)).sort()).toEqual(['delay', 'retry']);
    expect(await count(broker, 'warren.orphans')).toBe(0);
  });

  it('comes to an exchange too, under its name, however many others nobody listens to', async () => {
    const seen = new Collector<[string, string, unknown]>();
    const publisher = warren(broker.url, { service: 'away' }, { grace: GRACE }).broker;
    const rabbit = warren(broker.url, { service: 'listens' }).subscribe('heard', (delivery) => {
      seen.push([delivery.exchange, delivery.routingKey, delivery.payload]);
    });
    await rabbit.open();
    // More than what RabbitMQ has under way at once.
    const unheard = Array.from({ length: 40 }, () => publisher.publish('unheard', 0, { delay: 400 }));
    await Promise.all([...unheard, publisher.publish('heard', 1, { delay: 400 })]);
    await publisher.close();
    expect(await seen.one()).toEqual(['events', 'heard', 1]);
  });

  it('is moved on in time by the next process, which finds the queues of earlier ones', async () => {
    const done = new Collector<unknown>();
    const options = { retry: { ...retry, delays: 1_500 } };
    const first = await warren(broker.url, { service: 'next' })
      .consume('next.q', failsOnce(done), options)
      .open();
    await first.broker.send('next.q', 1);
    await eventOf(first, 'settled');
    await first.broker.close();
    const second = await warren(broker.url, { service: 'next' })
      .consume('next.q', failsOnce(done), options)
      .open();
    await until(
      () => second.broker.status().waiting.queues.includes('next.retry.1500'),
      'the queue to be found',
    );
    // By the broker alone it would take thirty seconds more.
    expect(await done.one()).toBe(1);
    expect(second.broker.status().counters).toMatchObject({ retriesLate: 0 });
    expect(second.events.all.filter(({ kind }) => kind === 'returned' || kind === 'published')).toEqual([]);
  });
});

onEachBroker('what a process of the service moves on', (broker) => {
  it('is counted while it waits, with the time of the next', async () => {
    const rabbit = await warren(broker.url, { service: 'counted' })
      .consume('counted.q', () => Promise.reject(new Error('later')), { retry: { ...retry, delays: '1m' } })
      .open();
    expect(rabbit.broker.status().waiting).toEqual({ messages: 0, nextDue: undefined, queues: [] });
    await rabbit.broker.send('counted.q', 1);
    await until(() => rabbit.broker.status().waiting.messages === 1, 'the message to wait');
    const { waiting } = rabbit.broker.status();
    expect(waiting.queues).toEqual(['counted.retry.60000']);
    expect(Number(waiting.nextDue) - Date.now()).toBeGreaterThan(40_000);
    expect(Number(waiting.nextDue) - Date.now()).toBeLessThanOrEqual(60_000);
    expect(await rabbit.broker.backlog()).toBe(1);
    await (await channelOf(broker)).deleteQueue('counted.retry.60000');
    await until(async () => (await rabbit.broker.backlog()) === 0, 'the queue to be forgotten');
  });

  it('comes in time when its connection is lost meanwhile', async () => {
    const done = new Collector<unknown>();
    const rabbit = await warren(broker.url, { service: 'lost' })
      .consume('lost.q', failsOnce(done), { retry: { ...retry, delays: 800 } })
      .open();
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    await Promise.all(numbers.map((n) => rabbit.broker.send('lost.q', n)));
    await until(() => rabbit.broker.status().waiting.messages === 30, 'all to wait');
    await broker.closeConnections();
    const came = await done.take(30);
    expect([...new Set(came)].sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
    expect(rabbit.broker.status().counters.retriesLate).toBe(0);
  });

  it('is handed over to the others at a clean end, and nothing twice', async () => {
    const done = new Collector<unknown>();
    const many = 300;
    const one = (): ReturnType<typeof warren> =>
      warren(broker.url, { service: 'shared' }).consume('shared.q', failsOnce(done), { retry });
    const [first, second] = await Promise.all([one().open(), one().open()]);
    const numbers = Array.from({ length: many }, (_, n) => n);
    await Promise.all(numbers.map((n) => first.broker.send('shared.q', n)));
    // In the middle of it.
    await until(() => done.size > 20, 'the first to come back');
    await first.broker.close();
    await until(() => done.size >= many, 'all to come back', 20_000);
    await second.broker.close();
    expect(done.all.map(Number).sort((a, b) => a - b)).toEqual(numbers);
  });

  it('whose queue was deleted is with the orphans, also where the queue is not ours', async () => {
    const channel = await channelOf(broker);
    await channel.assertQueue('foreign', { durable: true });
    const rabbit = await warren(broker.url, { service: 'skips' })
      .consume('foreign', () => Promise.reject(new Error('later')), {
        declare: 'skip',
        deadLetter: false,
        retry,
      })
      .open();
    await rabbit.broker.send('foreign', 'mine');
    await eventOf(rabbit, 'settled');
    await channel.deleteQueue('foreign');
    const { fields, content } = await taken(broker, 'warren.orphans');
    expect([fields.routingKey, String(content)]).toEqual(['foreign', 'mine']);
    await logged(rabbit, "queue 'foreign' does not exist: its");
  });

  it('is a delayed message for a queue that was deleted, too', async () => {
    const channel = await channelOf(broker);
    await channel.assertQueue('short.lived', { durable: true });
    const { broker: client } = warren(broker.url, { service: 'delays' });
    await client.send('short.lived', 'mine', { delay: 300 });
    await channel.deleteQueue('short.lived');
    expect((await taken(broker, 'warren.orphans')).fields.routingKey).toBe('short.lived');
  });
});

onEachBroker('what version 0.1 left waiting', (broker) => {
  it('still arrives, and its instances can work beside new ones', async () => {
    const done = new Collector<unknown>();
    await warren(broker.url, { service: 'update' }).consume('update.q', failsOnce(done), { retry }).open();
    const { broker: other } = await warren(broker.url, { service: 'listener' })
      .subscribe('key', ({ payload }) => done.push(payload))
      .open();
    const channel = await channelOf(broker);
    const classic = { 'x-queue-type': 'classic' };
    const quorum = {
      ...{ 'x-queue-type': 'quorum', 'x-dead-letter-strategy': 'at-least-once' },
      'x-overflow': 'reject-publish',
    };
    const old = [
      ['warren.retry.300.quorum', 'warren.back', quorum, 'update.q'],
      ['warren.retry.300.classic', 'warren.back', classic, 'update.q'],
      ['warren.wait.300', '', classic, 'update.q'],
      ['warren.wait.300.events', 'events', classic, 'key'],
    ] as const;
    for (const [name, deadLetterExchange, args, key] of old) {
      await channel.assertExchange(name, 'fanout', { durable: true, autoDelete: true });
      await channel.assertQueue(name, {
        durable: true,
        ...{ arguments: args, messageTtl: 300, deadLetterExchange, expires: 300_300 },
      });
      await channel.bindQueue(name, name, '');
      const headers = { 'x-warren-attempt': 1, 'x-warren-exchange': '', 'x-warren-routing-key': key };
      channel.publish(name, key, Buffer.from(JSON.stringify(name)), { headers, persistent: true });
    }
    expect((await done.take(4)).sort()).toEqual(old.map(([name]) => name).sort());
    expect(other.status().counters).toMatchObject({ retriesLate: 0 });
  });
});

onEachBroker('on the broker', (broker) => {
  it('nothing in which messages wait is the broker to delete, or classic', async () => {
    const rabbit = await warren(broker.url, { service: 'whole' })
      .consume('whole.quorum', () => Promise.reject(new Error('later')), { queueType: 'quorum', retry })
      .consume('whole.classic', () => Promise.reject(new Error('later')), { retry })
      .subscribe('whole', () => Promise.reject(new Error('later')), { broadcast: true, retry })
      .open();
    await rabbit.broker.send('whole.quorum', 1);
    await rabbit.broker.send('whole.classic', 1);
    await rabbit.broker.publish('whole', 1);
    await rabbit.broker.send('whole.quorum', 1, { delay: '1m' });
    await rabbit.broker.publish('whole', 1, { delay: '1m' });
    await taken(broker, 'whole.quorum.dead');
    const vhost = broker.vhostPath;
    const list = async (): Promise<{ name: string; arguments: Record<string, unknown> }[]> =>
      (await broker.manage('GET', `/queues/${vhost}?disable_stats=true`)) as never;
    await until(
      async () => (await list()).some(({ name }) => name.includes('broadcast')),
      'all queues to be there',
    );
    const queues = (await list()).filter(({ name }) => /\.(retry|delay|nowhere)\b/.test(name));
    const types = queues.map(({ name, arguments: args }) => [name, args['x-queue-type']]);
    expect(Object.fromEntries(types)).toEqual({
      'whole.retry.300': 'quorum',
      'whole.retry.300.broadcast': 'classic',
      'whole.delay.60000': 'quorum',
      'whole.delay.60000.events': 'quorum',
      'whole.nowhere': 'quorum',
    });
    for (const { arguments: args } of await list()) expect(args).not.toHaveProperty('x-expires');
  });

  it('a question whether a queue is there does not stay, nor reach anybody', async () => {
    const got = new Collector<ConsumeMessage | null>();
    const internals = { grace: 100 };
    const done = new Collector<unknown>();
    const rabbit = await warren(broker.url, { service: 'asks' }, internals)
      .consume('asks.q', failsOnce(done), { retry })
      .open();
    await rabbit.broker.send('asks.q', 1);
    await done.one();
    await rabbit.broker.close();
    const again = await warren(broker.url, { service: 'asks' }, internals)
      .consume('asks.q', failsOnce(new Collector()), { retry })
      .open();
    await until(() => again.broker.status().waiting.queues.length === 1, 'the wait to be found');
    await again.broker.close();
    const channel = await channelOf(broker);
    await channel.consume('asks.q', (message) => got.push(message), { noAck: true });
    await until(async () => (await channel.checkQueue('asks.retry.300')).messageCount === 0, 'it to be gone');
    expect(await count(broker, 'warren.orphans')).toBe(0);
    expect(got.all.map((message) => String(message?.content))).toEqual([]);
  });
});
