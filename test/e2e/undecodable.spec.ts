// What a schema or a limit refuses goes to the dead letters at once, and the handler never sees it. What cannot be read
// at all is in bad-deliveries.spec.ts.

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
