// basic.get: one message at a time, for tools and peeking.
import { expect, it } from '@jest/globals';
import type { GetMessage } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session, text } from './session.js';

onEachVersion('Getting a message', (broker) => {
  it('from an empty queue gives none', async () => {
    const session = await Session.open(broker);
    expect(await session.channel.get(await session.queue())).toBe(false);
  });

  it('tells how many are left', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a', 'b', 'c']);
    const left: number[] = [];
    for (let n = 0; n < 3; n++) left.push(((await session.get(queue)) as GetMessage).fields.messageCount);
    expect(left).toEqual([2, 1, 0]);
  });

  it('counts its delivery tags together with those of consumers', async () => {
    const session = await Session.open(broker);
    const [one, two] = [await session.queue(), await session.queue()];
    await session.send(one, ['a', 'b']);
    const consumer = await session.consume(two);
    await session.channel.get(one);
    await session.send(two, ['c']);
    expect((await consumer.message()).fields.deliveryTag).toBe(2);
    expect(await session.channel.get(one)).toMatchObject({ fields: { deliveryTag: 3 } });
  });

  it('with acks keeps the message out of sight until it is settled', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['x']);
    const message = (await session.channel.get(queue)) as GetMessage;
    expect(await session.channel.get(queue)).toBe(false);
    session.channel.nack(message);
    expect(text((await session.get(queue)) as GetMessage)).toBe('x');
  });

  it('without acks is for good', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['x']);
    const sibling = await session.sibling();
    await sibling.get(queue);
    await sibling.channel.close();
    expect(await session.drain(queue)).toEqual([]);
  });

  it('does not make an auto-delete queue go', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ autoDelete: true });
    await session.send(queue, ['x']);
    await session.get(queue);
    await expect(session.channel.checkQueue(queue)).resolves.toMatchObject({ queue });
  });

  it('from a queue that does not exist is refused with 404', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.get('nobody'))).toBe(
      "404 NOT_FOUND - no queue 'nobody' in vhost 'V'",
    );
  });

  it('takes its turn with consumers that are at their prefetch', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.prefetch(1);
    const consumer = await session.consume(queue);
    await session.send(queue, ['a', 'b']);
    await consumer.message();
    expect(text((await session.channel.get(queue)) as GetMessage)).toBe('b');
  });
});
