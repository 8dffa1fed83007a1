// What comes back to a quorum queue: where it goes, what is counted, when it is too often. Each version of RabbitMQ has
// rules of its own.
import { expect, it } from '@jest/globals';
import type { ConsumeMessage, GetMessage } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { until } from '../support/events.js';
import { Session, text, type TestConsumer } from './session.js';

type Taken = ConsumeMessage | GetMessage;

onEachVersion('What comes back to a quorum queue', (broker) => {
  const declare = (session: Session, args: object = {}): Promise<string> =>
    session.queue({ arguments: { 'x-queue-type': 'quorum', ...args } });
  const counts = ({ properties: { headers = {} } }: Taken): unknown[] => [
    headers['x-delivery-count'],
    headers['x-acquired-count'],
  ];
  const taken = async ({ channel }: Session, queue: string, count: number): Promise<GetMessage[]> => {
    const messages: GetMessage[] = [];
    for (let n = 0; n < count; n++) messages.push((await channel.get(queue)) as GetMessage);
    return messages;
  };
  /** What is in the queue once there is that much of it; a return takes a moment. */
  const left = async (session: Session, queue: string, count: number): Promise<string> => {
    const ready = async (): Promise<boolean> =>
      (await session.channel.checkQueue(queue)).messageCount === count;
    await until(ready, `${count} messages in '${queue}'`);
    return (await session.drain(queue)).join(' ');
  };

  it.each([
    ['without a limit', {}],
    ['with a limit', { 'x-delivery-limit': 9 }],
  ])('is first by the order of its return, without a limit last until 4.0: %s', async (_, args) => {
    const session = await Session.open(broker);
    const queue = await declare(session, args);
    await session.send(queue, ['a', 'b', 'c', 'd']);
    const [a, b, c] = await taken(session, queue, 3);
    for (const each of [b, a, c]) session.channel.nack(each);
    const last = !('x-delivery-limit' in args) && !broker.since('4.0');
    expect(await left(session, queue, 4)).toBe(last ? 'd b a c' : 'b a c d');
  });

  it('is first in its old order when its channel is closed, or its connection', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.send(queue, ['a', 'b', 'c', 'd', 'e']);
    const leaving = await session.sibling();
    await taken(leaving, queue, 3);
    await leaving.channel.close();
    expect(await left(session, queue, 5)).toBe('a b c d e');
    await session.send(queue, ['a', 'b', 'c', 'd', 'e']);
    const other = await Session.open(broker);
    await taken(other, queue, 3);
    await other.connection.close();
    expect(await left(session, queue, 5)).toBe('a b c d e');
  });

  it('stays with a channel whose consumer was cancelled, and is first when that is closed', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    const other = await session.sibling();
    await other.channel.prefetch(2);
    const consumer = await other.consume(queue);
    await session.send(queue, ['a', 'b', 'c']);
    await consumer.bodies(2);
    await other.channel.cancel(consumer.tag);
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
    await other.channel.close();
    expect(await left(session, queue, 3)).toBe('a b c');
  });

  it('that was given back before the channel closed comes before the rest, until 4.0 without a limit last', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.send(queue, ['a', 'b', 'c', 'd', 'e']);
    const leaving = await session.sibling();
    const [, b] = await taken(leaving, queue, 3);
    leaving.channel.nack(b);
    await leaving.channel.close();
    expect(await left(session, queue, 5)).toBe(broker.since('4.0') ? 'b a c d e' : 'a c d e b');
  });

  it('is first whatever its priority', async () => {
    if (!broker.since('4.0')) return;
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.publish('', queue, 'low', { priority: 1 });
    const [low] = await taken(session, queue, 1);
    await session.publish('', queue, 'high', { priority: 9 });
    session.channel.nack(low);
    expect(await left(session, queue, 2)).toBe('low high');
  });

  it('is counted, a nack or recover since 4.3 only as acquired', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.channel.prefetch(1);
    const consumer = await session.consume(queue);
    await session.send(queue, ['x']);
    const seen: unknown[][] = [];
    const next = async (): Promise<ConsumeMessage> => {
      const message = await consumer.message();
      seen.push(counts(message));
      return message;
    };
    await next();
    await session.channel.recover();
    session.channel.nack(await next());
    session.channel.reject(await next(), true);
    await next();
    if (broker.since('4.3'))
      expect(seen).toEqual([
        [undefined, undefined],
        [undefined, 1],
        [undefined, 2],
        [1, 3],
      ]);
    else expect(seen).toEqual([undefined, 1, 2, 3].map((count) => [count, undefined]));
  });

  it('is counted when its channel or connection ends', async () => {
    const [one, two] = [await Session.open(broker), await Session.open(broker)];
    const queue = await declare(one);
    await one.send(queue, ['x']);
    const sibling = await one.sibling();
    await taken(sibling, queue, 1);
    await sibling.channel.close();
    await one.consume(queue).then((consumer) => consumer.message());
    await one.connection.close();
    const again = await (await two.consume(queue)).message();
    expect(counts(again)).toEqual([2, broker.since('4.3') ? 2 : undefined]);
  });

  it('is told to basic.get as 0 deliveries until 4.0', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.send(queue, ['x']);
    const [x] = await taken(session, queue, 1);
    expect(counts(x)).toEqual([broker.since('4.0') ? undefined : 0, undefined]);
  });

  const wornOut = async (session: Session, args: object, times: number): Promise<TestConsumer> => {
    const consumer = await session.consume(await declare(session, args));
    await session.send(consumer.queue, ['x']);
    for (let n = 0; n < times; n++) session.channel.reject(await consumer.message(), true);
    return consumer;
  };
  const graveyard = async (session: Session): Promise<{ dead: string; args: object }> => {
    const dead = await session.queue();
    return { dead, args: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead } };
  };

  it('is dead after 21 deliveries since 4.0, when the queue says nothing of a limit', async () => {
    const session = await Session.open(broker);
    const { dead, args } = await graveyard(session);
    const consumer = await wornOut(session, args, 21);
    if (!broker.since('4.0')) {
      expect(counts(await consumer.message())).toEqual([21, undefined]);
      return;
    }
    const { headers } = (await (await session.consume(dead)).message()).properties;
    expect(headers).toMatchObject({ 'x-last-death-reason': 'delivery_limit' });
  });

  it('is dead at once until 4.0 when the limit is negative, and then never', async () => {
    const session = await Session.open(broker);
    const { dead, args } = await graveyard(session);
    const consumer = await wornOut(
      session,
      { ...args, 'x-delivery-limit': -1 },
      broker.since('4.0') ? 25 : 1,
    );
    if (broker.since('4.0')) expect(text(await consumer.message())).toBe('x');
    else expect(text(await (await session.consume(dead)).message())).toBe('x');
  });

  it('never dies of nacks since 4.3', async () => {
    const session = await Session.open(broker);
    const { dead, args } = await graveyard(session);
    const queue = await declare(session, { ...args, 'x-delivery-limit': 2 });
    const consumer = await session.consume(queue);
    await session.send(queue, ['x']);
    for (let n = 0; n < 3; n++) session.channel.nack(await consumer.message());
    if (broker.since('4.3')) expect(counts(await consumer.message())).toEqual([undefined, 3]);
    else expect(text(await (await session.consume(dead)).message())).toBe('x');
  });
});
