// Attacks on stored replies: whoever may publish to the queue of an idempotent handler chooses message ids at will. Nobody
// gets the reply to a request that he did not make, and nobody's request is taken for another one.

import { describe, expect, it } from '@jest/globals';
import type { Delivery, ReplyStore, StoredReply } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { logged, rejection, warren, type Warren } from '../support/warren.js';

const messageId = 'payment-7';

/** As services share it: a database. */
function sharedStore(): ReplyStore & { readonly kept: Map<string, StoredReply> } {
  const kept = new Map<string, StoredReply>();
  return { kept, get: (key) => kept.get(key), set: (key, reply) => void kept.set(key, reply) };
}

const paid = ({ payload }: Delivery): unknown => ({ paid: payload });

onEachBroker('stored replies under attack', (broker) => {
  const serve = (queue: string, store = sharedStore(), url = broker.url): Promise<Warren> =>
    warren(url)
      .rpc(queue, paid, { idempotent: { ttl: '1m', store } })
      .open();

  it('a stranger who knows the id, but not the payload, gets an error that says so, and no reply', async () => {
    const server = await serve('steal');
    await server.broker.request('steal', { to: 'victim' }, { messageId });
    expect(await rejection(server.broker.request('steal', { to: 'me' }, { messageId }))).toMatchObject({
      code: 'WARREN_RPC_REMOTE',
      remoteCode: 'WARREN_MESSAGE_ID_REUSED',
    });
    expect(await server.broker.request('steal', { to: 'victim' }, { messageId })).toEqual({
      paid: { to: 'victim' },
    });
  });

  it('a stranger who asks first cannot make another one’s payment look done', async () => {
    const server = await serve('poison');
    await server.broker.request('poison', { to: 'stranger' }, { messageId });
    const refused = await rejection(server.broker.request('poison', { to: 'shop' }, { messageId }));
    expect(refused).toMatchObject({ remoteCode: 'WARREN_MESSAGE_ID_REUSED' });
  });

  it('another payload does not join the request that runs', async () => {
    const runs = new Collector<Delivery>();
    let release = (): void => undefined;
    const result = new Promise<void>((resolve) => (release = resolve));
    const { broker: client } = await warren(broker.url)
      .rpc('join', async (delivery) => (runs.push(delivery), await result, 'secret'), {
        idempotent: { ttl: '1m' },
      })
      .open();
    const first = client.request('join', 1, { messageId });
    await runs.one();
    const refused = await rejection(client.request('join', 2, { messageId }));
    expect(refused).toMatchObject({ remoteCode: 'WARREN_MESSAGE_ID_REUSED' });
    // The same bytes under another type are another request.
    const text = await rejection(client.request('join', Buffer.from('1'), { messageId, contentType: 'x/y' }));
    expect(text).toMatchObject({ remoteCode: 'WARREN_MESSAGE_ID_REUSED' });
    release();
    expect(await first).toBe('secret');
    expect(runs.size).toBe(1);
  });

  it('queue and id cannot be put together in two ways, and queues, handlers and virtual hosts are kept apart', async () => {
    const store = sharedStore();
    const other = await broker.addVhost();
    const [one, two, elsewhere] = await Promise.all([
      serve('a', store),
      serve('a/b', store),
      serve('a', store, other),
    ]);
    const ask = (server: Warren, queue: string, id: string): Promise<unknown> =>
      server.broker.request(queue, 1, { messageId: id });
    await ask(one, 'a', 'b/c');
    expect(store.kept.size).toBe(1);
    await ask(two, 'a/b', 'c');
    expect(store.kept.size).toBe(2);
    await ask(elsewhere, 'a', 'b/c');
    expect(store.kept.size).toBe(3);
    // The same queue with another handler.
    await one.broker.close();
    const renamed = warren(broker.url);
    renamed.broker.register({
      ...{ kind: 'rpc', id: 'other', patterns: ['a'], handle: (input) => paid(input as Delivery) },
      options: { idempotent: { ttl: '1m', store } },
    });
    await renamed.open();
    await ask(renamed, 'a', 'b/c');
    expect(store.kept.size).toBe(4);
  });

  it('users that the broker vouches for have replies of their own', async () => {
    let runs = 0;
    const { broker: client } = await warren(broker.url)
      .rpc('users', () => ++runs, { idempotent: { ttl: '1m' } })
      .open();
    const userId = decodeURIComponent(new URL(broker.url).username) || 'guest';
    expect(await client.request('users', 1, { messageId, userId })).toBe(1);
    expect(await client.request('users', 1, { messageId })).toBe(2);
    expect(await client.request('users', 1, { messageId, userId })).toBe(1);
  });

  it('a store that hands back what another program put there is not believed', async () => {
    const store: ReplyStore = {
      get: () => ({ content: Buffer.from('"forged"'), contentType: 'application/json' }) as StoredReply,
      set: () => undefined,
    };
    const server = await serve('foreign', store as never);
    expect(await server.broker.request('foreign', 1, { messageId })).toEqual({ paid: 1 });
    await logged(server, 'the field request of a reply is missing');
  });

  it('however slow the store is, a repeat never runs the handler twice', async () => {
    const reading = new Collector<() => void>();
    const store: ReplyStore = {
      get: () => new Promise((resolve) => reading.push(() => resolve(undefined))),
      set: () => undefined,
    };
    let runs = 0;
    const { broker: client } = await warren(broker.url)
      .rpc('slow', () => ++runs, { idempotent: { ttl: '1m', store } })
      .open();
    const calls = [1, 2].map(() => client.request('slow', 1, { messageId }));
    const first = await reading.one();
    await until(() => client.status().consumers[0].inFlight === 2, 'both to be here');
    first();
    expect(await Promise.all(calls)).toEqual([1, 1]);
    expect(runs).toBe(1);
    expect(reading.size).toBe(1);
  });
});

describe('ids that were not chosen', () => {
  onEachBroker('cannot be guessed', (broker: TestBroker) => {
    it('from those that came before', async () => {
      const seen = new Collector<Delivery>();
      const { broker: client } = await warren(broker.url)
        .rpc('ids', (delivery) => void seen.push(delivery))
        .open();
      for (let n = 0; n < 20; n++) await client.request('ids', n);
      const ids = seen.all.map(({ message }) => message.properties);
      for (const [n, { messageId: id = '', correlationId = '' }] of ids.entries()) {
        expect(id).toMatch(/^[\w-]{16}$/);
        expect(correlationId).toMatch(/^[\w-]{22}$/);
        if (n === 0) continue;
        expect(id.slice(0, 8)).not.toBe(ids[n - 1].messageId?.slice(0, 8));
        expect(correlationId.slice(0, 8)).not.toBe(ids[n - 1].correlationId?.slice(0, 8));
      }
    });
  });
});
