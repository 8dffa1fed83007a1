// One flow of messages over several queues: a consistent hash exchange keeps a key on one of them, a single active
// consumer keeps it with one instance, and orderBy keeps its order there. Holds when an instance closes or crashes.

import { expect, it } from '@jest/globals';
import type { Delivery, HandlerOptions, QueueType } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count, warren, type Warren } from '../support/warren.js';

const SHARDS = [1, 2, 3];
const KEYS = Array.from({ length: 12 }, (_, n) => `k${n}`);

/** Sees every run of every instance, and whether it came when it should. */
class Ledger {
  readonly runs = new Collector<{ instance: string; key: string; queue: string }>('runs');
  readonly wrong: string[] = [];
  private readonly last = new Map<string, number>();
  private readonly running = new Set<string>();

  readonly handler =
    (instance: string) =>
    async ({ routingKey: key, payload, queue }: Delivery): Promise<void> => {
      const number = payload as number;
      if (number > this.lastOf(key) + 1)
        this.wrong.push(`${key} ${number} began before ${number - 1} was done`);
      const own = `${instance} ${key}`;
      if (this.running.has(own)) this.wrong.push(`two of ${key} at once`);
      this.running.add(own);
      for (let turns = number % 5; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      this.running.delete(own);
      this.last.set(key, Math.max(this.lastOf(key), number));
      this.runs.push({ instance, key, queue });
    };

  lastOf(key: string): number {
    return this.last.get(key) ?? 0;
  }
}

onEachBroker('sharding', (broker) => {
  const instance = (
    name: string,
    ledger: Ledger,
    { exchange, queueType, url = broker.url }: { exchange: string; queueType: QueueType; url?: string },
  ): Promise<Warren> => {
    const rabbit = warren(url);
    const options: HandlerOptions = {
      bindings: [{ exchange: { name: exchange, type: 'x-consistent-hash' }, key: '1' }],
      orderBy: 'routingKey',
      singleActive: true,
      queueType,
    };
    for (const shard of SHARDS) rabbit.consume(`${exchange}.${shard}`, ledger.handler(name), options);
    return rabbit.open();
  };
  const publish = async (rabbit: Warren, exchange: string, from: number, to: number): Promise<void> => {
    for (let number = from; number <= to; number++)
      await Promise.all(KEYS.map((key) => rabbit.broker.publish(key, number, { exchange })));
  };
  const allDone = (ledger: Ledger, number: number): Promise<unknown> =>
    until(() => KEYS.every((key) => ledger.lastOf(key) === number), `all keys to reach ${number}`);
  const nothingLeft = async (exchange: string): Promise<void> => {
    for (const shard of SHARDS)
      for (const queue of [`${exchange}.${shard}`, `${exchange}.${shard}.dead`])
        await until(() => count(broker, queue).then((left) => left === 0), `'${queue}' to be empty`);
  };

  it.each(['classic', 'quorum'] as const)(
    'when the connection of an instance breaks, the other takes over its shards: no gap, no loss, in order (%s)',
    async (queueType) => {
      const exchange = `broken.${queueType}`;
      const ledger = new Ledger();
      const tap = await Tap.open(broker.url);
      await instance('one', ledger, { exchange, queueType, url: tap.url });
      const two = await instance('two', ledger, { exchange, queueType });
      await publish(two, exchange, 1, 10);
      await allDone(ledger, 10);
      expect(new Set(ledger.runs.all.map((run) => run.instance))).toEqual(new Set(['one']));
      const begun = ledger.runs.size;
      const more = publish(two, exchange, 11, 60);
      await until(() => ledger.runs.size > begun + 100, 'work in the middle');
      tap.cut();
      await more;
      await allDone(ledger, 60);
      expect(ledger.wrong).toEqual([]);
      expect(ledger.runs.all.at(-1)?.instance).toBe('two');
      await nothingLeft(exchange);
    },
  );

  it('an instance that closes cleanly hands over without a second run of any message', async () => {
    const ledger = new Ledger();
    const at = { exchange: 'peace', queueType: 'quorum' } as const;
    const one = await instance('one', ledger, at);
    const two = await instance('two', ledger, at);
    const published = publish(two, 'peace', 1, 40);
    await until(() => ledger.runs.size > 100, 'work in the middle');
    await one.broker.close();
    await published;
    await allDone(ledger, 40);
    expect(ledger.wrong).toEqual([]);
    expect(ledger.runs.size).toBe(40 * KEYS.length);
    expect(new Set(ledger.runs.all.map((run) => run.instance))).toEqual(new Set(['one', 'two']));
    await nothingLeft('peace');
  });

  it.each(['classic', 'quorum'] as const)(
    'the next one begins when the last run of the one that ends is done, not before (%s)',
    async (queueType) => {
      const queue = `last.${queueType}`;
      const begun = new Collector<string>('runs');
      let end: () => void = () => undefined;
      const ended = new Promise<void>((resolve) => (end = resolve));
      const consumer = (name: string): Warren =>
        warren(broker.url).consume(
          queue,
          ({ payload }) => {
            begun.push(`${name} ${String(payload)}`);
            return name === 'one' ? ended : undefined;
          },
          { singleActive: true, concurrency: 1, queueType },
        );
      const one = await consumer('one').open();
      const two = await consumer('two')
        .consume(`${queue}.other`, ({ payload }) => begun.push(`other ${String(payload)}`))
        .open();
      for (const n of [1, 2, 3]) await two.broker.send(queue, n);
      expect(await begun.one()).toBe('one 1');
      await until(() => one.broker.status().consumers[0].inFlight === 3, 'all to be there');
      const closed = one.broker.close();
      // Whatever the other one were given now would come before these.
      for (const n of [1, 2, 3]) {
        await two.broker.send(`${queue}.other`, n);
        expect(await begun.one()).toBe(`other ${n}`);
      }
      end();
      expect(await begun.take(2)).toEqual(['two 2', 'two 3']);
      await closed;
      expect(begun.size).toBe(6);
    },
  );

  it('instances that have a share of the shards each work at the same time, and keep the order', async () => {
    const ledger = new Ledger();
    const exchange = { name: 'shares', type: 'x-consistent-hash' };
    const shared = async (name: string, shards: readonly number[]): Promise<Warren> => {
      const rabbit = warren(broker.url);
      rabbit.broker.declare({
        queues: SHARDS.map((shard) => ({ name: `shares.${shard}`, singleActive: true })),
        bindings: SHARDS.map((shard) => ({ exchange, queue: `shares.${shard}`, key: '1' })),
      });
      for (const shard of shards)
        rabbit.consume(`shares.${shard}`, ledger.handler(name), {
          singleActive: true,
          orderBy: 'routingKey',
        });
      return rabbit.open();
    };
    const one = await shared('one', [1, 2]);
    await publish(one, 'shares', 1, 10);
    await shared('two', [3]);
    await publish(one, 'shares', 11, 20);
    await allDone(ledger, 20);
    expect(ledger.wrong).toEqual([]);
    expect(ledger.runs.size).toBe(20 * KEYS.length);
    expect(new Set(ledger.runs.all.map((run) => run.instance))).toEqual(new Set(['one', 'two']));
    await nothingLeft('shares');
  });

  it('a key has one shard, and more than one shard has keys', async () => {
    const ledger = new Ledger();
    const rabbit = await instance('one', ledger, { exchange: 'spread', queueType: 'classic' });
    await publish(rabbit, 'spread', 1, 3);
    await allDone(ledger, 3);
    const queues = KEYS.map((key) => {
      return new Set(ledger.runs.all.filter((run) => run.key === key).map((run) => run.queue));
    });
    expect(queues.every(({ size }) => size === 1)).toBe(true);
    expect(new Set(queues.flatMap((each) => [...each])).size).toBeGreaterThan(1);
  });

  it('a message that is tried again comes back to its own shard', async () => {
    const seen = new Collector<string>();
    const rabbit = warren(broker.url);
    for (const shard of SHARDS)
      rabbit.consume(
        `again.${shard}`,
        ({ queue, attempt, routingKey }) => {
          seen.push(`${routingKey} ${queue} ${attempt}`);
          if (attempt === 1) throw new Error('once');
        },
        {
          bindings: [{ exchange: { name: 'again', type: 'x-consistent-hash' }, key: '1' }],
          orderBy: 'routingKey',
          singleActive: true,
          retry: { delays: 10, jitter: false },
        },
      );
    await rabbit.open();
    for (const key of KEYS.slice(0, 4)) {
      await rabbit.broker.publish(key, 1, { exchange: 'again' });
      const [first, second] = await seen.take(2);
      expect(second).toBe(first.replace(/1$/, '2'));
    }
  });
});
