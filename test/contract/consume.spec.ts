// Consumers: tags, exclusivity, cancelling, and how messages are shared out.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, connectionRefusal, Session } from './session.js';

onEachVersion('A consumer', (broker) => {
  it('without a tag gets one from the broker', async () => {
    const session = await Session.open(broker);
    expect((await session.consume(await session.queue())).tag).toMatch(/^amq\.ctag-[A-Za-z0-9_-]{22}$/);
  });

  it('finds its tag and a delivery tag that counts from one in each delivery', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const consumer = await session.consume(queue, { consumerTag: 'mine' });
    await session.send(queue, ['a', 'b']);
    const fields = { consumerTag: 'mine', redelivered: false, exchange: '', routingKey: queue };
    expect((await consumer.got.take(2)).map((message) => message?.fields)).toEqual([
      { ...fields, deliveryTag: 1 },
      { ...fields, deliveryTag: 2 },
    ]);
  });

  it('with the tag of another one on this channel costs the connection: 530', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.consume(queue, { consumerTag: 'twice' });
    expect(
      await connectionRefusal(session.connection, () => session.consume(queue, { consumerTag: 'twice' })),
    ).toBe("530 NOT_ALLOWED - attempt to reuse consumer tag 'twice'");
  });

  it('may have the tag of one on another channel', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.consume(queue, { consumerTag: 'same' });
    const sibling = await session.sibling();
    expect((await sibling.consume(queue, { consumerTag: 'same' })).tag).toBe('same');
  });

  it('of a queue that does not exist is refused with 404', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.consume('nobody', () => undefined))).toBe(
      "404 NOT_FOUND - no queue 'nobody' in vhost 'V'",
    );
  });

  it.each([
    ['a second one comes to an exclusive one', true, false],
    ['an exclusive one comes second', false, true],
  ])('is refused with 403 when %s', async (_, first, second) => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.consume(queue, { exclusive: first });
    const other = await session.sibling();
    expect(await channelRefusal(other.channel, () => other.consume(queue, { exclusive: second }))).toBe(
      `403 ACCESS_REFUSED - queue '${queue}' in vhost 'V' in exclusive use`,
    );
  });

  it('may be exclusive again after the exclusive one was cancelled', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const { tag } = await session.consume(queue, { exclusive: true });
    await session.channel.cancel(tag);
    const again = await session.consume(queue, { exclusive: true });
    await session.send(queue, ['x']);
    expect(await again.bodies(1)).toEqual(['x']);
  });

  it('gets what was in the queue before it came, in order', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a', 'b', 'c']);
    expect(await (await session.consume(queue)).bodies(3)).toEqual(['a', 'b', 'c']);
  });

  it('gets nothing after its cancel was confirmed; the rest stays in the queue', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const consumer = await session.consume(queue, { noAck: true });
    await session.send(queue, ['before']);
    await consumer.bodies(1);
    await session.channel.cancel(consumer.tag);
    await session.send(queue, ['after']);
    expect(await session.drain(queue)).toEqual(['after']);
    expect(consumer.got.size).toBe(1);
  });

  it('that was cancelled may still ack what it has', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const consumer = await session.consume(queue);
    await session.send(queue, ['held']);
    const held = await consumer.message();
    await session.channel.cancel(consumer.tag);
    session.channel.ack(held);
    await session.channel.close();
    const other = await session.sibling();
    expect(await other.drain(queue)).toEqual([]);
  });

  it('that nobody knows can be cancelled without complaint', async () => {
    const { channel } = await Session.open(broker);
    expect(await channel.cancel('never-started')).toEqual({ consumerTag: 'never-started' });
  });

  it('with a priority that is no number is refused with 406', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    expect(
      await channelRefusal(session.channel, () =>
        session.consume(queue, { arguments: { 'x-priority': 'high' } }),
      ),
    ).toMatch(/^406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue /);
  });
});

onEachVersion('Consumers of one queue', (broker) => {
  it('take turns', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const consumers = [
      await session.consume(queue),
      await session.consume(queue),
      await session.consume(queue),
    ];
    await session.send(queue, ['1', '2', '3', '4', '5', '6']);
    const shares = await Promise.all(consumers.map((consumer) => consumer.bodies(2)));
    expect(shares).toEqual([
      ['1', '4'],
      ['2', '5'],
      ['3', '6'],
    ]);
  });

  it('are passed over while they are at their prefetch', async () => {
    const session = await Session.open(broker);
    const [slow, fast] = [await session.sibling(), await session.sibling()];
    const queue = await session.queue();
    await slow.channel.prefetch(1);
    const slowConsumer = await slow.consume(queue);
    const fastConsumer = await fast.consume(queue, { noAck: true });
    await session.send(queue, ['1', '2', '3', '4']);
    expect(await fastConsumer.bodies(3)).toEqual(['2', '3', '4']);
    expect(await slowConsumer.bodies(1)).toEqual(['1']);
    expect(slowConsumer.got.size).toBe(1);
  });

  it('with a higher priority are served first', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const low = await session.consume(queue, { noAck: true });
    const high = await session.consume(queue, { noAck: true, priority: 5 });
    await session.send(queue, ['a', 'b', 'c']);
    expect(await high.bodies(3)).toEqual(['a', 'b', 'c']);
    expect(low.got.size).toBe(0);
  });

  it('with a lower priority get what the higher ones cannot take', async () => {
    const session = await Session.open(broker);
    const [first, second] = [await session.sibling(), await session.sibling()];
    const queue = await session.queue();
    await first.channel.prefetch(1);
    const high = await first.consume(queue, { priority: 1 });
    const low = await second.consume(queue, { priority: -1 });
    await session.send(queue, ['a', 'b']);
    expect(await high.bodies(1)).toEqual(['a']);
    expect(await low.bodies(1)).toEqual(['b']);
  });

  it('of the same priority take turns among themselves', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.consume(queue, { noAck: true });
    const high = [
      await session.consume(queue, { priority: 2 }),
      await session.consume(queue, { priority: 2 }),
    ];
    await session.send(queue, ['1', '2', '3', '4']);
    expect(await Promise.all(high.map((consumer) => consumer.bodies(2)))).toEqual([
      ['1', '3'],
      ['2', '4'],
    ]);
  });
});
