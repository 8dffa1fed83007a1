// Reading along at an exchange: copies of what passes, in a queue of its own, until the reader or the connection ends.
import { expect, it } from '@jest/globals';
import type { ConfirmChannel } from 'amqplib';
import { tap, type TapOptions, type TappedMessage } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, within } from '../support/events.js';
import { rejection } from '../support/warren.js';

/** Begins to read; resolves when it does. */
async function tapped(broker: TestBroker, options: TapOptions) {
  const messages = new Collector<TappedMessage>('tapped messages');
  const stop = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  await within(
    new Promise<void>((resolve, reject) => {
      ended = (async () => {
        const all = tap({ url: broker.url, signal: stop.signal, onReady: resolve, ...options });
        for await (const message of all) messages.push(message);
      })();
      ended.catch(reject);
    }),
    'the tap',
  );
  return { messages, stop: () => (stop.abort(), ended), ended };
}

async function exchange(broker: TestBroker, name: string, type: string): Promise<ConfirmChannel> {
  const channel = await (await broker.connect()).createConfirmChannel();
  await channel.assertExchange(name, type, { durable: false });
  return channel;
}

onEachBroker('a tap', (broker) => {
  it('gives copies of what passes by its keys, and consumers get all of it', async () => {
    const channel = await exchange(broker, 'events', 'topic');
    await channel.assertQueue('worker');
    await channel.bindQueue('worker', 'events', '#');
    const { messages, stop } = await tapped(broker, { keys: ['order.#', 'bill.*'] });
    channel.publish('events', 'order.made', Buffer.from('1'), { messageId: 'a', headers: { tenant: 'eu' } });
    channel.publish('events', 'other', Buffer.from('2'));
    channel.publish('events', 'bill.sent', Buffer.from('3'));
    await channel.waitForConfirms();
    expect(await messages.take(2)).toMatchObject([
      {
        exchange: 'events',
        routingKey: 'order.made',
        properties: { messageId: 'a' },
        headers: { tenant: 'eu' },
      },
      { routingKey: 'bill.sent', content: Buffer.from('3') },
    ]);
    expect((await channel.checkQueue('worker')).messageCount).toBe(3);
    await stop();
    // Its queue is gone: nothing takes the message any more.
    const returned = new Promise((resolve) => channel.once('return', resolve));
    await channel.unbindQueue('worker', 'events', '#');
    channel.publish('events', 'order.made', Buffer.from('4'), { mandatory: true });
    await within(returned, 'the returned message');
  });

  it('gives by headers only what has all of them, with their types', async () => {
    const channel = await exchange(broker, 'by-headers', 'headers');
    const headers = { tenant: 'eu', size: 5, any: null };
    const { messages } = await tapped(broker, { exchange: 'by-headers', headers });
    const wanted = { tenant: 'eu', size: 5, any: 'thing' };
    channel.publish('by-headers', 'no', Buffer.from('1'), { headers: { ...wanted, tenant: 'us' } });
    channel.publish('by-headers', 'no', Buffer.from('2'), { headers: { ...wanted, any: undefined } });
    channel.publish('by-headers', 'yes', Buffer.from('3'), { headers: wanted });
    expect((await messages.take(1))[0].content.toString()).toBe('3');
  });

  it('gives by headers whose names begin with x- what has them, and refuses x-match', async () => {
    const channel = await exchange(broker, 'by-x', 'headers');
    const headers = { 'x-tenant': 'eu', 'x-any': null, size: 5 };
    const { messages } = await tapped(broker, { exchange: 'by-x', headers });
    const wanted = { 'x-tenant': 'eu', 'x-any': 1, size: 5 };
    channel.publish('by-x', 'no', Buffer.from('1'), { headers: { ...wanted, 'x-tenant': 'us' } });
    channel.publish('by-x', 'no', Buffer.from('2'), { headers: { ...wanted, 'x-any': undefined } });
    channel.publish('by-x', 'yes', Buffer.from('3'), { headers: wanted });
    expect((await messages.take(1))[0].content.toString()).toBe('3');
    expect(
      await rejection(tapped(broker, { exchange: 'by-x', headers: { 'x-match': 'any' } })),
    ).toMatchObject({
      code: 'WARREN_CONFIG',
    });
  });

  it('reads everything without keys, and more than it fetches at once', async () => {
    const channel = await exchange(broker, 'all', 'fanout');
    const { messages } = await tapped(broker, { exchange: 'all' });
    for (let n = 0; n < 350; n++) channel.publish('all', `k${n}`, Buffer.from('x'));
    const keys = (await messages.take(350)).map(({ routingKey }) => routingKey);
    expect(keys).toEqual(Array.from({ length: 350 }, (_, n) => `k${n}`));
  });

  it('keeps 2 000 messages of a reader that is slow, the newest ones', async () => {
    const channel = await exchange(broker, 'fast', 'fanout');
    let ready: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (ready = resolve));
    const all = tap({ url: broker.url, exchange: 'fast', onReady: ready });
    const first = all.next();
    await within(begun, 'the tap');
    for (let n = 0; n < 2_400; n++) channel.publish('fast', String(n), Buffer.alloc(0));
    await channel.waitForConfirms();
    expect((await first).value).toMatchObject({ routingKey: '0' });
    let read = 1;
    for await (const { routingKey } of all) {
      read++;
      if (routingKey === '2399') break;
    }
    // Those that were fetched before the queue was full are beyond its limit.
    expect(read).toBeLessThan(2_400);
    expect(read).toBeGreaterThanOrEqual(2_000);
  });

  it('says that there is no such exchange, and that the default one has no tap', async () => {
    expect(await rejection(tapped(broker, { exchange: 'nowhere' }))).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISSING',
      what: 'exchange',
      missing: 'nowhere',
    });
    expect(await rejection(tapped(broker, { exchange: '' }))).toMatchObject({ code: 'WARREN_CONFIG' });
  });

  it('says that the connection was lost, and does not connect again', async () => {
    await exchange(broker, 'events', 'topic');
    const { ended } = await tapped(broker, {});
    const told = rejection(ended);
    await broker.closeConnections();
    expect(await within(told, 'the loss')).toMatchObject({
      code: 'WARREN_CONNECTION_LOST',
      message: expect.stringContaining('the connection was lost: '),
    });
  });
});
