// What calls promise beyond an answer: deadlines and cancels that travel, errors that both sides know, answers of all
// instances, repeats that run once, and contracts that are held at both ends.

import { expect, it } from '@jest/globals';
import { event, queue, rpc } from '@warren/amqp';
import { z } from 'zod';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { rejection, replying, warren } from '../support/warren.js';

class OrderNotFound extends Error {
  readonly code = 'ORDER_NOT_FOUND';
  constructor(readonly orderId: number) {
    super(`no order ${orderId}`);
  }
}

onEachBroker('a call', (broker) => {
  it('leaves a nested call no more time than its own caller has', async () => {
    const ended = new Collector<unknown>();
    const server = warren(broker.url)
      .rpc('inner', () => new Promise(() => undefined), { timeout: '5s' })
      .rpc('outer', async () => {
        const began = performance.now();
        const error = await rejection(server.broker.request('inner', 1, { timeout: '1m' }));
        ended.push({ code: error.code, ms: performance.now() - began });
      });
    await server.open();
    const client = await warren(broker.url).open();
    await replying(client);
    const error = await rejection(client.broker.request('outer', 1, { timeout: 1_500 }));
    expect(error.code).toBe('WARREN_RPC_TIMEOUT');
    const nested = (await ended.one()) as { code: string; ms: number };
    expect(nested.code).toMatch(/WARREN_RPC_(TIMEOUT|CANCELLED)/);
    expect(nested.ms).toBeLessThan(10_000);
  });

  it('that its caller cancels stops its handler, and one that waits behind it is not begun', async () => {
    const begun = new Collector<unknown>();
    const stopped = new Collector<unknown>();
    const server = await warren(broker.url)
      .rpc(
        'work',
        (delivery) => {
          begun.push(delivery.payload);
          return new Promise((_resolve, reject) => {
            delivery.signal.addEventListener('abort', () => {
              stopped.push((delivery.signal.reason as { code: string }).code);
              reject(new Error('stopped'));
            });
          });
        },
        { concurrency: 1 },
      )
      .open();
    const client = await warren(broker.url).open();
    const [first, second] = [new AbortController(), new AbortController()];
    const calls = [first, second].map(({ signal }, n) =>
      rejection(client.broker.request('work', n, { signal, timeout: '30s' })),
    );
    await begun.one();
    await until(() => server.broker.status().consumers[0].inFlight === 2, 'both to be there');
    second.abort();
    expect((await calls[1]).code).toBe('WARREN_RPC_CANCELLED');
    // Told over the same queue, so that the server has heard of the second when it hears of the first.
    first.abort();
    expect((await calls[0]).code).toBe('WARREN_RPC_CANCELLED');
    expect(await stopped.one()).toBe('WARREN_CALLER_LEFT');
    await until(() => server.broker.status().consumers[0].inFlight === 0, 'both to be settled');
    expect(begun.all).toEqual([0]);
  });

  it('catches the registered error that was thrown, and a masked one for others', async () => {
    const errors = [OrderNotFound];
    await warren(broker.url)
      .rpc(
        'find',
        ({ payload }) => {
          throw payload === 1 ? new OrderNotFound(1) : new TypeError('secret');
        },
        { errors },
      )
      .open();
    const client = await warren(broker.url).open();
    const found = await rejection(client.broker.request('find', 1, { errors }));
    expect(found).toBeInstanceOf(OrderNotFound);
    expect(found).toMatchObject({ orderId: 1, message: 'no order 1', cause: { code: 'WARREN_RPC_REMOTE' } });
    const other = await rejection(client.broker.request('find', 2, { errors }));
    expect(other.message).not.toContain('secret');
  });

  it('to all instances gathers the answer of each, errors included', async () => {
    for (const name of ['one', 'two', 'three']) {
      await warren(broker.url)
        .rpc(
          'who',
          () => {
            if (name === 'three') throw new Error('not now');
            return name;
          },
          { broadcast: true },
        )
        .open();
    }
    const client = await warren(broker.url).open();
    const answers = await client.broker.gather('who', 1, { expect: 3, timeout: '20s' });
    expect(answers.flatMap((one) => ('value' in one ? [one.value] : [])).sort()).toEqual(['one', 'two']);
    expect(answers.filter((one) => 'error' in one)).toHaveLength(1);
    expect((await rejection(client.broker.gather('nobody', 1))).code).toBe('WARREN_RPC_NO_SERVER');
  });

  it('that is repeated is answered from the first run', async () => {
    let runs = 0;
    const server = await warren(broker.url)
      .rpc('pay', () => ++runs, { idempotent: { ttl: '1m' } })
      .open();
    const { broker: client } = await warren(broker.url).open();
    const pay = (messageId: string): Promise<unknown> => client.request('pay', 1, { messageId });
    expect(await Promise.all([pay('a'), pay('a'), pay('b')])).toEqual([1, 1, 2]);
    expect(await pay('a')).toBe(1);
    expect(runs).toBe(2);
    expect(server.broker.status().pendingCalls).toBe(0);
  });

  it('under a contract is checked before it is sent, and its answer when it comes', async () => {
    const Quote = rpc('quote', {
      request: z.object({ sku: z.string() }),
      response: z.object({ cents: z.number() }),
    });
    const Orders = queue('contracted', { payload: z.object({ at: z.coerce.date() }) });
    const Created = event('thing.{id}.created', { payload: z.object({ n: z.number() }) });
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .rpc(
        'quote',
        ({ payload }) => ((payload as { sku: string }).sku === 'bad' ? { cents: 'x' } : { cents: 5 }),
        {
          schema: Quote.request,
          response: Quote.response,
        },
      )
      .consume('contracted', ({ payload }) => got.push(payload), { schema: Orders.payload })
      .subscribe(Created.pattern, ({ routingKey }) => got.push(routingKey), { schema: Created.payload })
      .open();
    const { broker: client } = rabbit;
    expect(await client.request(Quote, { sku: 'a' })).toEqual({ cents: 5 });
    expect((await rejection(client.request(Quote, { sku: 5 as never }))).code).toBe('WARREN_ENCODE');
    expect((await rejection(client.request(Quote, { sku: 'bad' }))).code).toBe('WARREN_RPC_REMOTE');
    await client.send(Orders, { at: '2026-01-01T00:00:00.000Z' });
    expect(await got.one()).toEqual({ at: new Date('2026-01-01T00:00:00.000Z') });
    await client.publish(Created, { n: 1 }, { params: { id: 7 } });
    expect(await got.one()).toBe('thing.7.created');
    expect((await rejection(client.publish(Created, { n: 1 }, { params: { id: 'a.b' } }))).code).toBe(
      'WARREN_ENCODE',
    );
  });
});
