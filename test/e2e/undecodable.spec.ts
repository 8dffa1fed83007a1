// What no retry would mend goes to the dead letters at once, and the handler never sees it.

import { beforeEach, expect, it } from '@jest/globals';
import type { StandardSchema } from '@warren/amqp';
import type { Options } from 'amqplib';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { eventOf, taken, warren } from '../support/warren.js';

const number: StandardSchema<number> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'number'
        ? { value: value * 2 }
        : { issues: [{ message: 'no number', path: ['a', { key: 'b' }] }] },
  },
};

const failing: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: () => Promise.reject(new Error('the validator broke')),
  },
};

onEachBroker('what cannot be read', (broker) => {
  let calls = new Collector<unknown>('calls');
  beforeEach(() => void (calls = new Collector<unknown>('calls')));

  const sendRaw = async (queue: string, content: Buffer, options: Options.Publish = {}): Promise<void> => {
    const channel = await (await broker.connect()).createConfirmChannel();
    channel.sendToQueue(queue, content, options);
    await channel.waitForConfirms();
  };

  const json = 'application/json';
  const bad: [string, Buffer, Options.Publish][] = [
    ['malformed JSON', Buffer.from('{"id": 1,'), { contentType: json }],
    ['JSON that is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), { contentType: json }],
    ['text that is not UTF-8', Buffer.from([0xff, 0xfe]), { contentType: 'text/plain' }],
    ['an unknown content type', Buffer.from('x'), { contentType: 'application/x-unknown' }],
    ['a body that says it is gzip', Buffer.from('{}'), { contentType: json, contentEncoding: 'gzip' }],
    [
      'JSON nested 20 000 levels deep',
      Buffer.from('['.repeat(20_000) + ']'.repeat(20_000)),
      { contentType: json },
    ],
  ];
  it.each(bad)('%s is dead-lettered with its body as it was', async (name, content, options) => {
    const queue = `bad.${bad.findIndex(([each]) => each === name)}`;
    await warren(broker.url).consume(queue, calls.push).open();
    await sendRaw(queue, content, options);
    const dead = await taken(broker, `${queue}.dead`);
    expect(dead.content.equals(content)).toBe(true);
    expect(dead.properties.headers).toMatchObject({
      'x-warren-reason': 'undecodable',
      'x-exception-type': 'DecodeError',
      'x-warren-attempt': 0,
    });
    expect(calls.all).toEqual([]);
  });

  const readable: [string, Buffer, Options.Publish, unknown][] = [
    ['no properties and JSON', Buffer.from('{"a":1}'), {}, { a: 1 }],
    ['no properties and text', Buffer.from('hello'), {}, 'hello'],
    ['no properties and bytes', Buffer.from([255, 0]), {}, Buffer.from([255, 0])],
    ['no properties and nothing', Buffer.alloc(0), {}, undefined],
    [
      'a content type in odd case with a charset',
      Buffer.from('1'),
      { contentType: 'Application/JSON; charset=utf-8' },
      1,
    ],
    ['a +json type', Buffer.from('[1]'), { contentType: 'application/vnd.acme+json' }, [1]],
    [
      'a __proto__ in the body',
      Buffer.from('{"__proto__":{"polluted":1}}'),
      { contentType: json },
      JSON.parse('{"__proto__":{"polluted":1}}'),
    ],
  ];
  it.each(readable)('%s is read', async (name, content, options, expected) => {
    const queue = `good.${readable.findIndex(([each]) => each === name)}`;
    await warren(broker.url)
      .consume(queue, (delivery) => calls.push(delivery.payload))
      .open();
    await sendRaw(queue, content, options);
    expect(await calls.one()).toEqual(expected);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('a payload that does not fit the schema is dead-lettered with what the schema found; one that fits is what the schema made of it', async () => {
    await warren(broker.url)
      .consume('schema', (delivery) => calls.push(delivery.payload), { schema: number })
      .open();
    await sendRaw('schema', Buffer.from('"text"'), { contentType: json });
    const dead = await taken(broker, 'schema.dead');
    expect(dead.properties.headers).toMatchObject({
      'x-warren-reason': 'undecodable',
      'x-exception-message': expect.stringContaining('a.b: no number'),
    });
    await sendRaw('schema', Buffer.from('21'), { contentType: json });
    expect(await calls.one()).toBe(42);
  });

  it('a schema that breaks dead-letters as well: the handler must not see what nobody checked', async () => {
    await warren(broker.url).consume('broken', calls.push, { schema: failing }).open();
    await sendRaw('broken', Buffer.from('1'), { contentType: json });
    expect((await taken(broker, 'broken.dead')).properties.headers).toMatchObject({
      'x-warren-reason': 'undecodable',
      'x-exception-message': 'the validator broke',
    });
    expect(calls.all).toEqual([]);
  });

  it('a body above maxMessageBytes is dead-lettered unread, and the connection stays', async () => {
    const rabbit = await warren(broker.url, { maxMessageBytes: 1_000 }).consume('big', calls.push).open();
    await sendRaw('big', Buffer.alloc(1_001, 0x31), { contentType: json });
    const dead = await taken(broker, 'big.dead');
    expect(dead.properties.headers).toMatchObject({ 'x-warren-reason': 'too-large' });
    await sendRaw('big', Buffer.alloc(1_000, 0x31), { contentType: 'text/plain' });
    for (;;) if ((await eventOf(rabbit, 'handled')).verdict.kind === 'ack') break;
    expect(rabbit.events.all.map(({ kind }) => kind)).not.toContain('consumer-lost');
  });

  it('headers of a sender cannot pretend to be properties of ours, and odd counters count as none', async () => {
    const rabbit = await warren(broker.url).consume('odd-headers', calls.push).open();
    await sendRaw('odd-headers', Buffer.from('1'), {
      headers: {
        toString: 'x',
        constructor: 'y',
        hasOwnProperty: 'z',
        'x-warren-attempt': 'many',
        'x-delivery-count': 'lots',
        'x-death': 5,
      },
    });
    const { delivery } = await eventOf(rabbit, 'handled');
    expect(delivery.attempt).toBe(1);
    expect(Object.getPrototypeOf(delivery.headers)).toBe(null);
    expect(delivery.headers).toMatchObject({ toString: 'x', constructor: 'y' });
  });
});
