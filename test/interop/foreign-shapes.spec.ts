// What other libraries put on the wire, sent byte by byte without them: JSON without a content type, empty bodies,
// replies matched by a header, properties of every type that AMQP has.
import { describe, expect, it } from '@jest/globals';
import type { Channel, ConsumeMessage, Options } from 'amqplib';
import { text, type Delivery } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { warren } from '../support/warren.js';
import { pika, withPika } from './program.js';

onEachBroker('foreign shapes', (broker) => {
  describe('JSON without a content type', () => {
    it.each<[string, string | Buffer, unknown]>([
      ['an object', '{"a":1}', { a: 1 }],
      ['a number', '30', 30],
      ['text', 'hello', 'hello'],
      ['an empty body', '', undefined],
      ['null', 'null', null],
      ['bytes', Buffer.from([0xff, 0xfe]), Buffer.from([0xff, 0xfe])],
    ])('%s arrives as what it is', async (name, body, payload) => {
      const queue = `plain ${name}`;
      const { got, channel } = await consuming(broker, queue);
      channel.sendToQueue(queue, Buffer.from(body));
      expect((await got.one()).payload).toEqual(payload);
    });
  });

  it('a handler with the codec text gets the digits that its sender wrote', async () => {
    const { got, channel } = await consuming(broker, 'digits', { codec: text });
    channel.sendToQueue('digits', Buffer.from('30'));
    expect((await got.one()).payload).toBe('30');
  });

  describe('a call in the way of golevelup', () => {
    it('is answered with the X-Request-ID it came with, and no other header of the request', async () => {
      await warren(broker.url)
        .rpc('sum', ({ payload }) => (payload as number[]).reduce((sum, n) => sum + n, 0))
        .open();
      const reply = await call(broker, 'sum', '[4,7]', {
        expiration: '5000',
        headers: { 'X-Request-ID': 'zz', foo: 'bar' },
      });
      expect(JSON.parse(reply.content.toString())).toBe(11);
      expect(reply.properties).toMatchObject({ correlationId: 'cc', headers: { 'X-Request-ID': 'zz' } });
      expect(reply.properties.headers).not.toHaveProperty('foo');
    });

    it('gets an empty body for a handler that returns nothing', async () => {
      const { broker: client } = await warren(broker.url)
        .rpc('nothing', () => undefined)
        .open();
      expect((await call(broker, 'nothing', '', {})).content).toHaveLength(0);
      expect(await client.request('nothing', undefined)).toBeUndefined();
    });

    it('gets an error as JSON that a header marks', async () => {
      await warren(broker.url, { rpc: { exposeErrors: true } })
        .rpc('fails', () => {
          throw new TypeError('no such thing');
        })
        .open();
      const reply = await call(broker, 'fails', '{}', { headers: { 'X-Request-ID': 'zz' } });
      expect(JSON.parse(reply.content.toString())).toEqual({ name: 'TypeError', message: 'no such thing' });
      expect(reply.properties.headers).toMatchObject({ 'x-rpc-error': 1, 'X-Request-ID': 'zz' });
    });
  });

  describe('odd properties', () => {
    const typed: Record<string, unknown> = {
      byte: { '!': 'byte', value: -7 },
      short: { '!': 'short', value: -300 },
      int: { '!': 'int', value: 70_000 },
      float: { '!': 'float', value: 0.5 },
      double: { '!': 'double', value: 1.25 },
      when: { '!': 'timestamp', value: 1_577_836_800 },
      price: { '!': 'decimal', value: { digits: 1234, places: 2 } },
      nested: { list: [1, 'two', null, { deep: true }] },
      bytes: Buffer.from([0, 255]),
      nothing: null,
      [`${'n'.repeat(255)}`]: 'long name',
    };

    it('headers of every type reach the handler, and come back unchanged on the second attempt', async () => {
      const retry = { attempts: 2, delays: 20, jitter: false };
      const { got, channel } = await consuming(broker, 'typed', { retry }, true);
      const properties = { headers: typed, messageId: 'm'.repeat(255), correlationId: 'c'.repeat(255) };
      channel.sendToQueue('typed', Buffer.from('{}'), properties);
      const [first, second] = await got.take(2);
      expect(first.headers).toMatchObject({ byte: -7, short: -300, int: 70_000, float: 0.5, nothing: null });
      expect(first.headers.when).toEqual(new Date(1_577_836_800_000));
      expect(first.headers.price).toEqual({ '!': 'decimal', value: { digits: 1234, places: 2 } });
      expect(first.headers.nested).toEqual({ list: [1, 'two', null, { deep: true }] });
      expect([first.attempt, second.attempt]).toEqual([1, 2]);
      for (const name of Object.keys(typed)) expect(second.headers[name]).toEqual(first.headers[name]);
      expect(second.message.properties).toMatchObject({
        messageId: 'm'.repeat(255),
        correlationId: 'c'.repeat(255),
      });
    });

    withPika(() => {
      it("pika's dates, decimals, 64-bit numbers and odd names reach the handler, then a bare message", async () => {
        const { got } = await consuming(broker, 'odd');
        await pika(broker.url, 'odd_properties.py', 'odd');
        const [odd, bare] = await got.take(2);
        expect(odd.payload).toEqual({ odd: true });
        expect(odd.headers).toMatchObject({
          nested: { deeper: { list: [1, 'two', null, [true]] } },
          nothing: null,
          yes: true,
          '': 'no name',
          toString: 'only text',
        });
        expect(Object.keys(odd.headers)).not.toContain('__proto__');
        expect(Object.keys(odd.headers)).toEqual(expect.arrayContaining(['big', 'biggest', 'smallest']));
        expect(odd.message.properties).toMatchObject({
          messageId: 'm'.repeat(255),
          timestamp: 0,
          priority: 0,
        });
        expect(bare.payload).toEqual(Buffer.from('\xff\xfe not text', 'latin1'));
        expect(bare.message.properties.messageId).toBeUndefined();
      });

      it('a message with numbers beyond 2^53 survives a retry', async () => {
        const retry = { attempts: 2, delays: 20, jitter: false };
        const { got } = await consuming(broker, 'odd again', { retry }, true);
        await pika(broker.url, 'odd_properties.py', 'odd again');
        const all = await got.take(4);
        const [first, second] = all.filter(({ message }) => message.properties.appId);
        expect(second.attempt).toBe(2);
        for (const name of ['big', 'biggest', 'smallest', 'when', 'price', 'bytes']) {
          expect([name, second.headers[name]]).toEqual([name, first.headers[name]]);
        }
      });
    });
  });
});

async function consuming(
  broker: TestBroker,
  queue: string,
  options: object = {},
  fails = false,
): Promise<{ got: Collector<Delivery>; channel: Channel }> {
  const got = new Collector<Delivery>('deliveries');
  const handle = (delivery: Delivery): void => {
    got.push(delivery);
    if (fails) throw new Error('again, please');
  };
  await warren(broker.url).consume(queue, handle, options).open();
  return { got, channel: await (await broker.connect()).createChannel() };
}

async function call(
  broker: TestBroker,
  queue: string,
  body: string,
  options: Options.Publish,
): Promise<ConsumeMessage> {
  const channel = await (await broker.connect()).createChannel();
  const replies = new Collector<ConsumeMessage | null>('replies');
  await channel.consume('amq.rabbitmq.reply-to', replies.push, { noAck: true });
  const properties = { ...options, correlationId: 'cc', replyTo: 'amq.rabbitmq.reply-to' };
  channel.sendToQueue(queue, Buffer.from(body), properties);
  const reply = await replies.one();
  if (reply === null) throw new Error('the broker cancelled the reply consumer');
  return reply;
}
