// golevelup's module on the other side: its connection asks our handlers and publishes to them, its handlers answer
// our requests and get our events.
import { describe, expect, it } from '@jest/globals';
import { json } from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';
import { within } from '../support/events.js';
import { rejection } from '../support/warren.js';
import { application } from './application.js';
import { answering, EXCHANGE as exchange, peer, subscribed } from './golevelup.js';
import { QuoteHandlers } from './golevelup-handlers.js';

onEachBroker("golevelup's module", (broker) => {
  describe('asks', () => {
    const asking = async (routingKey: string, payload: unknown, headers?: object): Promise<unknown> => {
      await application(broker.url, [QuoteHandlers]);
      const amqp = await peer(broker.url);
      return within(amqp.request({ exchange, routingKey, payload, headers, timeout: 5_000 }), 'the answer');
    };

    it.each<[string, string, unknown, unknown]>([
      ['an object', 'price.quote', { sku: 'a' }, { sku: 'a', cents: 1250 }],
      ['nothing', 'price.quote', { sku: 'nothing' }, undefined],
      ['a text, with the codec json', 'price.label', 'a', 'label of a'],
    ])('and our handler answers with %s', async (_name, key, payload, answer) => {
      expect(await asking(key, payload)).toEqual(answer);
    });

    it('with an X-Request-ID, which comes back with the answer', async () => {
      const headers = { 'X-Request-ID': 'r-1', other: 'x' };
      expect(await asking('price.quote', { sku: 'a' }, headers)).toMatchObject({ cents: 1250 });
    });

    it('and what our handler throws is JSON that says so: its wire has no errors', async () => {
      expect(await asking('price.quote', { sku: 'gone' })).toEqual({
        name: 'RpcException',
        message: 'sold out',
        code: 410,
        data: { code: 410, message: 'sold out' },
      });
    });

    it('ten times at once, and each gets its own answer', async () => {
      await application(broker.url, [QuoteHandlers]);
      const amqp = await peer(broker.url);
      const skus = Array.from({ length: 10 }, (_, n) => `sku ${n}`);
      const answers = skus.map((sku) =>
        amqp.request<{ sku: string }>({ exchange, routingKey: 'price.quote', payload: { sku } }),
      );
      const got = await within(Promise.all(answers), 'the answers');
      expect(got.map(({ sku }) => sku)).toEqual(skus);
    });
  });

  it('publishes, and our subscriber gets it', async () => {
    const { received } = await application(broker.url, [QuoteHandlers]);
    const amqp = await peer(broker.url);
    await amqp.publish(exchange, 'order.placed', { id: 7 });
    expect(await received.one()).toEqual({ id: 7 });
  });

  it('gets what we publish', async () => {
    await peer(broker.url, [answering()]);
    const { publisher } = await application(broker.url);
    await publisher.publish('peer.noted', { id: 8 }, { exchange });
    // It parses every body as JSON.
    await publisher.publish('peer.noted', 'a text', { exchange, codec: json });
    expect(await subscribed.take(2)).toEqual([{ id: 8 }, 'a text']);
  });

  describe('answers our request', () => {
    it.each<[string, object, unknown]>([
      ['an object', { sku: 'a' }, { sku: 'a', cents: 1250 }],
      ['a list', { sku: 'list' }, [1, 'two', null]],
      ['nothing', { sku: 'nothing' }, undefined],
    ])('with %s', async (_name, payload, answer) => {
      await peer(broker.url, [answering()]);
      const { publisher } = await application(broker.url);
      expect(await publisher.request('peer.quote', payload, { exchange })).toEqual(answer);
    });

    it('not at all when its handler throws: that is a time-out here', async () => {
      await peer(broker.url, [answering()]);
      const { publisher } = await application(broker.url);
      const failed = publisher.request('peer.quote', { sku: 'broken' }, { exchange, timeout: '1s' });
      expect(await rejection(failed)).toMatchObject({ code: 'WARREN_RPC_TIMEOUT', exchange });
    });

    it('as one item of a stream', async () => {
      await peer(broker.url, [answering()]);
      const { publisher } = await application(broker.url);
      const items: unknown[] = [];
      for await (const item of publisher.stream('peer.quote', { sku: 'a' }, { exchange })) items.push(item);
      expect(items).toEqual([{ sku: 'a', cents: 1250 }]);
    });

    it('not when nobody is bound to the key, which is said at once', async () => {
      await peer(broker.url, [answering()]);
      const { publisher } = await application(broker.url);
      const failed = publisher.request('peer.nobody', {}, { exchange });
      expect(await rejection(failed)).toMatchObject({ code: 'WARREN_RPC_NO_SERVER' });
    });
  });
});
