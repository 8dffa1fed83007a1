// Publisher confirms and mandatory returns: every publish gets one answer, and which.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { within } from '../support/events.js';
import { collector } from '../support/events.js';
import { channelRefusal, fresh, Session } from './session.js';

onEachVersion('Confirms', (broker) => {
  it('come for every message', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const bodies = Array.from({ length: 200 }, (_, n) => String(n));
    await session.send(queue, bodies);
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 200 });
  });

  it('number the messages of a channel from one', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const acks = collector<{ deliveryTag: number; multiple: boolean }>('confirms');
    session.channel.on('ack', acks.push);
    for (const body of ['a', 'b', 'c']) await session.send(queue, [body]);
    expect(acks.all.map(({ deliveryTag }) => deliveryTag)).toEqual([1, 2, 3]);
  });

  it('come for a message that no queue takes', async () => {
    const session = await Session.open(broker);
    await expect(session.publish('amq.direct', fresh('nowhere'), 'x')).resolves.toBeUndefined();
  });

  it('come when the message is in the queue, so that another connection can take it', async () => {
    const [sender, receiver] = [await Session.open(broker), await Session.open(broker)];
    const queue = await sender.queue();
    await sender.send(queue, ['x']);
    expect(await receiver.drain(queue)).toEqual(['x']);
  });

  it('can be switched on twice', async () => {
    const session = await Session.open(broker);
    const again = await session.connection.createConfirmChannel();
    expect(await again.waitForConfirms()).toEqual([]);
  });

  it('do not come for a message to an exchange that does not exist: the channel closes', async () => {
    const session = await Session.open(broker);
    const outcome = session.publish('nowhere', 'k', 'x').then(
      () => 'confirmed',
      (error: Error) => error.message,
    );
    expect(await channelRefusal(session.channel, () => outcome)).toContain(
      "404 NOT_FOUND - no exchange 'nowhere'",
    );
    expect(await outcome).toBe('channel closed');
  });
});

onEachVersion('A mandatory message', (broker) => {
  it('that no queue takes comes back whole, with 312', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const returned = session.returns();
    const properties = { messageId: 'm1', contentType: 'text/plain', headers: { mine: 'yes' } };
    await session.publish(exchange, 'no.body', 'lost', { ...properties, mandatory: true });
    const message = await returned.one();
    expect(message).toMatchObject({
      fields: { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey: 'no.body' },
      properties,
    });
    expect(String(message.content)).toBe('lost');
  });

  it('comes back before its confirm', async () => {
    const session = await Session.open(broker);
    const order: string[] = [];
    session.channel.on('return', () => order.push('return'));
    for (const body of ['a', 'b']) {
      await session.publish('', fresh('nobody'), body, { mandatory: true });
      order.push('confirm');
    }
    expect(order).toEqual(['return', 'confirm', 'return', 'confirm']);
  });

  it('that a queue takes does not come back', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const returned = session.returns();
    await session.publish('', queue, 'x', { mandatory: true });
    expect(returned.all).toEqual([]);
  });

  it.each(['direct', 'fanout', 'topic', 'headers'])(
    'comes back from a %s exchange without bindings',
    async (type) => {
      const session = await Session.open(broker);
      const exchange = await session.exchange(type);
      const returned = session.returns();
      await session.publish(exchange, 'k', 'x', { mandatory: true });
      expect(returned.size).toBe(1);
    },
  );

  it('comes back on the channel that sent it, not on its sibling', async () => {
    const session = await Session.open(broker);
    const sibling = await session.sibling();
    const [mine, others] = [session.returns(), sibling.returns()];
    await session.publish('', fresh('nobody'), 'x', { mandatory: true });
    await sibling.publish('', fresh('nobody'), 'y');
    expect([mine.size, others.size]).toEqual([1, 0]);
  });

  it('with an empty body comes back as well', async () => {
    const session = await Session.open(broker);
    const returned = session.returns();
    await session.publish('', fresh('nobody'), '', { mandatory: true });
    expect((await returned.one()).content).toHaveLength(0);
  });

  it('that is refused by a full queue is nacked, not returned', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 0, overflow: 'reject-publish' });
    const returned = session.returns();
    await expect(session.publish('', queue, 'x', { mandatory: true })).rejects.toThrow('message nacked');
    expect(returned.all).toEqual([]);
  });

  it.each([
    [10, 30],
    [500, 1_000],
    [40, 200_000],
    [1, 5_000_000],
  ])(
    'are not waited for by a close right behind %d publishes of %d bytes, which ends well',
    async (count, size) => {
      const { connection, channel } = await Session.open(broker);
      const errors: unknown[] = [];
      connection.on('error', (error) => errors.push(error));
      for (let n = 0; n < count; n++) channel.publish('', 'nobody', Buffer.alloc(size), {}, () => undefined);
      await within(connection.close(), 'the connection to close');
      expect(errors).toEqual([]);
    },
  );
});
