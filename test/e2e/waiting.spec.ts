// Where messages wait for their next attempt, and how they come back: as safe as their queue, found when
// that was deleted, and on their way again whatever somebody deletes meanwhile.

import { afterAll, describe, expect, it } from '@jest/globals';
import type { Channel } from 'amqplib';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, taken, warren } from '../support/warren.js';

const once = { attempts: 2, delays: 400, jitter: false } as const;

async function channelOf(broker: TestBroker): Promise<Channel> {
  const channel = await (await broker.connect()).createChannel();
  channel.on('error', () => undefined);
  return channel;
}

/** Resolves when the broker knows of so many messages in a queue. */
async function holds(channel: Channel, queue: string, messages: number): Promise<void> {
  await until(
    async () => (await channel.checkQueue(queue)).messageCount === messages,
    `${messages} messages in '${queue}'`,
  );
}

onEachBroker('a message that waits', (broker) => {
  it.each(['quorum', 'classic'] as const)(
    'of a %s queue is in a queue that outlives nodes and outages, and comes back to its own by name',
    async (queueType) => {
      const arrivals = new Collector<[string, string, number]>();
      const rabbit = await warren(broker.url)
        .consume(
          `safe.${queueType}`,
          (delivery) => {
            arrivals.push([delivery.message.exchange, delivery.exchange, delivery.attempt]);
            if (delivery.attempt === 1) throw new Error('later');
          },
          { queueType, retry: once },
        )
        .open();
      await rabbit.broker.send(`safe.${queueType}`, 1);
      expect(await arrivals.take(2)).toEqual([
        ['', '', 1],
        ['', '', 2],
      ]);
      const channel = await channelOf(broker);
      // The same arguments are taken, and others would be refused: nothing makes the broker delete it.
      await channel.assertQueue('test.retry.400', {
        durable: true,
        arguments: {
          'x-queue-type': 'quorum',
          'x-message-ttl': 30_400,
          'x-dead-letter-exchange': 'warren.back',
          'x-dead-letter-strategy': 'at-least-once',
          'x-overflow': 'reject-publish',
          'x-delivery-limit': 1_000_000_000,
        },
      });
    },
  );

  it('of a broadcast subscriber comes back by the name of its queue, and leaves no orphan', async () => {
    const arrivals = new Collector<[string, number]>();
    const rabbit = await warren(broker.url)
      .subscribe(
        'news',
        (delivery) => {
          arrivals.push([delivery.message.exchange, delivery.attempt]);
          if (delivery.attempt === 1) throw new Error('later');
        },
        { broadcast: true, retry: { ...once, delays: 30 } },
      )
      .open();
    await rabbit.broker.publish('news', 1);
    expect(await arrivals.take(2)).toEqual([
      ['events', 1],
      ['', 2],
    ]);
  });

  it.each(['quorum', 'classic'] as const)(
    'of a %s queue that was deleted ends with the orphans, and holds up nobody who waits in the same queue',
    async (queueType) => {
      const [gone, kept] = [`gone.${queueType}`, `kept.${queueType}`];
      const retried = new Collector<unknown>();
      // Long enough for the queue to be gone before any of them comes back.
      const options = { queueType, retry: { ...once, delays: 3_000 } };
      const fails = (): never => {
        throw new Error('later');
      };
      const doomed = await warren(broker.url).consume(gone, fails, options).open();
      const rabbit = await warren(broker.url)
        .consume(kept, ({ attempt, payload }) => (attempt === 1 ? fails() : retried.push(payload)), options)
        .open();
      // More than what RabbitMQ has under way at once to a queue that cannot be reached.
      const lost = 40;
      await Promise.all(Array.from({ length: lost }, (_, n) => doomed.broker.send(gone, n)));
      for (let n = 0; n < lost; n++) {
        for (;;) if ((await eventOf(doomed, 'settled')).queue === gone) break;
      }
      await doomed.broker.close();
      const channel = await channelOf(broker);
      await channel.deleteQueue(gone);
      await rabbit.broker.send(kept, 'mine');
      expect(await retried.one()).toBe('mine');
      await holds(channel, 'warren.orphans', lost);
      const orphan = await taken(broker, 'warren.orphans');
      expect(orphan.fields).toMatchObject({ routingKey: gone, exchange: 'warren.back' });
      expect(orphan.properties.headers).toMatchObject({ 'x-warren-attempt': 1 });
      await channel.purgeQueue('warren.orphans');
    },
  );

  it('finds its queue again when that was deleted under its consumer, who declares it anew', async () => {
    const attempts = new Collector<number>();
    const rabbit = await warren(broker.url)
      .consume(
        'anew',
        ({ attempt }) => {
          attempts.push(attempt);
          if (attempt === 1) throw new Error('later');
        },
        { retry: once },
      )
      .open();
    await rabbit.broker.send('anew', 1);
    await eventOf(rabbit, 'settled');
    await (await channelOf(broker)).deleteQueue('anew');
    expect(await attempts.take(2)).toEqual([1, 2]);
    expect(await count(broker, 'warren.orphans')).toBe(0);
  });

  describe('given somebody who deletes what it needs', () => {
    it.each<[string, (channel: Channel) => Promise<unknown>]>([
      ['the wait queue', (channel) => channel.deleteQueue('test.retry.30')],
      ['the exchange of the way back', (channel) => channel.deleteExchange('warren.back')],
    ])('%s is there again for the next message', async (what, remove) => {
      const queue = `mended.${what}`;
      const attempts = new Collector<unknown[]>();
      const handle = ({ attempt, payload }: { attempt: number; payload: unknown }): void => {
        attempts.push([payload, attempt]);
        if (attempt === 1) throw new Error('later');
      };
      const retry = { attempts: 2, delays: 30, jitter: false };
      const rabbit = await warren(broker.url).consume(queue, handle, { retry }).open();
      const other = warren(broker.url).broker;
      const channel = await channelOf(broker);
      // RabbitMQ 3.10 forgets the old queue's consumer only if no ack of it is under way: now and then.
      for (let round = 1; round <= 8; round++) {
        await rabbit.broker.send(queue, `first ${round}`);
        await attempts.take(2);
        await remove(channel);
        // The exchange is asked for again once a minute; a new life asks at once.
        if (what.includes('exchange')) await broker.closeConnections();
        // From another connection: a publish to an exchange that is gone puts those beside it in doubt.
        await other.send(queue, `second ${round}`);
        expect(await attempts.take(2)).toEqual([
          [`second ${round}`, 1],
          [`second ${round}`, 2],
        ]);
        if (what.includes('exchange')) break;
      }
    });
  });

  it('counts attempts on from its own headers only where retries arrive, not on copies that an exchange routed', async () => {
    const seen = new Collector<[number, string]>();
    const rabbit = await warren(broker.url)
      .subscribe('copied', ({ attempt, routingKey }) => seen.push([attempt, routingKey]))
      .open();
    const headers = { 'x-warren-attempt': 3, 'x-warren-routing-key': 'other' };
    await rabbit.broker.publish('copied', 1, { headers });
    expect(await seen.one()).toEqual([1, 'copied']);
  });
});

onEachBroker('a policy that grows', (broker) => {
  it('waits longer each time, up to its longest', async () => {
    const rabbit = await warren(broker.url)
      .consume('grows', () => Promise.reject(new Error('no')), {
        retry: { attempts: 5, delays: { first: 10, factor: 3, max: 60 }, jitter: false },
      })
      .open();
    await rabbit.broker.send('grows', 1);
    await taken(broker, 'grows.dead');
    const waits = rabbit.lines.flatMap((line) => /attempt \d in (\w+)/.exec(line)?.[1] ?? []);
    expect(waits).toEqual(['10ms', '30ms', '60ms', '60ms']);
    await logged(rabbit, '5 attempts in 160ms (10ms 30ms 60ms ...) -> grows.dead');
  });

  it('applies to all handlers of a connection that say nothing else', async () => {
    const attempts = new Collector<string>();
    const fails = (name: string) => (): never => {
      attempts.push(name);
      throw new RangeError('no');
    };
    const retry = { attempts: 3, delays: { first: 10, step: 10, max: 20 }, jitter: false, on: [RangeError] };
    const rabbit = await warren(broker.url, { retry })
      .consume('wide', fails('wide'))
      .consume('own', fails('own'), { retry: { on: [TypeError] } })
      .open();
    await rabbit.broker.send('wide', 1);
    await rabbit.broker.send('own', 1);
    expect((await taken(broker, 'wide.dead')).properties.headers).toMatchObject({ 'x-warren-attempt': 2 });
    expect((await taken(broker, 'own.dead')).properties.headers).toMatchObject({
      'x-warren-reason': 'not-retryable',
    });
    expect(attempts.all.filter((name) => name === 'wide')).toHaveLength(3);
  });

  it.each<[object, RegExp]>([
    [{ delays: [] }, /'retry\.delays' must be .*an array of durations/],
    [{ delays: ['1s', 'soon'] }, /'retry\.delays\[1\]' must be a duration .*but is 'soon'/],
    [
      { delays: { first: '1s', max: '1m' } },
      /'retry\.delays\.factor' must be a number above 1, but is missing/,
    ],
    [
      { delays: { first: '1s', factor: 1, max: '1m' } },
      /'retry\.delays\.factor' must be a number above 1, but is 1/,
    ],
    [
      { delays: { first: '1s', factor: 2, step: '1s', max: '1m' } },
      /there is no option 'retry\.delays\.step'/,
    ],
    [{ delays: { first: '2m', step: '1s', max: '1m' } }, /first is 120000 ms and max is 60000 ms/],
    [{ delays: '30d' }, /a duration such as/],
    [{ on: ['Error'] }, /'retry\.on\[0\]' must be a function, but is 'Error'/],
    [{ attempts: 0 }, /'retry\.attempts' must be an integer between 1 and 1000, but is 0/],
  ])('%p is refused at boot, by name', (retry, message) => {
    const refused = (): unknown => warren(broker.url).consume('refused', () => 1, { retry: retry as never });
    expect(refused).toThrow(message);
    expect(refused).toThrow(/@Consume refused/);
  });
});

onEachBroker('the permissions that the documentation names', (broker) => {
  const users: string[] = [];
  /** The URL of a user who may do what is said, and nothing else. */
  const limited = async (name: string, permissions: object): Promise<string> => {
    const url = new URL(broker.url);
    const vhost = broker.vhostPath;
    const user = `${name}-${vhost}`;
    await broker.manage('PUT', `/users/${user}`, { password: 'p', tags: '' });
    users.push(user);
    await broker.manage('PUT', `/permissions/${vhost}/${user}`, permissions);
    [url.username, url.password] = [user, 'p'];
    return url.href;
  };
  afterAll(() => Promise.all(users.map((user) => broker.manage('DELETE', `/users/${user}`))));

  const failing = { attempts: 2, delays: 20, jitter: false };

  it('are enough to consume, try again and dead-letter', async () => {
    const url = await limited('whole', {
      configure: '^(orders(\\.dead)?|billing\\..*|warren\\.(back|orphans))$',
      write: '^(orders(\\.dead)?|billing\\..*|warren\\.(back|orphans)|amq\\.default)$',
      read: '^(orders|billing\\..*|warren\\.(back|orphans))$',
    });
    const attempts: number[] = [];
    const rabbit = await warren(url, { service: 'billing' })
      .consume('orders', ({ attempt }) => (attempts.push(attempt), Promise.reject(new Error('no'))), {
        retry: failing,
      })
      .open();
    await rabbit.broker.send('orders', 1);
    await taken(broker, 'orders.dead');
    expect(attempts).toEqual([1, 2]);
    await until(
      () => rabbit.broker.status().waiting.queues.includes('billing.retry.20'),
      'the queue to be held',
    );
  });

  it("are enough within one's own names where an administrator made the rest, and open nobody else's", async () => {
    const channel = await channelOf(broker);
    await channel.assertExchange('warren.orphans', 'fanout');
    await channel.assertQueue('warren.orphans', { arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue('warren.orphans', 'warren.orphans', '');
    await channel.assertExchange('warren.back', 'direct', { alternateExchange: 'warren.orphans' });
    const own = '(bills(\\.dead)?|ledger\\..*)';
    const url = await limited('confined', {
      configure: `^${own}$`,
      write: `^(${own}|warren\\.(back|orphans)|amq\\.default)$`,
      read: '^(bills|ledger\\..*|warren\\.back)$',
    });
    const attempts = new Collector<unknown[]>();
    const rabbit = await warren(url, { service: 'ledger' })
      .consume(
        'bills',
        ({ attempt, payload }) => {
          attempts.push([payload, attempt]);
          if (attempt === 1) throw new Error('no');
        },
        { retry: failing },
      )
      .open();
    await rabbit.broker.send('bills', 'now');
    await rabbit.broker.send('bills', 'later', { delay: 20 });
    expect((await attempts.take(4)).sort()).toEqual([
      ['later', 1],
      ['later', 2],
      ['now', 1],
      ['now', 2],
    ]);
    const other = await warren(broker.url, { service: 'others' })
      .consume('theirs', () => Promise.reject(new Error('no')), { retry: { ...failing, delays: '1m' } })
      .open();
    await other.broker.send('theirs', 1);
    await eventOf(other, 'settled');
    for (const queue of ['others.retry.60000', 'theirs.dead', 'warren.orphans']) {
      const thief = await (await broker.connect({ url })).createChannel();
      thief.on('error', () => undefined);
      await expect(thief.consume(queue, () => undefined)).rejects.toThrow(/403/);
    }
  });
});
