// What a broker object tells of itself in detail: handlers, topology, calls in progress and messages that wait.
import { expect, it } from '@jest/globals';
import type { StandardSchema } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { warren } from '../support/warren.js';

const schema: StandardSchema = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
};

onEachBroker('details of a broker object', (broker) => {
  it('has handlers and topology, as they are declared', async () => {
    const { broker: shop } = await warren(broker.url, { service: 't.shop' })
      .subscribe('order.*', () => undefined, { queue: 't.orders', schema, retry: { attempts: 3 } })
      .open();
    const { handlers, topology } = shop.details();
    expect(handlers).toEqual([
      expect.objectContaining({
        queue: 't.orders',
        kind: 'subscribe',
        attempts: 3,
        deadQueue: 't.orders.dead',
        routes: [{ exchange: 'events', key: 'order.*' }],
        schema,
      }),
    ]);
    expect(topology.queues.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['t.orders', 't.orders.dead']),
    );
    expect(topology.bindings).toContainEqual(
      expect.objectContaining({
        source: 'events',
        key: 'order.*',
        destination: { kind: 'queue', name: 't.orders' },
      }),
    );
  });

  it('has calls with their deadlines, and no id that finds a stored reply', async () => {
    let reply: () => void = () => undefined;
    const served = new Promise<void>((resolve) => (reply = resolve));
    const { broker: shop } = await warren(broker.url, { service: 't.calls' })
      .rpc('t.price', () => served)
      .open();
    const before = Date.now();
    const calls = [
      shop.request('t.price', 1, { timeout: '20s' }),
      shop.request('t.price', 2, { timeout: '20s', idempotent: true, messageId: 'secret' }),
    ];
    await until(() => shop.details().calls.filter(({ sent }) => sent).length === 2, 'both calls to be sent');
    // In the order of their times, which may be the same.
    const [one, two] = [...shop.details().calls].sort((a) => (a.messageId === undefined ? 1 : -1));
    expect(one).toMatchObject({ kind: 'request', routingKey: 't.price', sent: true });
    expect(one?.messageId).toEqual(expect.any(String));
    expect(two?.messageId).toBeUndefined();
    expect(one?.since).toBeGreaterThanOrEqual(before);
    expect((one?.deadline ?? 0) - (one?.since ?? 0)).toBe(20_000);
    reply();
    await Promise.all(calls);
    expect(shop.details().calls).toEqual([]);
  });

  it('has messages that wait for a retry or a delay', async () => {
    const { broker: shop } = await warren(broker.url, { service: 't.waits' })
      .consume(
        't.later',
        () => {
          throw new Error('no');
        },
        { retry: { attempts: 2, delays: ['2m'], jitter: false } },
      )
      .open();
    const before = Date.now();
    await shop.send('t.later', 1, { messageId: 'failed' });
    await shop.send('t.later', 2, { messageId: 'delayed', delay: '1m' });
    await until(() => shop.details().waiting.length === 2, 'two messages that wait');
    const { waiting } = shop.details();
    expect(waiting).toEqual([
      expect.objectContaining({
        messageId: 'delayed',
        kind: 'delay',
        routingKey: 't.later',
        attempt: undefined,
      }),
      expect.objectContaining({ messageId: 'failed', kind: 'retry', routingKey: 't.later', attempt: 2 }),
    ]);
    expect(waiting[1]?.due).toBeGreaterThan(before + 110_000);
  });
});
