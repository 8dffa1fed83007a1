// What a message carries besides its body must arrive as it was sent, down to the type on the wire.
import { expect, it } from '@jest/globals';
import type { Options } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session } from './session.js';

const properties: readonly (readonly [string, Options.Publish, object])[] = [
  [
    'content type and encoding',
    { contentType: 'text/plain', contentEncoding: 'gzip' },
    { contentType: 'text/plain', contentEncoding: 'gzip' },
  ],
  ['persistence', { persistent: true }, { deliveryMode: 2 }],
  ['no persistence', { persistent: false }, { deliveryMode: 1 }],
  ['priority', { priority: 255 }, { priority: 255 }],
  [
    'correlation id and reply address',
    { correlationId: 'c-1', replyTo: 'answers' },
    { correlationId: 'c-1', replyTo: 'answers' },
  ],
  [
    'message id, type and application',
    { messageId: 'm-1', type: 'order', appId: 'shop' },
    { messageId: 'm-1', type: 'order', appId: 'shop' },
  ],
  ['timestamp', { timestamp: 1_700_000_000 }, { timestamp: 1_700_000_000 }],
  ['expiration', { expiration: '3600000' }, { expiration: '3600000' }],
  [
    'letters of any script',
    { messageId: 'Häschen \u{1F407}', type: '兎' },
    { messageId: 'Häschen \u{1F407}', type: '兎' },
  ],
];

const values: readonly (readonly [string, unknown, unknown])[] = [
  ['text', 'text', 'text'],
  ['empty text', '', ''],
  ['a boolean', true, true],
  ['nothing', null, null],
  ['a small number', 5, 5],
  ['a negative number', -129, -129],
  ['a number of 32 bits', 2_147_483_647, 2_147_483_647],
  ['a number of 53 bits', 9_007_199_254_740_991, 9_007_199_254_740_991],
  ['a fraction', 3.25, 3.25],
  ['bytes', Buffer.from([0, 255, 1]), Buffer.from([0, 255, 1])],
  ['a list', ['a', 1, true, null, ['b']], ['a', 1, true, null, ['b']]],
  ['a table', { a: { b: { c: 'deep' } } }, { a: { b: { c: 'deep' } } }],
  ['a point in time', { '!': 'timestamp', value: 1_700_000_000 }, { '!': 'timestamp', value: 1_700_000_000 }],
  [
    'a decimal',
    { '!': 'decimal', value: { places: 2, digits: 314 } },
    { '!': 'decimal', value: { places: 2, digits: 314 } },
  ],
  ['a float', { '!': 'float', value: 0.5 }, 0.5],
];

onEachVersion('A message keeps', (broker) => {
  it.each(properties)('its %s', async (_, options, expected) => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.publish('', queue, 'x', options);
    expect(await session.get(queue)).toMatchObject({ properties: expected });
  });

  it.each(values)('%s in a header', async (_, value, expected) => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.publish('', queue, 'x', { headers: { value } });
    const message = await session.get(queue);
    expect(message && (message.properties.headers as { value: unknown }).value).toEqual(expected);
  });

  it('no property that the sender did not set', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.publish('', queue, 'x');
    const message = await session.get(queue);
    const { headers, ...others } = message ? message.properties : ({} as never);
    expect(headers).toEqual({});
    expect(Object.values(others).filter((value) => value !== undefined)).toEqual([]);
  });

  it('many headers', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const headers = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`header-${n}`, `value ${n}`]));
    await session.publish('', queue, 'x', { headers });
    expect(await session.get(queue)).toMatchObject({ properties: { headers } });
  });

  it('its user id, which must be the one of the connection', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const userId = decodeURIComponent(new URL(broker.url).username);
    await session.publish('', queue, 'x', { userId });
    expect(await session.get(queue)).toMatchObject({ properties: { userId } });
    expect(
      await channelRefusal(session.channel, () =>
        session.channel.publish('', queue, Buffer.from('x'), { userId: 'else' }),
      ),
    ).toBe(`406 PRECONDITION_FAILED - user_id property set to 'else' but authenticated user was '${userId}'`);
  });
});
