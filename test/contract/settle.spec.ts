// Ack, nack, reject, recover: which messages they settle, where requeued ones go, what redelivered says.
import { expect, it } from '@jest/globals';
import type { ConsumeMessage, GetMessage } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session, text } from './session.js';

const letters = ['a', 'b', 'c', 'd', 'e'];

onEachVersion('Settling', (broker) => {
  // Five messages, all delivered and held on a channel of their own; what comes back is read through the other.
  const held = async (): Promise<{
    reader: Session;
    holder: Session;
    queue: string;
    messages: ConsumeMessage[];
  }> => {
    const reader = await Session.open(broker);
    const holder = await reader.sibling();
    const queue = await reader.queue();
    await reader.send(queue, letters);
    const consumer = await holder.consume(queue);
    const messages = (await consumer.got.take(letters.length)) as ConsumeMessage[];
    await holder.channel.cancel(consumer.tag);
    return { reader, holder, queue, messages };
  };

  it.each<[string, (channel: Session['channel'], m: ConsumeMessage[]) => void, string[]]>([
    ['ack of one settles that one', (channel, m) => channel.ack(m[2]), ['a', 'b', 'd', 'e']],
    ['ack with multiple settles all up to it', (channel, m) => channel.ack(m[2], true), ['d', 'e']],
    ['ackAll settles everything', (channel) => channel.ackAll(), []],
    [
      'acks out of order settle what they name',
      (channel, m) => (channel.ack(m[4]), channel.ack(m[0])),
      ['b', 'c', 'd'],
    ],
    [
      'nack without requeue settles that one',
      (channel, m) => channel.nack(m[1], false, false),
      ['a', 'c', 'd', 'e'],
    ],
    [
      'nack with multiple settles all up to it',
      (channel, m) => channel.nack(m[1], true, false),
      ['c', 'd', 'e'],
    ],
    ['nackAll without requeue settles everything', (channel) => channel.nackAll(false), []],
    [
      'reject without requeue settles that one',
      (channel, m) => channel.reject(m[3], false),
      ['a', 'b', 'c', 'e'],
    ],
    ['nothing settled means all come back', () => undefined, letters],
    [
      'an ack after a multiple ack of others',
      (channel, m) => (channel.ack(m[1], true), channel.ack(m[3])),
      ['c', 'e'],
    ],
  ])('%s; the rest comes back in order when the channel closes', async (_, settle, rest) => {
    const { reader, holder, queue, messages } = await held();
    settle(holder.channel, messages);
    await holder.channel.close();
    const back = await (await reader.consume(queue)).got.take(rest.length);
    expect(back.map(text)).toEqual(rest);
    expect(back.every((message) => message?.fields.redelivered)).toBe(true);
  });

  it.each<[string, (channel: Session['channel'], m: ConsumeMessage[]) => void, string[]]>([
    ['one from the middle', (channel, m) => channel.nack(m[2]), ['c']],
    ['the first three at once', (channel, m) => channel.nack(m[2], true), ['a', 'b', 'c']],
    [
      'all, one by one, from the end',
      (channel, m) => [...m].reverse().forEach((one) => channel.nack(one)),
      letters,
    ],
    ['all, one by one, from the start', (channel, m) => m.forEach((one) => channel.nack(one)), letters],
    ['all with nackAll', (channel) => channel.nackAll(true), letters],
    ['two with reject', (channel, m) => (channel.reject(m[3]), channel.reject(m[1])), ['b', 'd']],
  ])('with requeue puts messages back to their old places: %s', async (_, settle, expected) => {
    const { reader, holder, queue, messages } = await held();
    settle(holder.channel, messages);
    await holder.channel.checkQueue(queue);
    expect(await (await reader.consume(queue)).bodies(expected.length)).toEqual(expected);
  });

  it('with requeue goes before what came later', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['old', 'next']);
    const message = (await session.channel.get(queue)) as GetMessage;
    await session.send(queue, ['new']);
    session.channel.nack(message);
    expect(await session.drain(queue)).toEqual(['old', 'next', 'new']);
  });

  it('recover puts everything back, and it is delivered again as redelivered', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const consumer = await session.consume(queue);
    await session.send(queue, ['a', 'b']);
    await consumer.bodies(2);
    await session.channel.recover();
    const again = await consumer.got.take(2);
    expect(
      again.map((message) => [text(message), message?.fields.redelivered, message?.fields.deliveryTag]),
    ).toEqual([
      ['a', true, 3],
      ['b', true, 4],
    ]);
  });

  it('a first delivery is not redelivered, a message requeued by get is', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['x']);
    const first = (await session.channel.get(queue)) as GetMessage;
    expect(first.fields.redelivered).toBe(false);
    session.channel.nack(first);
    expect(await session.get(queue)).toMatchObject({ fields: { redelivered: true } });
  });

  it('a message that waited behind a requeued one is not redelivered', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a', 'b']);
    session.channel.nack((await session.channel.get(queue)) as GetMessage);
    await session.get(queue);
    expect(await session.get(queue)).toMatchObject({ fields: { redelivered: false } });
  });

  it('a nack with requeue may come back to the same consumer', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const consumer = await session.consume(queue);
    await session.send(queue, ['x']);
    session.channel.nack(await consumer.message());
    expect(await consumer.message()).toMatchObject({ fields: { redelivered: true, deliveryTag: 2 } });
  });

  it.each<[string, (channel: Session['channel'], message: GetMessage) => void]>([
    ['ack', (channel, message) => channel.ack(message)],
    ['nack', (channel, message) => channel.nack(message)],
    ['reject', (channel, message) => channel.reject(message)],
  ])('a second %s of a message is refused with 406', async (_, settle) => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['x']);
    const message = (await session.channel.get(queue)) as GetMessage;
    session.channel.ack(message);
    expect(await channelRefusal(session.channel, () => settle(session.channel, message))).toBe(
      '406 PRECONDITION_FAILED - unknown delivery tag 1',
    );
  });

  it('an ack on another channel than the delivery came on is refused with 406', async () => {
    const session = await Session.open(broker);
    const other = await session.sibling();
    const queue = await session.queue();
    await session.send(queue, ['x']);
    const message = (await session.channel.get(queue)) as GetMessage;
    expect(await channelRefusal(other.channel, () => other.channel.ack(message))).toBe(
      '406 PRECONDITION_FAILED - unknown delivery tag 1',
    );
  });

  it('an ack of a message taken without acks is refused with 406', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['x']);
    const message = (await session.get(queue)) as GetMessage;
    expect(await channelRefusal(session.channel, () => session.channel.ack(message))).toBe(
      '406 PRECONDITION_FAILED - unknown delivery tag 1',
    );
  });

  it('a refused ack gives the unsettled messages of the channel back', async () => {
    const { reader, holder, queue, messages } = await held();
    holder.channel.ack(messages[0]);
    await channelRefusal(holder.channel, () => holder.channel.ack(messages[0]));
    expect(await (await reader.consume(queue)).bodies(4)).toEqual(['b', 'c', 'd', 'e']);
  });

  it('ackAll with nothing to ack is no error', async () => {
    const session = await Session.open(broker);
    session.channel.ackAll();
    expect(await session.channel.checkExchange('amq.direct')).toEqual({});
  });

  it('a closed connection gives everything back in order', async () => {
    const reader = await Session.open(broker);
    const holder = await Session.open(broker);
    const queue = await reader.queue();
    await reader.send(queue, letters);
    await (await holder.consume(queue)).bodies(letters.length);
    await holder.connection.close();
    expect(await (await reader.consume(queue)).bodies(letters.length)).toEqual(letters);
  });
});
