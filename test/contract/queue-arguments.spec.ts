// Arguments that a queue may not have. The broker must refuse them when the queue is declared, not later.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { entry, long, value } from '../support/raw-tables.js';
import { RawClient, shortString } from './raw-client.js';
import { channelRefusal, fresh, Session } from './session.js';

const quorum = { 'x-queue-type': 'quorum' };

/** What is declared, and what comes after `PRECONDITION_FAILED - `. */
const refused: readonly (readonly [string, object, string])[] = [
  [
    'a negative time to live',
    { 'x-message-ttl': -1 },
    "invalid arg 'x-message-ttl' for queue 'NAME' in vhost 'V': {value_negative,-1}",
  ],
  [
    'a time to live that is text',
    { 'x-message-ttl': '60' },
    "invalid arg 'x-message-ttl' for queue 'NAME' in vhost 'V': \"expected integer, got longstr\"",
  ],
  [
    'an expiry of zero',
    { 'x-expires': 0 },
    "invalid arg 'x-expires' for queue 'NAME' in vhost 'V': {value_zero,0}",
  ],
  [
    'a negative expiry',
    { 'x-expires': -5 },
    "invalid arg 'x-expires' for queue 'NAME' in vhost 'V': {value_negative,-5}",
  ],
  [
    'a negative length',
    { 'x-max-length': -1 },
    "invalid arg 'x-max-length' for queue 'NAME' in vhost 'V': {value_negative,-1}",
  ],
  [
    'a length that is text',
    { 'x-max-length': 'ten' },
    "invalid arg 'x-max-length' for queue 'NAME' in vhost 'V': \"expected integer, got longstr\"",
  ],
  [
    'a negative length in bytes',
    { 'x-max-length-bytes': -1 },
    "invalid arg 'x-max-length-bytes' for queue 'NAME' in vhost 'V': {value_negative,-1}",
  ],
  [
    'more than 255 priorities',
    { 'x-max-priority': 256 },
    "invalid arg 'x-max-priority' for queue 'NAME' in vhost 'V': {max_value_exceeded,256}",
  ],
  [
    'a negative priority limit',
    { 'x-max-priority': -1 },
    "invalid arg 'x-max-priority' for queue 'NAME' in vhost 'V': {value_negative,-1}",
  ],
  [
    'an unknown overflow',
    { 'x-overflow': 'explode' },
    "invalid arg 'x-overflow' for queue 'NAME' in vhost 'V': invalid_overflow",
  ],
  [
    'an unknown type',
    { 'x-queue-type': 'fancy' },
    "invalid arg 'x-queue-type' for queue 'NAME' in vhost 'V': \"unsupported queue type 'fancy'\"",
  ],
  [
    'a type that is a number',
    { 'x-queue-type': 7 },
    "invalid arg 'x-queue-type' for queue 'NAME' in vhost 'V': {unacceptable_type,byte}",
  ],
  [
    'a dead-letter exchange that is a number',
    { 'x-dead-letter-exchange': 7 },
    "invalid type 'byte' for arg 'x-dead-letter-exchange' in queue 'NAME' in vhost 'V'",
  ],
  [
    'a dead-letter key without an exchange',
    { 'x-dead-letter-routing-key': 'k' },
    "invalid arg 'x-dead-letter-routing-key' for queue 'NAME' in vhost 'V': routing_key_but_no_dlx_defined",
  ],
  [
    'a single-active-consumer flag that is text',
    { 'x-single-active-consumer': 'yes' },
    "invalid arg 'x-single-active-consumer' for queue 'NAME' in vhost 'V': {unacceptable_type,longstr}",
  ],
  [
    'priorities in a quorum queue',
    { ...quorum, 'x-max-priority': 5 },
    "invalid arg 'x-max-priority' for queue 'NAME' in vhost 'V' of queue type rabbit_quorum_queue",
  ],
  [
    'a lazy mode in a quorum queue',
    { ...quorum, 'x-queue-mode': 'lazy' },
    "invalid arg 'x-queue-mode' for queue 'NAME' in vhost 'V' of queue type rabbit_quorum_queue",
  ],
  [
    'a delivery limit in a classic queue',
    { 'x-delivery-limit': 3 },
    "invalid arg 'x-delivery-limit' for queue 'NAME' in vhost 'V' of queue type rabbit_classic_queue",
  ],
];

const accepted: readonly (readonly [string, object])[] = [
  ['a time to live of zero', { 'x-message-ttl': 0 }],
  ['a length of zero', { 'x-max-length': 0 }],
  ['one priority', { 'x-max-priority': 1 }],
  ['255 priorities', { 'x-max-priority': 255 }],
  ['the lazy mode', { 'x-queue-mode': 'lazy' }],
  ['its type said aloud', { 'x-queue-type': 'classic' }],
  ['a dead-letter exchange that does not exist', { 'x-dead-letter-exchange': 'not-yet' }],
  ['publishers rejected and dead-lettered', { 'x-overflow': 'reject-publish-dlx', 'x-max-length': 1 }],
  ['arguments that are called like members of an object', { constructor: 1, toString: 'two' }],
  ['an argument that nobody knows', { 'x-whatever': [1, 'two', { three: 3 }] }],
];

onEachVersion('Queue arguments', (broker) => {
  it.each(refused)('are refused with 406: %s', async (_, args, expected) => {
    const { channel } = await Session.open(broker);
    const name = fresh('queue');
    expect(
      await channelRefusal(channel, () => channel.assertQueue(name, { durable: true, arguments: args })),
    ).toBe(`406 PRECONDITION_FAILED - ${expected.replace('NAME', name)}`);
  });

  it('are refused with 406 until 4.3: an unknown mode', async () => {
    const { channel } = await Session.open(broker);
    const name = fresh('queue');
    const declare = (): Promise<unknown> =>
      channel.assertQueue(name, { arguments: { 'x-queue-mode': 'busy' } });
    if (broker.since('4.3'))
      expect(await declare()).toEqual({ queue: name, messageCount: 0, consumerCount: 0 });
    else
      expect(await channelRefusal(channel, declare)).toBe(
        `406 PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue '${name}' in vhost 'V': "unsupported queue mode 'busy'"`,
      );
  });

  it.each(accepted)('are accepted: %s', async (_, args) => {
    const { channel } = await Session.open(broker);
    await expect(channel.assertQueue(fresh('queue'), { arguments: args })).resolves.toMatchObject({
      messageCount: 0,
    });
  });

  it('are accepted: one that is called like the prototype of an object', async () => {
    const client = await RawClient.ready(broker.url);
    const table = long(entry('__proto__', value('I', [0, 0, 0, 1])));
    client.method(1, 50, 10, Buffer.from([0, 0]), shortString(fresh('queue')), Buffer.from([0b10]), table);
    await client.expect('50.11');
    client.destroy();
  });

  it('that were refused leave no queue behind', async () => {
    const session = await Session.open(broker);
    const other = await session.sibling();
    const name = fresh('queue');
    await channelRefusal(session.channel, () =>
      session.channel.assertQueue(name, { arguments: { 'x-message-ttl': -1 } }),
    );
    expect(await channelRefusal(other.channel, () => other.channel.checkQueue(name))).toContain('404');
  });
});
