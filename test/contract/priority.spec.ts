// Queues with priorities: the order in which messages leave.
import { expect, it } from '@jest/globals';
import type { GetMessage, Options } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { Session } from './session.js';

onEachVersion('A priority queue', (broker) => {
  const filled = async (
    session: Session,
    messages: readonly (readonly [string, number | undefined])[],
    options: Options.AssertQueue = {},
  ): Promise<string> => {
    const queue = await session.queue({ maxPriority: 5, ...options });
    for (const [body, priority] of messages) await session.publish('', queue, body, { priority });
    return queue;
  };

  it('gives the higher priority first, and the older one of the same priority', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, [
      ['a1', 1],
      ['a3', 3],
      ['b1', 1],
      ['a5', 5],
      ['b3', 3],
    ]);
    expect(await session.drain(queue)).toEqual(['a5', 'a3', 'b3', 'a1', 'b1']);
  });

  it('takes a message without priority for zero', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, [
      ['none', undefined],
      ['zero', 0],
      ['one', 1],
    ]);
    expect(await session.drain(queue)).toEqual(['one', 'none', 'zero']);
  });

  it('takes a priority above its limit for the limit, and shows the original one', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, [
      ['five', 5],
      ['hundred', 100],
      ['four', 4],
    ]);
    expect(await session.get(queue)).toMatchObject({ properties: { priority: 5 } });
    expect(await session.get(queue)).toMatchObject({ properties: { priority: 100 } });
    expect(await session.drain(queue)).toEqual(['four']);
  });

  it('gives to a consumer in the same order', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, [
      ['low', 0],
      ['high', 5],
      ['middle', 3],
    ]);
    expect(await (await session.consume(queue)).bodies(3)).toEqual(['high', 'middle', 'low']);
  });

  it('does not overtake what a consumer already has', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, [['low', 0]]);
    await session.channel.prefetch(1);
    const consumer = await session.consume(queue);
    const low = await consumer.message();
    await session.publish('', queue, 'high', { priority: 5 });
    session.channel.ack(low);
    expect(await consumer.bodies(1)).toEqual(['high']);
  });

  it('puts a requeued message back into its own priority, at its old place', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, [
      ['a1', 1],
      ['b1', 1],
      ['a3', 3],
    ]);
    await session.get(queue);
    session.channel.nack((await session.channel.get(queue)) as GetMessage);
    await session.publish('', queue, 'b3', { priority: 3 });
    expect(await session.drain(queue)).toEqual(['b3', 'a1', 'b1']);
  });

  it('that is too long drops the highest priority first, as RabbitMQ does', async () => {
    const session = await Session.open(broker);
    const queue = await filled(
      session,
      [
        ['low', 0],
        ['high', 5],
        ['middle', 3],
      ],
      { maxLength: 2 },
    );
    expect(await session.drain(queue)).toEqual(['middle', 'low']);
  });

  it('without the argument is none: priorities change nothing', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.publish('', queue, 'low', { priority: 0 });
    await session.publish('', queue, 'high', { priority: 9 });
    expect(await session.drain(queue)).toEqual(['low', 'high']);
  });

  it('counts, purges and dead-letters all priorities', async () => {
    const session = await Session.open(broker);
    const queue = await filled(session, [
      ['low', 0],
      ['high', 5],
    ]);
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 2 });
    expect(await session.channel.purgeQueue(queue)).toEqual({ messageCount: 2 });
  });
});
