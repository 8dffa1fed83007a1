// What ends with what: exclusive and auto-delete queues, consumers of a deleted queue, channels after an error,
// vhosts that know nothing of each other.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { nextEvent, until } from '../support/events.js';
import { channelRefusal, fresh, Session } from './session.js';

const LOCKED = (queue: string): string =>
  `405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost 'V'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`;

onEachVersion('An exclusive queue', (broker) => {
  it.each<[string, (session: Session, queue: string) => unknown]>([
    ['declare', ({ channel }, queue) => channel.assertQueue(queue, { exclusive: true })],
    ['passive declare', ({ channel }, queue) => channel.checkQueue(queue)],
    ['consume', ({ channel }, queue) => channel.consume(queue, () => undefined)],
    ['get', ({ channel }, queue) => channel.get(queue)],
    ['bind', ({ channel }, queue) => channel.bindQueue(queue, 'amq.direct', 'k')],
    ['purge', ({ channel }, queue) => channel.purgeQueue(queue)],
    ['delete', ({ channel }, queue) => channel.deleteQueue(queue)],
  ])('is locked for other connections: %s is refused with 405', async (_, act) => {
    const [owner, other] = [await Session.open(broker), await Session.open(broker)];
    const queue = await owner.queue({ exclusive: true });
    expect(await channelRefusal(other.channel, () => act(other, queue))).toBe(LOCKED(queue));
  });

  it('belongs to the connection, not to the channel', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ exclusive: true });
    const sibling = await session.sibling();
    await session.channel.close();
    await expect(sibling.channel.checkQueue(queue)).resolves.toMatchObject({ queue });
  });

  it('can be published to by anybody', async () => {
    const [owner, other] = [await Session.open(broker), await Session.open(broker)];
    const queue = await owner.queue({ exclusive: true });
    await other.send(queue, ['x']);
    expect(await owner.drain(queue)).toEqual(['x']);
  });

  it('goes with its connection, and its name is free', async () => {
    const [owner, other] = [await Session.open(broker), await Session.open(broker)];
    const queue = await owner.queue({ exclusive: true });
    await owner.connection.close();
    await until(async () => {
      const probe = await other.sibling();
      return probe.channel.checkQueue(queue).then(
        () => probe.channel.close().then(() => false),
        () => true,
      );
    }, 'the exclusive queue to go');
    await expect(other.channel.assertQueue(queue)).resolves.toMatchObject({
      messageCount: 0,
    });
  });

  it('does not dead-letter when it goes', async () => {
    const [owner, other] = [await Session.open(broker), await Session.open(broker)];
    const dead = await other.queue();
    const queue = await owner.queue({ exclusive: true, deadLetterExchange: '', deadLetterRoutingKey: dead });
    await owner.send(queue, ['x']);
    await owner.connection.close();
    expect(await other.drain(dead)).toEqual([]);
  });
});

onEachVersion('An auto-delete queue', (broker) => {
  it('goes when its last consumer is cancelled', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ autoDelete: true });
    const consumers = [await session.consume(queue), await session.consume(queue)] as const;
    await session.channel.cancel(consumers[0].tag);
    await session.channel.checkQueue(queue);
    await session.channel.cancel(consumers[1].tag);
    expect(await channelRefusal(session.channel, () => session.channel.checkQueue(queue))).toContain('404');
  });

  it('goes when the channel of its last consumer closes', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ autoDelete: true });
    const sibling = await session.sibling();
    await sibling.consume(queue);
    await sibling.channel.close();
    const returned = session.returns();
    await until(async () => {
      // RabbitMQ 4 may nack what arrives while the queue goes.
      await session.publish('', queue, 'x', { mandatory: true }).catch(() => undefined);
      return returned.size > 0;
    }, 'the queue to go');
  });

  it('stays while nobody has ever consumed', async () => {
    const [owner, other] = [await Session.open(broker), await Session.open(broker)];
    const queue = await owner.queue({ autoDelete: true });
    await owner.connection.close();
    await expect(other.channel.checkQueue(queue)).resolves.toMatchObject({ queue });
  });
});

onEachVersion('A deleted queue', (broker) => {
  it('tells its consumers, and they get nothing more', async () => {
    const [owner, other] = [await Session.open(broker), await Session.open(broker)];
    const queue = await owner.queue();
    const consumers = [await owner.consume(queue), await other.consume(queue)];
    await owner.channel.deleteQueue(queue);
    for (const consumer of consumers) expect(await consumer.got.one()).toBeNull();
  });

  it('tells the channel which consumer it was', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const { tag } = await session.consume(queue);
    const cancelled = nextEvent<{ consumerTag: string }>(session.channel, 'cancel');
    await session.channel.deleteQueue(queue);
    expect(await cancelled).toMatchObject({ consumerTag: tag });
  });

  it('leaves the channel and its other consumers alone', async () => {
    const session = await Session.open(broker);
    const [gone, stays] = [await session.queue(), await session.queue()];
    await session.consume(gone);
    const consumer = await session.consume(stays);
    await session.channel.deleteQueue(gone);
    await session.send(stays, ['x']);
    expect(await consumer.bodies(1)).toEqual(['x']);
  });

  it('still lets a consumer ack what it had', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const consumer = await session.consume(queue);
    await session.send(queue, ['x']);
    const message = await consumer.message();
    await session.channel.deleteQueue(queue);
    session.channel.ack(message);
    expect(await session.channel.checkExchange('amq.direct')).toEqual({});
  });
});

onEachVersion('A channel', (broker) => {
  it('that is closed by an error leaves its siblings and their consumers alone', async () => {
    const session = await Session.open(broker);
    const sibling = await session.sibling();
    const queue = await session.queue();
    const consumer = await sibling.consume(queue);
    await channelRefusal(session.channel, () => session.channel.checkQueue('nobody'));
    await sibling.send(queue, ['x']);
    expect(await consumer.bodies(1)).toEqual(['x']);
  });

  it('that closes ends its consumers', async () => {
    const session = await Session.open(broker);
    const sibling = await session.sibling();
    const queue = await session.queue();
    await sibling.consume(queue);
    await sibling.channel.close();
    expect(await session.channel.checkQueue(queue)).toMatchObject({ consumerCount: 0 });
  });

  it('is one of many on its connection', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const channels = await Promise.all(Array.from({ length: 60 }, () => session.sibling()));
    await Promise.all(channels.map((one, n) => one.send(queue, [String(n)])));
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 60 });
  });

  it('confirms and delivers in order while others are busy', async () => {
    const session = await Session.open(broker);
    const queues = await Promise.all([1, 2, 3].map(() => session.queue()));
    const bodies = Array.from({ length: 100 }, (_, n) => String(n));
    await Promise.all(queues.map(async (queue) => (await session.sibling()).send(queue, bodies)));
    for (const queue of queues) expect(await (await session.consume(queue)).bodies(100)).toEqual(bodies);
  });
});

onEachVersion('A vhost', (broker) => {
  it('knows nothing of the exchanges and queues of another', async () => {
    const here = await Session.open(broker);
    const there = await Session.open(broker, { url: await broker.addVhost() });
    const name = fresh('both');
    await here.channel.assertQueue(name);
    await there.channel.assertQueue(name, { durable: true, maxLength: 3 });
    await here.send(name, ['here']);
    expect(await there.drain(name)).toEqual([]);
    expect(await here.drain(name)).toEqual(['here']);
    const exchange = await here.exchange('fanout');
    expect(await channelRefusal(there.channel, () => there.channel.checkExchange(exchange))).toContain('404');
  });
});
