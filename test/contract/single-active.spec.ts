// Single active consumer: one gets everything, the next takes over when it leaves.
import type { Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session, text } from './session.js';

interface Link {
  readonly stream: Socket;
}

onEachVersion('A queue with a single active consumer', (broker) => {
  const declare = (session: Session): Promise<string> =>
    session.queue({ arguments: { 'x-single-active-consumer': true } });

  it('gives everything to the first', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    const [first, second] = [await session.consume(queue), await session.consume(queue)];
    await session.send(queue, ['a', 'b', 'c']);
    expect(await first.bodies(3)).toEqual(['a', 'b', 'c']);
    expect(second.got.size).toBe(0);
  });

  it('makes the first wait at its prefetch, and the second does not help out', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.channel.prefetch(1);
    const [first, second] = [await session.consume(queue), await session.consume(queue)];
    await session.send(queue, ['a', 'b']);
    const message = await first.message();
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 1, consumerCount: 2 });
    session.channel.ack(message);
    expect(await first.bodies(1)).toEqual(['b']);
    expect(second.got.size).toBe(0);
  });

  it('goes on with the second when the first is cancelled', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    const [first, second] = [
      await session.consume(queue, { noAck: true }),
      await session.consume(queue, { noAck: true }),
    ];
    await session.send(queue, ['a']);
    await first.bodies(1);
    await session.channel.cancel(first.tag);
    await session.send(queue, ['b']);
    expect(await second.bodies(1)).toEqual(['b']);
  });

  it('goes on with the second when the connection of the first ends, unsettled messages first', async () => {
    const [one, two] = [await Session.open(broker), await Session.open(broker)];
    const queue = await declare(one);
    const first = await one.consume(queue);
    const second = await two.consume(queue);
    await two.send(queue, ['a', 'b']);
    await first.bodies(2);
    await one.connection.close();
    const taken = await second.got.take(2);
    expect(taken.map((message) => [text(message), message?.fields.redelivered])).toEqual([
      ['a', true],
      ['b', true],
    ]);
  });

  const lost = ({ connection }: Session): unknown =>
    (connection.connection as unknown as Link).stream.destroy(new Error('lost'));
  const ends: readonly (readonly [string, (session: Session) => unknown])[] = [
    ['its connection is closed', ({ connection }) => connection.close()],
    ['its connection is lost', lost],
    ['its channel is closed', ({ channel }) => channel.close()],
    ['its channel fails', ({ channel }) => channel.checkQueue('missing').catch(() => undefined)],
  ];
  const kinds = ['classic', 'quorum'].flatMap((type) => ends.map(([how, end]) => [type, how, end] as const));

  it.each(kinds)('of type %s goes on in the old order after the first: %s', async (type, _, end) => {
    const [one, two] = [await Session.open(broker), await Session.open(broker)];
    const queue = await one.queue({
      arguments: { 'x-single-active-consumer': true, 'x-queue-type': type },
    });
    await one.channel.prefetch(2);
    const first = await one.consume(queue);
    const second = await two.consume(queue);
    await two.send(queue, ['a', 'b', 'c', 'd']);
    await first.bodies(2);
    await end(one);
    expect(await second.bodies(4)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes on in the old order when the connection that ends had messages on two channels', async () => {
    // RabbitMQ ends the channels of a connection in no certain order.
    if (broker.kind === 'rabbitmq') return;
    const [one, two] = [await Session.open(broker), await Session.open(broker)];
    const queue = await declare(one);
    const beside = await one.sibling();
    await one.channel.prefetch(1);
    const first = await one.consume(queue);
    const second = await two.consume(queue);
    await two.send(queue, ['a', 'b', 'c', 'd']);
    await first.bodies(1);
    await beside.channel.get(queue);
    await one.connection.close();
    expect(await second.bodies(4)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps the order in which consumers came', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    const consumers = [];
    for (let n = 0; n < 3; n++) consumers.push(await session.consume(queue, { noAck: true }));
    for (const [n, consumer] of consumers.entries()) {
      await session.send(queue, [`to ${n}`]);
      expect(await consumer.bodies(1)).toEqual([`to ${n}`]);
      await session.channel.cancel(consumer.tag);
    }
  });

  it('lets somebody get messages beside the active consumer', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.send(queue, ['x']);
    expect(await session.drain(queue)).toEqual(['x']);
  });

  it('refuses an exclusive consumer with 403', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    expect(await channelRefusal(session.channel, () => session.consume(queue, { exclusive: true }))).toMatch(
      /^403 ACCESS_REFUSED - queue '.*' in vhost 'V' in exclusive use/,
    );
  });
});
