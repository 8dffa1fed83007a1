// Requests that come twice: asked again by their caller, or delivered again. With `idempotent` the handler runs once.

import { expect, it } from '@jest/globals';
import { nest, type Delivery, type ReplyStore, type StoredReply } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { logged, rejection, warren } from '../support/warren.js';

const messageId = 'm1';

onEachBroker('repeated requests', (broker) => {
  it('are answered from the stored reply, those of others are not', async () => {
    let runs = 0;
    const { broker: client } = await warren(broker.url)
      .rpc('stored', () => ({ run: ++runs }), { idempotent: { ttl: '1m' } })
      .open();
    for (let n = 0; n < 3; n++) expect(await client.request('stored', 1, { messageId })).toEqual({ run: 1 });
    expect(await client.request('stored', 1, { messageId: 'm2' })).toEqual({ run: 2 });
    expect(await client.request('stored', 1)).toEqual({ run: 3 });
  });

  it('wait for the one that runs', async () => {
    const runs = new Collector<Delivery>();
    let release = (value: string): void => void value;
    const result = new Promise<string>((resolve) => (release = resolve));
    const { broker: client } = await warren(broker.url)
      .rpc('joined', (delivery) => (runs.push(delivery), result), { idempotent: { ttl: '1m' } })
      .open();
    const calls = [1, 2, 3].map(() => client.request('joined', 1, { messageId }));
    await until(() => client.status().consumers[0].inFlight === 3, 'all to be here');
    release('once');
    expect(await Promise.all(calls)).toEqual(['once', 'once', 'once']);
    expect(runs.size).toBe(1);
  });

  it('run anew when the caller of the one that runs has left', async () => {
    const runs = new Collector<Delivery>();
    const { broker: client } = await warren(broker.url)
      .rpc(
        'abandoned',
        (delivery) => {
          runs.push(delivery);
          if (runs.size > 1) return 'second';
          return new Promise((_resolve, reject) =>
            delivery.signal.addEventListener('abort', () => reject(delivery.signal.reason as Error)),
          );
        },
        { idempotent: { ttl: '1m' } },
      )
      .open();
    const controller = new AbortController();
    const first = rejection(client.request('abandoned', 1, { messageId, signal: controller.signal }));
    await runs.one();
    const second = client.request('abandoned', 1, { messageId });
    await until(() => client.status().consumers[0].inFlight === 2, 'both to be here');
    controller.abort();
    expect((await first).code).toBe('WARREN_RPC_CANCELLED');
    expect(await second).toBe('second');
  });

  it('run anew after an error', async () => {
    let runs = 0;
    const { broker: client } = await warren(broker.url)
      .rpc('failed', () => (++runs === 1 ? Promise.reject(new Error('no')) : runs), {
        idempotent: { ttl: '1m' },
      })
      .open();
    expect((await rejection(client.request('failed', 1, { messageId }))).code).toBe('WARREN_RPC_REMOTE');
    expect(await client.request('failed', 1, { messageId })).toBe(2);
  });

  it('are answered by another instance with the same store, and run when a store fails', async () => {
    const kept = new Map<string, StoredReply>();
    const store: ReplyStore = {
      get: (key) => Promise.resolve(kept.get(key)),
      set: (key, reply) => Promise.resolve(void kept.set(key, reply)),
    };
    let runs = 0;
    const options = { idempotent: { ttl: '1m', store } } as const;
    const first = await warren(broker.url)
      .rpc('shared', () => ++runs, options)
      .open();
    expect(await first.broker.request('shared', 1, { messageId })).toBe(1);
    await first.broker.close();
    const second = await warren(broker.url)
      .rpc('shared', () => ++runs, options)
      .open();
    expect(await second.broker.request('shared', 1, { messageId })).toBe(1);

    const broken: ReplyStore = {
      get: () => Promise.reject(new Error('store is down')),
      set: () => {
        throw new Error('store is full');
      },
    };
    const third = await warren(broker.url)
      .rpc('unkept', () => 'ran', { idempotent: { ttl: '1m', store: broken } })
      .open();
    expect(await third.broker.request('unkept', 1, { messageId })).toBe('ran');
    await logged(third, 'store is down');
    await logged(third, 'store is full');
  });

  it('of callers that read a stream run each, and over the wire of Nest are one answer', async () => {
    let runs = 0;
    const count = async function* (): AsyncGenerator<number> {
      yield* await Promise.resolve([1, 2, ++runs * 10]);
    };
    const { broker: client } = await warren(broker.url)
      .rpc('items', count, { idempotent: { ttl: '1m' } })
      .rpc('items.nest', count, { idempotent: { ttl: '1m' }, codec: nest })
      .open();
    const seen: unknown[] = [];
    for await (const item of client.stream('items', 1, { messageId })) seen.push(item);
    expect(seen).toEqual([1, 2, 10]);
    expect(await client.request('items', 1, { messageId })).toBe(20);
    expect(await client.request('items', 1, { messageId })).toBe(20);
    expect(await client.request('items.nest', 1, { messageId, codec: nest })).toBe(30);
    expect(await client.request('items.nest', 1, { messageId, codec: nest })).toBe(30);
  });

  it('are sent once more by a caller that says idempotent and lost its connection', async () => {
    const runs = new Collector<Delivery>();
    let release = (value: string): void => void value;
    const result = new Promise<string>((resolve) => (release = resolve));
    const server = await warren(broker.url)
      .rpc('resent', (delivery) => (runs.push(delivery), result), { idempotent: { ttl: '1m' } })
      .open();
    const client = warren(broker.url);
    const calling = client.broker.request('resent', 1, { idempotent: true });
    await runs.one();
    await broker.closeConnections();
    // The delivery that was lost comes again, and the request itself.
    await until(() => server.broker.status().consumers[0].inFlight >= 2, 'the request to be here again');
    release('once');
    expect(await calling).toBe('once');
    expect(runs.size).toBe(1);
    await until(() => server.broker.status().consumers[0].inFlight === 0, 'all to be settled');
    expect(client.broker.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
  });

  it('are not sent once more by a caller that closes', async () => {
    const runs = new Collector<unknown>();
    const { broker: other } = await warren(broker.url)
      .rpc('closing', ({ payload, signal }) => {
        runs.push(payload);
        if (payload === 'last') return 'ran';
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      })
      .open();
    const { broker: client } = warren(broker.url);
    const calling = rejection(client.request('closing', 'first', { idempotent: true }));
    await runs.one();
    await client.close();
    expect((await calling).code).toBe('WARREN_RPC_CONNECTION_LOST');
    // What was sent before is ahead of it in the queue.
    expect(await other.request('closing', 'last')).toBe('ran');
    expect(runs.all).toEqual(['first', 'last']);
  });
});
