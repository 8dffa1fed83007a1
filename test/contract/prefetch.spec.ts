// Prefetch: how many unsettled messages a consumer or a channel may hold, and what does not count.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { fresh, Session } from './session.js';

onEachVersion('Prefetch', (broker) => {
  it('holds back what is more than the limit until an ack', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(2);
    const consumer = await session.consume(queue);
    await session.send(queue, ['a', 'b', 'c']);
    const [first] = await consumer.got.take(2);
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
    session.channel.ack(first!);
    expect(await consumer.bodies(1)).toEqual(['c']);
  });

  it('counts for each consumer of the channel', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(1);
    const consumers = [await session.consume(queue), await session.consume(queue)];
    await session.send(queue, ['a', 'b', 'c']);
    for (const consumer of consumers) await consumer.bodies(1);
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
  });

  it('counts for the whole channel when it is global, and since 4.3 for each consumer all the same', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(1, true);
    const [one, two] = [await session.consume(queue), await session.consume(queue)];
    await session.send(queue, ['a', 'b']);
    const first = await one.message();
    const { messageCount } = await session.channel.checkQueue(queue);
    // 4.0 does the one or the other, as it is set up.
    const expected = broker.since('4.3') ? [0] : broker.since('4.0') ? [0, 1] : [1];
    expect(expected).toContain(messageCount);
    session.channel.ack(first);
    expect(await two.bodies(1)).toEqual(['b']);
  });

  it('that is raised for the channel lets the rest through at once, until 4.0', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(1, true);
    const consumer = await session.consume(queue);
    await session.send(queue, ['a', 'b', 'c']);
    await consumer.bodies(1);
    await session.channel.prefetch(3, true);
    if (!broker.since('4.0')) expect(await consumer.bodies(2)).toEqual(['b', 'c']);
    // For a consumer it counts from its start.
    if (broker.since('4.3'))
      expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 2 });
  });

  it('that is changed later counts for new consumers only', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(1);
    const consumer = await session.consume(queue);
    await session.channel.prefetch(10);
    await session.send(queue, ['a', 'b']);
    await consumer.bodies(1);
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
  });

  it('of zero means no limit', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(0);
    await session.send(
      queue,
      Array.from({ length: 50 }, (_, n) => String(n)),
    );
    expect(await (await session.consume(queue)).bodies(50)).toHaveLength(50);
  });

  it('does not count a consumer without acks', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(1);
    const consumer = await session.consume(queue, { noAck: true });
    await session.send(queue, ['a', 'b', 'c']);
    expect(await consumer.bodies(3)).toEqual(['a', 'b', 'c']);
  });

  it('does not count what was taken with get', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(1);
    await session.send(queue, [fresh('a'), 'b']);
    await session.channel.get(queue);
    expect(await (await session.consume(queue)).bodies(1)).toEqual(['b']);
  });
});
