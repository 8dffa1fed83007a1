// What a publish promises: it settles once, with what became of the message, and a bad one harms no other.

import { getEventListeners, getMaxListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Broker, bytes, SILENT, type Codec, type Delivery, type PublishOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { count, eventOf, rejection, taken, warren } from '../support/warren.js';

onEachBroker('publishing', (broker) => {
  const declareQueue = async (queue: string, args: Record<string, unknown> = {}): Promise<void> => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue(queue, { arguments: args });
  };

  describe('where it goes', () => {
    it('publish says whether a queue got it, and rejects on demand only', async () => {
      const { broker: client } = await warren(broker.url)
        .subscribe('known.#', () => undefined, { id: 'known' })
        .open();
      expect((await client.publish('known.key', 1)).routed).toBe(true);
      expect((await client.publish('unknown.key', 1)).routed).toBe(false);
      expect(await rejection(client.publish('unknown.key', 1, { mandatory: true }))).toMatchObject({
        code: 'WARREN_UNROUTABLE',
        exchange: 'events',
        routingKey: 'unknown.key',
      });
    });

    it('send rejects when there is no such queue, unless told otherwise', async () => {
      const { broker: client } = warren(broker.url);
      const error = await rejection(client.send('nowhere', 1, { messageId: 'm1' }));
      expect(error).toMatchObject({
        code: 'WARREN_UNROUTABLE',
        exchange: '',
        routingKey: 'nowhere',
        messageId: 'm1',
      });
      expect((await client.send('nowhere', 1, { mandatory: false })).routed).toBe(false);
    });

    it('a missing exchange fails alone and by its name; what is in flight beside it is confirmed', async () => {
      await declareQueue('neighbours');
      const rabbit = await warren(broker.url).open();
      const good = Array.from({ length: 50 }, (_, n) => rabbit.broker.send('neighbours', n));
      const bad = rejection(rabbit.broker.publish('key', 1, { exchange: 'no.such.exchange' }));
      good.push(...Array.from({ length: 50 }, (_, n) => rabbit.broker.send('neighbours', n)));
      expect(await bad).toMatchObject({
        code: 'WARREN_TOPOLOGY_MISSING',
        message: expect.stringContaining("'no.such.exchange'"),
      });
      await Promise.all(good);
      expect(await count(broker, 'neighbours')).toBe(100);
    });

    it('an exchange that somebody makes later is found then', async () => {
      const { broker: client } = warren(broker.url);
      await rejection(client.publish('', 1, { exchange: 'later' }));
      const channel = await (await broker.connect()).createChannel();
      await channel.assertExchange('later', 'fanout');
      expect((await client.publish('', 1, { exchange: 'later' })).routed).toBe(false);
    });

    it('returns and confirms of many messages with one id find the right ones', async () => {
      const channel = await (await broker.connect()).createChannel();
      await channel.assertExchange('by.header', 'headers');
      await channel.assertQueue('wanted');
      await channel.bindQueue('wanted', 'by.header', '', { 'x-match': 'all', wanted: true });
      const { broker: client } = await warren(broker.url).open();
      const receipts = await Promise.all(
        Array.from({ length: 400 }, (_, n) =>
          client.publish('', n, {
            exchange: 'by.header',
            messageId: 'same',
            headers: { wanted: n % 3 === 0, n },
          }),
        ),
      );
      expect(receipts.map(({ routed }) => routed)).toEqual(receipts.map((_, n) => n % 3 === 0));
    });

    it('keeps the order of sending', async () => {
      const got = new Collector<unknown>();
      const rabbit = await warren(broker.url)
        .consume('order', ({ payload }) => got.push(payload), { concurrency: 1 })
        .open();
      const numbers = Array.from({ length: 300 }, (_, n) => n);
      await Promise.all(numbers.map((n) => rabbit.broker.send('order', n)));
      expect(await got.take(300)).toEqual(numbers);
    });
  });

  it('a queue that is full and refuses is a nack, and the message is not in it', async () => {
    await declareQueue('full', { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    const { broker: client } = warren(broker.url, { publish: { retryNacked: 0 } });
    await client.send('full', 1);
    const outcomes = await Promise.allSettled([2, 3, 4].map((n) => client.send('full', n)));
    expect(
      outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as { code: string }).code),
    ).toEqual(Array(3).fill('WARREN_PUBLISH_NACKED'));
    expect(await count(broker, 'full')).toBe(1);
  });

  it.each([10, 8 * 1024, 64 * 1024, 1024 * 1024])(
    '%d bytes that are written over after publish() returned arrive as they were, waiting or not',
    async (size) => {
      await declareQueue(`reused.${size}`);
      const rabbit = warren(broker.url);
      const reused = Buffer.alloc(size, 1);
      const view = new Uint8Array(reused.buffer, reused.byteOffset, size);
      // The first ones wait for the connection.
      const early = [
        rabbit.broker.send(`reused.${size}`, reused),
        rabbit.broker.send(`reused.${size}`, view, { codec: bytes }),
      ];
      reused.fill(2);
      await Promise.all(early);
      const later = rabbit.broker.send(`reused.${size}`, reused);
      reused.fill(3);
      await later;
      const firsts = [];
      for (let n = 0; n < 3; n++) {
        const { content } = await taken(broker, `reused.${size}`);
        firsts.push(...new Set(content));
      }
      expect(firsts).toEqual([1, 1, 2]);
    },
  );

  it('one signal for many publishes and calls prints no warning, and is as it was afterwards', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', note);
    const rabbit = await warren(broker.url)
      .rpc('shared.signal', ({ payload }) => payload)
      .open();
    const { signal } = new AbortController();
    const under = (n: number): Promise<unknown>[] => [
      rabbit.broker.send('shared.signal', n, { signal }),
      rabbit.broker.request('shared.signal', n, { signal }),
    ];
    await Promise.all(Array.from({ length: 50 }, (_, n) => under(n)).flat());
    process.off('warning', note);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(getMaxListeners(signal)).toBe(getMaxListeners(new AbortController().signal));
  });

  it('every property arrives as it was given', async () => {
    await declareQueue('properties', { 'x-max-priority': 9 });
    const { broker: client } = warren(broker.url);
    await client.send(
      'properties',
      { a: 1 },
      {
        headers: {
          text: 'x',
          n: 5,
          big: 2 ** 40,
          half: 1.5,
          yes: true,
          none: null,
          list: [1, 'a'],
          table: { deep: { er: 1 } },
          left: undefined,
        },
        persistent: false,
        priority: 7,
        expiration: '1h',
        messageId: 'id',
        correlationId: 'corr',
        type: 'kind',
      },
    );
    const { properties } = await taken(broker, 'properties');
    expect(properties).toMatchObject({
      contentType: 'application/json',
      deliveryMode: 1,
      priority: 7,
      expiration: '3600000',
      messageId: 'id',
      correlationId: 'corr',
      type: 'kind',
      appId: 'test',
      timestamp: expect.any(Number),
    });
    expect(properties.headers).toEqual({
      text: 'x',
      n: 5,
      big: 2 ** 40,
      half: 1.5,
      yes: true,
      none: null,
      list: [1, 'a'],
      table: { deep: { er: 1 } },
    });
  });

  it('a message that expired in its queue is not delivered', async () => {
    await declareQueue('expiring');
    const { broker: client } = warren(broker.url);
    await client.send('expiring', 'gone', { expiration: 20 });
    await until(async () => (await count(broker, 'expiring')) === 0, 'the message to expire');
  });

  describe('codecs', () => {
    it('the content type follows the payload, or the caller says it', async () => {
      await declareQueue('codecs');
      const upper: Codec = {
        name: 'upper',
        contentTypes: ['text/upper'],
        encode: (payload) => ({
          content: Buffer.from(String(payload).toUpperCase()),
          contentType: 'text/upper',
        }),
        decode: (content) => content.toString().toLowerCase(),
      };
      const { broker: client } = warren(broker.url, { codecs: [upper] });
      const roundTrip = async (payload: unknown, options: PublishOptions = {}): Promise<[string, string]> => {
        await client.send('codecs', payload, options);
        const { content, properties } = await taken(broker, 'codecs');
        return [content.toString(), String(properties.contentType)];
      };
      expect(await roundTrip('text')).toEqual(['text', 'text/plain']);
      expect(await roundTrip({ a: 1 })).toEqual(['{"a":1}', 'application/json']);
      expect(await roundTrip('text', { contentType: 'application/json' })).toEqual([
        '"text"',
        'application/json',
      ]);
      expect(await roundTrip(Buffer.from('raw'))).toEqual(['raw', 'application/octet-stream']);
      expect(await roundTrip(new Uint8Array([104, 105]))).toEqual(['hi', 'application/octet-stream']);
      expect(await roundTrip(Buffer.from('<x/>'), { contentType: 'application/xml' })).toEqual([
        '<x/>',
        'application/xml',
      ]);
      expect(await roundTrip('loud', { contentType: 'text/upper' })).toEqual(['LOUD', 'text/upper']);
      expect(await roundTrip('loud', { codec: upper })).toEqual(['LOUD', 'text/upper']);
      expect(await roundTrip([NaN, Infinity, new Date(0)])).toEqual([
        '[null,null,"1970-01-01T00:00:00.000Z"]',
        'application/json',
      ]);
    });

    it('one that gives something else than a Buffer costs its own message at most', async () => {
      await declareQueue('other');
      await declareQueue('beside');
      const giving = (name: string, encode: () => unknown): Codec =>
        ({ name, contentTypes: [], encode, decode: () => 1 }) as unknown as Codec;
      const array = giving('array', () => ({ content: new Uint8Array([104, 105]) }));
      const rabbit = await warren(broker.url).open();
      const lost = new Collector<unknown>();
      rabbit.broker.on((event) => lost.push(event), ['disconnected']);
      const beside = (): Promise<unknown>[] =>
        Array.from({ length: 10 }, (_, n) => rabbit.broker.send('beside', { n }));
      const first = beside();
      const sent = rabbit.broker.send('other', 1, { codec: array });
      for (const bad of [
        giving('text', () => ({ content: 'text' })),
        giving('list', () => ({ content: [1, 2] })),
        giving('late', () => Promise.resolve({ content: Buffer.from('x') })),
        giving('broken', () => Promise.reject(new Error('nobody listens'))),
      ]) {
        const refused = rejection(rabbit.broker.send('other', 1, { codec: bad }));
        expect(await refused).toMatchObject({ code: 'WARREN_ENCODE' });
      }
      await Promise.all([sent, ...first, ...beside()]);
      expect((await taken(broker, 'other')).content.toString()).toBe('hi');
      expect([await count(broker, 'other'), await count(broker, 'beside'), lost.size]).toEqual([0, 20, 0]);
    });
  });

  describe('bad input is refused before the wire, and the next message is fine', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const long = 'é'.repeat(200);
    const cases: [string, string, unknown, object, RegExp][] = [
      ['a circular object', 'q', circular, {}, /cannot be written as JSON/],
      ['a BigInt', 'q', 1n, {}, /BigInt/],
      ['a function', 'q', () => 1, {}, /type function as JSON/],
      ['a symbol', 'q', Symbol('x'), {}, /type symbol as JSON/],
      [
        'a toJSON that throws text',
        'q',
        {
          toJSON: () => {
            throw 'odd';
          },
        },
        {},
        /odd/,
      ],
      [
        'a getter that throws',
        'q',
        {
          get a() {
            throw new Error('getter');
          },
        },
        {},
        /getter/,
      ],
      [
        'a content type that no codec can encode',
        'q',
        {},
        { contentType: 'application/xml' },
        /no codec can encode/,
      ],
      ['a routing key over 255 bytes', long, 1, {}, /routing key is 400 bytes/],
      ['a routing key that is a number', 5 as unknown as string, 1, {}, /routing key must be a string/],
      ['a NUL in a name', 'a\0b', 1, {}, /NUL/],
      ['half a character in a name', 'a\ud800', 1, {}, /lone surrogate/],
      ['an exchange that is an object', 'q', 1, { exchange: {} }, /exchange must be a string/],
      ['a header that is a function', 'q', 1, { headers: { fn: () => 1 } }, /header 'fn'/],
      ['a header that is a symbol', 'q', 1, { headers: { sy: Symbol('x') } }, /header 'sy'/],
      ['a circular header', 'q', 1, { headers: { circular } }, /header 'circular'/],
      ['a header that is not a number', 'q', 1, { headers: { nan: NaN } }, /header 'nan'/],
      ['a header name over 255 bytes', 'q', 1, { headers: { [long]: 1 } }, /header name/],
      ['headers beyond a frame', 'q', 1, { headers: { huge: 'x'.repeat(200_000) } }, /cannot be sent/],
      ['a priority that is text', 'q', 1, { priority: 'high' }, /priority/],
      ['a priority of 300', 'q', 1, { priority: 300 }, /priority/],
      ['a priority below 0', 'q', 1, { priority: -1 }, /priority/],
      ['an expiration that is no duration', 'q', 1, { expiration: 'soon' }, /expiration/],
      ['an expiration below 0', 'q', 1, { expiration: -1 }, /expiration/],
      ['a message id that is a number', 'q', 1, { messageId: 5 }, /messageId/],
      ['a correlation id over 255 bytes', 'q', 1, { correlationId: long }, /correlationId/],
      ['a type that is an object', 'q', 1, { type: {} }, /type/],
      ['a CC that is no list', 'q', 1, { headers: { CC: 'x' } }, /header 'CC'/],
      ['a BCC of numbers', 'q', 1, { headers: { BCC: [1] } }, /header 'BCC'/],
      ['a delay that is no duration', 'q', 1, { delay: 'tomorrow' }, /delay/],
      ['a delay with an expiration', 'q', 1, { delay: 10, expiration: 5 }, /delay and expiration/],
      ['a timeout that is no duration', 'q', 1, { timeout: -5 }, /timeout/],
      ['a body above maxMessageBytes', 'q', Buffer.alloc(2_000), {}, /2000 bytes/],
    ];
    it.each(cases)('%s', async (_name, key, payload, options, message) => {
      await declareQueue('fine');
      const rabbit = await warren(broker.url, { maxMessageBytes: 1_500 }).open();
      const neighbour = rabbit.broker.send('fine', 1);
      const error = await rejection(rabbit.broker.publish(key, payload, { exchange: '', ...options }));
      expect(error.message).toMatch(message);
      expect(error.code).toMatch(/WARREN_(ENCODE|CONFIG)/);
      await neighbour;
      await rabbit.broker.send('fine', 2);
      expect(rabbit.broker.status().publishing).toEqual({ unconfirmed: 0, waiting: 0 });
    });

    it('headers that do not fit into a frame of the size that was agreed', async () => {
      await declareQueue('framed');
      const url = `${broker.url}${broker.url.includes('?') ? '&' : '?'}frameMax=8192`;
      const { broker: client } = await warren(url).open();
      const lost = new Collector<unknown>();
      client.on((event) => lost.push(event), ['disconnected']);
      const neighbour = client.send('framed', 1);
      const headers = { big: 'x'.repeat(10_000) };
      for (const sends of [
        () => client.send('framed', 2, { headers }),
        () => client.request('framed', 2, { headers, timeout: 2_000 }),
      ]) {
        expect(await rejection(sends())).toMatchObject({
          message: expect.stringMatching(/cannot be sent: .*, but the broker takes 8192/),
          code: 'WARREN_ENCODE',
        });
      }
      await neighbour;
      await client.send('framed', 3, { headers: { big: 'x'.repeat(7_000) } });
      expect([await count(broker, 'framed'), lost.size]).toEqual([2, 0]);
    });

    it('an error of the payload itself is kept as the cause', async () => {
      const own = new RangeError('mine');
      const { broker: client } = warren(broker.url);
      const payload = {
        toJSON: () => {
          throw own;
        },
      };
      expect((await rejection(client.send('q', payload))).cause).toBe(own);
    });
  });

  describe('delay', () => {
    it('a message arrives that much later, with its key and exchange as they were', async () => {
      const got = new Collector<Delivery>();
      const { broker: client } = await warren(broker.url)
        .subscribe('later.*', got.push, { id: 'later' })
        .open();
      const began = performance.now();
      expect((await client.publish('later.x', 1, { delay: '250ms' })).routed).toBe(true);
      const delivery = await got.one();
      expect(performance.now() - began).toBeGreaterThan(240);
      expect([delivery.exchange, delivery.routingKey, delivery.attempt]).toEqual(['events', 'later.x', 1]);
    });

    it('a long one does not hold up a short one', async () => {
      const got = new Collector<unknown>();
      const { broker: client } = await warren(broker.url)
        .consume('short', ({ payload }) => got.push(payload))
        .open();
      await client.send('short', 'long', { delay: 1_500 });
      await client.send('short', 'short', { delay: 50 });
      await client.send('short', 'now');
      expect(await got.take(3)).toEqual(['now', 'short', 'long']);
    });

    it('to a queue that does not exist it fails now, not when nobody listens any more', async () => {
      const { broker: client } = warren(broker.url);
      expect(await rejection(client.send('nowhere', 1, { delay: 50, messageId: 'd1' }))).toMatchObject({
        code: 'WARREN_UNROUTABLE',
        messageId: 'd1',
      });
    });

    it('waits in a queue of its service that nothing deletes', async () => {
      await declareQueue('target');
      const { broker: client } = warren(broker.url);
      await client.send('target', 1, { delay: '1h' });
      const channel = await (await broker.connect()).createChannel();
      await channel.assertQueue('test.delay.3600000', {
        arguments: {
          'x-queue-type': 'quorum',
          'x-message-ttl': 3_630_000,
          'x-dead-letter-exchange': 'warren.back',
          'x-dead-letter-strategy': 'at-least-once',
          'x-overflow': 'reject-publish',
          'x-delivery-limit': 1_000_000_000,
        },
      });
    });

    it('is refused by name when the name of that queue would be too long', async () => {
      const { broker: client } = warren(broker.url);
      const exchange = 'e'.repeat(245);
      await client.publish('key', 1, { exchange: 'amq.topic', delay: 30 });
      expect(await rejection(client.publish('key', 1, { exchange, delay: 30 }))).toMatchObject({
        code: 'WARREN_ENCODE',
      });
    });

    it('is declared anew in a new life of the connection, so that a wait queue that was deleted costs nothing', async () => {
      const got = new Collector<unknown>();
      const rabbit = await warren(broker.url)
        .consume('again', ({ payload }) => got.push(payload))
        .open();
      await rabbit.broker.send('again', 1, { delay: 30 });
      await got.one();
      const channel = await (await broker.connect()).createChannel();
      await channel.deleteQueue('test.delay.30');
      await broker.closeConnections();
      await eventOf(rabbit, 'disconnected');
      await rabbit.broker.send('again', 2, { delay: 30 });
      expect(await got.one()).toBe(2);
    });
  });

  describe('while there is no connection', () => {
    const away = (options = {}): Broker => {
      const rabbit = warren('amqp://127.0.0.1:1', options);
      return rabbit.broker;
    };

    it('a publish waits and is told in time, having left nothing behind', async () => {
      const rabbit = away();
      const error = await rejection(rabbit.send('q', 1, { timeout: 60 }));
      expect(error).toMatchObject({
        code: 'WARREN_PUBLISH_TIMEOUT',
        message: expect.stringContaining('within 60 ms: there is no connection'),
      });
      const other = await rejection(rabbit.publish('key', 1, { timeout: 60 }));
      expect(other).toMatchObject({
        code: 'WARREN_PUBLISH_TIMEOUT',
        message: expect.stringContaining("'key' on exchange 'events'"),
      });
      expect(rabbit.status().publishing).toEqual({ unconfirmed: 0, waiting: 0 });
    });

    it('each keeps its own deadline, though they wait for the same exchange', async () => {
      const rabbit = away();
      const patient = rejection(rabbit.publish('key', 1, { timeout: '5m' }));
      await within(rejection(rabbit.publish('key', 1, { timeout: 50 })), 'the impatient one');
      await rabbit.close();
      expect((await patient).code).toBe('WARREN_CONNECTION_LOST');
    });

    it('a signal ends the wait, before it or during it', async () => {
      const rabbit = away();
      const reason = new Error('changed my mind');
      for (const publish of [
        (signal: AbortSignal) => rabbit.send('q', 1, { signal }),
        (signal: AbortSignal) => rabbit.publish('key', 1, { signal }),
      ]) {
        const controller = new AbortController();
        const waiting = rejection(publish(controller.signal));
        controller.abort(reason);
        expect(await waiting).toBe(reason);
        expect(await rejection(publish(controller.signal))).toBe(reason);
      }
      expect(rabbit.status().publishing.waiting).toBe(0);
    });

    it.each([
      ['to queues', (rabbit: Broker, body: Buffer) => rabbit.send('q', body)],
      ['to an exchange', (rabbit: Broker, body: Buffer) => rabbit.publish('key', body)],
    ])('the publish buffer is bounded by count and by bytes, %s', async (_name, publish) => {
      const byCount = away({ publish: { buffer: { messages: 3, bytes: 1_000_000 } } });
      const held = [1, 2, 3].map(() => rejection(publish(byCount, Buffer.alloc(10))));
      expect((await rejection(publish(byCount, Buffer.alloc(10)))).code).toBe('WARREN_PUBLISH_BUFFER_FULL');
      const byBytes = away({ publish: { buffer: { messages: 100, bytes: 1_000 } } });
      held.push(rejection(publish(byBytes, Buffer.alloc(900))));
      expect((await rejection(publish(byBytes, Buffer.alloc(101)))).code).toBe('WARREN_PUBLISH_BUFFER_FULL');
      expect(byCount.status().publishing.waiting).toBe(3);
      await Promise.all([byCount.close(), byBytes.close()]);
      for (const error of await Promise.all(held)) expect(error.code).toBe('WARREN_CONNECTION_LOST');
    });

    it('after close() it is refused at once', async () => {
      const rabbit = away();
      await rabbit.close();
      for (const publish of [
        rabbit.send('q', 1),
        rabbit.publish('k', 1),
        rabbit.send('q', 1, { delay: 5 }),
        rabbit.request('q', 1),
      ]) {
        expect((await rejection(publish)).code).toBe('WARREN_CONNECTION_LOST');
      }
    });
  });

  it('works without open(): the first publish connects', async () => {
    await declareQueue('lazy');
    const rabbit = new Broker({ url: broker.url, logger: SILENT });
    await rabbit.send('lazy', 1);
    expect((await rabbit.publish('nobody', 1)).routed).toBe(false);
    await rabbit.close();
    expect(await count(broker, 'lazy')).toBe(1);
  });

  it('tells listeners how each publish ended', async () => {
    await declareQueue('told');
    const rabbit = await warren(broker.url).open();
    await rabbit.broker.send('told', 'x', { messageId: 'a' });
    expect(await eventOf(rabbit, 'published')).toMatchObject({
      routingKey: 'told',
      messageId: 'a',
      payload: 'x',
      outcome: 'confirmed',
    });
    await rejection(rabbit.broker.send('untold', 1));
    expect((await eventOf(rabbit, 'published')).outcome).toBe('returned');
  });
});
