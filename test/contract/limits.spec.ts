// Queues with a length: who has to go, and who is told.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { Session } from './session.js';

onEachVersion('A queue with a length', (broker) => {
  it('drops from its head', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 2 });
    await session.send(queue, ['a', 'b', 'c', 'd']);
    expect(await session.drain(queue)).toEqual(['c', 'd']);
  });

  it('in bytes counts bodies and drops until the rest fits', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ arguments: { 'x-max-length-bytes': 10 } });
    await session.send(queue, ['aaaa', 'bbbb', 'cccccc', 'd']);
    expect(await session.drain(queue)).toEqual(['cccccc', 'd']);
  });

  it('in bytes drops even a single message that is too large', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ arguments: { 'x-max-length-bytes': 3 } });
    await session.send(queue, ['four']);
    expect(await session.drain(queue)).toEqual([]);
  });

  it('obeys the number and the bytes, whichever is reached first', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 3, arguments: { 'x-max-length-bytes': 4 } });
    await session.send(queue, ['a', 'b', 'c', 'd']);
    await session.send(queue, ['ee']);
    expect(await session.drain(queue)).toEqual(['c', 'd', 'ee']);
  });

  it('of zero keeps nothing', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 0 });
    await session.send(queue, ['a']);
    expect(await session.drain(queue)).toEqual([]);
  });

  it('of zero still passes messages to a waiting consumer', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 0 });
    const consumer = await session.consume(queue, { noAck: true });
    await session.send(queue, ['a', 'b']);
    expect(await consumer.bodies(2)).toEqual(['a', 'b']);
  });

  it('does not count what is delivered and not acked', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 1 });
    await session.send(queue, ['held']);
    const held = await session.channel.get(queue);
    await session.send(queue, ['next']);
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 1 });
    if (held) session.channel.ack(held);
    expect(await session.drain(queue)).toEqual(['next']);
  });

  it('drops the head again when a requeued message makes it too long', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 1 });
    await session.send(queue, ['held']);
    const held = await session.channel.get(queue);
    await session.send(queue, ['next']);
    if (held) session.channel.nack(held);
    expect(await session.drain(queue)).toEqual(['next']);
  });

  it('dead-letters what it drops, oldest first', async () => {
    const session = await Session.open(broker);
    const dead = await session.queue();
    const queue = await session.queue({ maxLength: 1, deadLetterExchange: '', deadLetterRoutingKey: dead });
    await session.send(queue, ['a', 'b', 'c']);
    expect(await (await session.consume(dead)).bodies(2)).toEqual(['a', 'b']);
    expect(await session.drain(queue)).toEqual(['c']);
  });

  it('and reject-publish nacks the publisher and keeps what it has', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 2, overflow: 'reject-publish' });
    await session.send(queue, ['a', 'b']);
    await expect(session.send(queue, ['c'])).rejects.toThrow('message nacked');
    expect(await session.drain(queue)).toEqual(['a', 'b']);
  });

  it('and reject-publish takes messages again once there is room', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 1, overflow: 'reject-publish' });
    await session.send(queue, ['a']);
    await expect(session.send(queue, ['b'])).rejects.toThrow('message nacked');
    await session.get(queue);
    await session.send(queue, ['c']);
    expect(await session.drain(queue)).toEqual(['c']);
  });

  it('and reject-publish nacks a message even when another queue took it', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout');
    const open = await session.bound(exchange, ['']);
    const full = await session.queue({ maxLength: 0, overflow: 'reject-publish' });
    await session.channel.bindQueue(full, exchange, '');
    await expect(session.publish(exchange, '', 'x')).rejects.toThrow('message nacked');
    expect(await session.drain(open)).toEqual(['x']);
  });

  it('and reject-publish without a dead-letter overflow does not dead-letter', async () => {
    const session = await Session.open(broker);
    const dead = await session.queue();
    const queue = await session.queue({
      maxLength: 1,
      overflow: 'reject-publish',
      deadLetterExchange: '',
      deadLetterRoutingKey: dead,
    });
    await session.send(queue, ['a']);
    await expect(session.send(queue, ['b'])).rejects.toThrow('message nacked');
    expect(await session.drain(dead)).toEqual([]);
  });

  it('and reject-publish-dlx nacks the publisher and dead-letters the new message', async () => {
    const session = await Session.open(broker);
    const dead = await session.queue();
    const queue = await session.queue({
      maxLength: 1,
      overflow: 'reject-publish-dlx',
      deadLetterExchange: '',
      deadLetterRoutingKey: dead,
    });
    await session.send(queue, ['a']);
    await expect(session.send(queue, ['b'])).rejects.toThrow('message nacked');
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['b']);
    expect(await session.drain(queue)).toEqual(['a']);
  });
});
