// Streams: what a declaration may say, where a consumer begins, its credit, filters, and what they refuse.
import { expect, it } from '@jest/globals';
import type { Options } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { until } from '../support/events.js';
import { channelRefusal, connectionRefusal, Session, text, type TestConsumer } from './session.js';

const stream = (args: object = {}): Options.AssertQueue => ({
  arguments: { 'x-queue-type': 'stream', ...args },
});

/** A stream with these messages, each published for itself, so that each is a chunk of its own everywhere. */
async function filled(
  session: Session,
  bodies: readonly string[],
  headers: (body: string) => object = () => ({}),
): Promise<string> {
  const queue = await session.queue(stream());
  for (const body of bodies) await session.publish('', queue, body, { headers: headers(body) });
  return queue;
}

/** Reads with a prefetch that is enough for everything. */
async function read(session: Session, queue: string, args: object = {}): Promise<TestConsumer> {
  await session.channel.prefetch(100);
  return session.consume(queue, { arguments: args });
}

const five = ['0', '1', '2', '3', '4'];

onEachVersion('A stream', (broker) => {
  it.each([
    ['non-durable', { durable: false }],
    ['exclusive-owner', { exclusive: true }],
    ['auto-delete', { autoDelete: true }],
  ])('cannot be %s: 406', async (property, options) => {
    const { channel } = await Session.open(broker);
    const act = (): unknown => channel.assertQueue(`no-${property}`, { ...stream(), ...options });
    expect(await channelRefusal(channel, act)).toBe(
      `406 PRECONDITION_FAILED - invalid property '${property}' for queue 'no-${property}' in vhost 'V'`,
    );
  });

  it('cannot be named by the broker', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.assertQueue('', stream()))).toBe(
      '406 PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue',
    );
  });

  it.each([
    ['x-max-length', 5],
    ['x-message-ttl', 5],
    ['x-expires', 100],
    ['x-dead-letter-exchange', 'x'],
    ['x-overflow', 'drop-head'],
    ['x-max-priority', 3],
    ['x-single-active-consumer', true],
    ['x-delivery-limit', 3],
    ['x-queue-mode', 'lazy'],
  ])('cannot have %s', async (argument, value) => {
    const { channel } = await Session.open(broker);
    const act = (): unknown => channel.assertQueue('wrong', stream({ [argument]: value }));
    expect(await channelRefusal(channel, act)).toBe(
      `406 PRECONDITION_FAILED - invalid arg '${argument}' for queue 'wrong' in vhost 'V' of queue type rabbit_stream_queue`,
    );
  });

  it.each(['x-max-age', 'x-stream-max-segment-size-bytes'])('%s is for streams only', async (argument) => {
    const { channel } = await Session.open(broker);
    const act = (): unknown => channel.assertQueue('classic', { arguments: { [argument]: '1h' } });
    expect(await channelRefusal(channel, act)).toContain("in vhost 'V' of queue type rabbit_classic_queue");
  });

  it('takes its own arguments', async () => {
    const session = await Session.open(broker);
    const own = {
      'x-max-age': '7D',
      'x-max-length-bytes': 1_000_000,
      'x-stream-max-segment-size-bytes': 100_000,
      'x-queue-leader-locator': 'balanced',
      'x-initial-cluster-size': 1,
      'x-stream-filter-size-bytes': 32,
    };
    await expect(session.queue(stream(own))).resolves.toContain('queue-');
  });

  it.each(['1x', '0s', '1h30m'])('has no age of %s', async (age) => {
    const { channel } = await Session.open(broker);
    const act = (): unknown => channel.assertQueue('aged', stream({ 'x-max-age': age }));
    expect(await channelRefusal(channel, act)).toBe(
      "406 PRECONDITION_FAILED - invalid arg 'x-max-age' for queue 'aged' in vhost 'V': invalid_max_age",
    );
  });

  it('with a segment that is too large is refused', async () => {
    const { channel } = await Session.open(broker);
    const tooLarge = stream({ 'x-stream-max-segment-size-bytes': 3_000_000_001 });
    expect(await channelRefusal(channel, () => channel.assertQueue('large', tooLarge))).toBe(
      '406 PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes',
    );
  });

  it('declared again with another age is refused; since 4.1 with the ages as milliseconds', async () => {
    const { channel } = await Session.open(broker);
    await channel.assertQueue('again', stream({ 'x-max-age': '1h' }));
    const [received, current] = broker.since('4.1') ? ['7200000', '3600000'] : ['2h', '1h'];
    const act = (): unknown => channel.assertQueue('again', stream({ 'x-max-age': '2h' }));
    expect(await channelRefusal(channel, act)).toBe(
      `406 PRECONDITION_FAILED - inequivalent arg 'x-max-age' for queue 'again' in vhost 'V': received '${received}' but current is '${current}'`,
    );
  });

  it('keeps what was read and says how much that is, but not who reads', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, five);
    const reader = await read(session, queue, { 'x-stream-offset': 'first' });
    for (const message of await reader.got.take(5)) if (message) session.channel.ack(message);
    await until(
      async () => (await session.channel.checkQueue(queue)).messageCount === 5,
      'the stream to count its messages',
    );
    expect(await session.channel.checkQueue(queue)).toMatchObject({ consumerCount: 0 });
  });

  it('is deleted with consumers and messages, whatever the conditions are', async () => {
    const [session, other] = [await Session.open(broker), await Session.open(broker)];
    const queue = await filled(session, five);
    const reader = await read(session, queue);
    const deleted = await other.channel.deleteQueue(queue, { ifUnused: true, ifEmpty: true });
    expect(deleted.messageCount).toBe(0);
    expect(text(await reader.message())).toBe('cancelled');
  });

  it('drops its oldest segments when it is too long', async () => {
    const session = await Session.open(broker);
    const limits = { 'x-max-length-bytes': 50_000, 'x-stream-max-segment-size-bytes': 10_000 };
    const queue = await session.queue(stream(limits));
    const body = 'x'.repeat(1000);
    for (let n = 0; n < 200; n += 1) await session.publish('', queue, body);
    const reader = await read(session, queue, { 'x-stream-offset': 'first' });
    const first = Number((await reader.message()).properties.headers?.['x-stream-offset']);
    expect(first).toBeGreaterThan(100);
    expect(first).toBeLessThan(200);
  });
});

onEachVersion('Reading a stream', (broker) => {
  it.each([
    ['first', five],
    ['last', ['4']],
    [3, ['3', '4']],
    [-1, five],
    ['1h', five],
  ])('begins at %s', async (offset, expected) => {
    const session = await Session.open(broker);
    const queue = await filled(session, five);
    const reader = await read(session, queue, { 'x-stream-offset': offset });
    await session.publish('', queue, 'end');
    expect(await reader.bodies(expected.length + 1)).toEqual([...expected, 'end']);
  });

  it.each([
    ['nothing said', {}],
    ['next', { 'x-stream-offset': 'next' }],
    ['an offset that is not there yet', { 'x-stream-offset': 5 }],
    ['a time to come', { 'x-stream-offset': { '!': 'timestamp', value: 4_000_000_000 } }],
  ])('begins with what comes from now on: %s', async (_, args) => {
    const session = await Session.open(broker);
    const queue = await filled(session, five);
    const reader = await read(session, queue, args);
    await session.publish('', queue, 'new');
    expect(await reader.bodies(1)).toEqual(['new']);
  });

  it('begins at a time', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, five);
    const past = { '!': 'timestamp', value: Math.floor(Date.now() / 1000) - 60 };
    const reader = await read(session, queue, { 'x-stream-offset': past });
    expect(await reader.bodies(5)).toEqual(five);
  });

  it('tells of each message its offset, and of none that it is redelivered', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, five, (body) => ({ own: body }));
    for (let round = 0; round < 2; round += 1) {
      const reader = await read(session, queue, { 'x-stream-offset': 'first' });
      const got = await reader.got.take(5);
      expect(got.map((message) => message?.properties.headers)).toEqual(
        five.map((body) => ({ own: body, 'x-stream-offset': Number(body) })),
      );
      expect(got.some((message) => message?.fields.redelivered)).toBe(false);
    }
  });

  it('goes on with every ack, never beyond its prefetch', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, five);
    await session.channel.prefetch(2);
    const reader = await session.consume(queue, { arguments: { 'x-stream-offset': 'first' } });
    for (const body of five) {
      const message = await reader.message();
      expect(text(message)).toBe(body);
      expect(reader.got.all.length).toBeLessThanOrEqual(Number(body) + 2);
      session.channel.ack(message);
    }
  });

  it('is the same for several consumers, an exclusive one as well', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, five);
    await session.channel.prefetch(10);
    const args = { 'x-stream-offset': 'first' };
    const one = await session.consume(queue, { arguments: args, exclusive: true });
    const two = await session.consume(queue, { arguments: args });
    expect([await one.bodies(5), await two.bodies(5)]).toEqual([five, five]);
  });

  it('since 4 takes a nack, a reject and a recover for an ack; 3.10 refuses them with 540', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, five);
    await session.channel.prefetch(1);
    const reader = await session.consume(queue, { arguments: { 'x-stream-offset': 'first' } });
    const first = await reader.message();
    if (!broker.since('4.0')) {
      const refusal = await connectionRefusal(session.connection, () => session.channel.nack(first));
      expect(refusal).toBe(
        `540 NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues queue '${queue}' in vhost 'V'`,
      );
      return;
    }
    session.channel.nack(first);
    session.channel.reject(await reader.message(), true);
    await reader.message();
    await session.channel.recover();
    expect(await reader.bodies(1)).toEqual(['3']);
  });
});

onEachVersion('A filter of a stream', (broker) => {
  const kinds = (body: string): object =>
    body === '4' ? {} : { 'x-stream-filter-value': Number(body) % 2 === 0 ? 'even' : 'odd' };

  it.each([
    ['one value', { 'x-stream-filter': 'odd' }, ['1', '3']],
    ['several values', { 'x-stream-filter': ['odd', 'even'] }, ['0', '1', '2', '3']],
    [
      'a value, and what has none',
      { 'x-stream-filter': 'odd', 'x-stream-match-unfiltered': true },
      ['1', '3', '4'],
    ],
    ['something else', { 'x-stream-filter': 5 }, five],
  ])('lets through %s; 3.10 has no filters', async (_, args, filtered) => {
    const session = await Session.open(broker);
    const queue = await filled(session, five, kinds);
    const expected = broker.since('4.0') ? filtered : five;
    const reader = await read(session, queue, { 'x-stream-offset': 'first', ...args });
    await session.publish('', queue, 'end', { headers: { 'x-stream-filter-value': 'odd' } });
    expect(await reader.bodies(expected.length + 1)).toEqual([...expected, 'end']);
  });
});

onEachVersion('A stream refuses', (broker) => {
  it.each([
    ['basic.get', (session: Session, queue: string) => session.get(queue)],
    ['queue.purge', (session: Session, queue: string) => session.channel.purgeQueue(queue)],
  ])('%s with 540', async (method, act) => {
    const session = await Session.open(broker);
    const queue = await session.queue(stream());
    expect(await connectionRefusal(session.connection, () => act(session, queue))).toBe(
      `540 NOT_IMPLEMENTED - ${method} not supported by stream queues queue '${queue}' in vhost 'V'`,
    );
  });

  it('a consumer without a prefetch', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue(stream());
    const what = broker.since('4.0')
      ? `stream queue '${queue}' in vhost 'V'`
      : `'queue '${queue}' in vhost 'V''`;
    expect(await channelRefusal(session.channel, () => session.consume(queue))).toBe(
      `406 PRECONDITION_FAILED - consumer prefetch count is not set for ${what}`,
    );
  });

  it('a consumer without acks', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue(stream());
    await session.channel.prefetch(10);
    const what = broker.since('4.0') ? 'stream' : 'stream queues';
    expect(await connectionRefusal(session.connection, () => session.consume(queue, { noAck: true }))).toBe(
      `540 NOT_IMPLEMENTED - automatic acknowledgement not supported by ${what} queue '${queue}' in vhost 'V'`,
    );
  });

  it('a consumer with a priority, and an offset in a string', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue(stream());
    await session.channel.prefetch(10);
    expect(await channelRefusal(session.channel, () => session.consume(queue, { priority: 5 }))).toBe(
      `406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue '${queue}' in vhost 'V' of queue type rabbit_stream_queue`,
    );
    const other = await session.sibling();
    await other.channel.prefetch(10);
    const act = (): unknown => other.consume(queue, { arguments: { 'x-stream-offset': '3' } });
    expect(await channelRefusal(other.channel, act)).toBe(
      `406 PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '${queue}' in vhost 'V': {invalid_stream_offset_arg,{longstr,<<"3">>}}`,
    );
  });
});
