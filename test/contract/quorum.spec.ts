// Quorum queues as a client sees them: their declaration rules, delivery count and limit. Replication is not
// something that a client can see.
import { expect, it } from '@jest/globals';
import type { ConsumeMessage } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, connectionRefusal, fresh, Session, text, type TestConsumer } from './session.js';

onEachVersion('A quorum queue', (broker) => {
  const declare = (session: Session, args: object = {}): Promise<string> =>
    session.queue({ durable: true, arguments: { 'x-queue-type': 'quorum', ...args } });
  const count = (message: ConsumeMessage): unknown => message.properties.headers?.['x-delivery-count'];

  it('passes messages in order', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.send(queue, ['a', 'b', 'c']);
    expect(await (await session.consume(queue)).bodies(3)).toEqual(['a', 'b', 'c']);
  });

  it.each<[string, object, string]>([
    ['not durable', { durable: false }, "invalid property 'non-durable' for queue 'NAME' in vhost 'V'"],
    [
      'exclusive',
      { durable: true, exclusive: true },
      "invalid property 'exclusive-owner' for queue 'NAME' in vhost 'V'",
    ],
    [
      'auto-delete',
      { durable: true, autoDelete: true },
      "invalid property 'auto-delete' for queue 'NAME' in vhost 'V'",
    ],
  ])('cannot be %s', async (kind, options, expected) => {
    // The tests' node of RabbitMQ 4 refuses queues that are neither durable nor exclusive before it looks at their type.
    if (kind === 'not durable' && broker.kind === 'rabbitmq' && broker.since('4.0')) return;
    const { channel } = await Session.open(broker);
    const name = fresh('queue');
    const declared = { ...options, arguments: { 'x-queue-type': 'quorum' } };
    expect(await channelRefusal(channel, () => channel.assertQueue(name, declared))).toBe(
      `406 PRECONDITION_FAILED - ${expected.replace('NAME', name)}`,
    );
  });

  it('is another queue than a classic one of that name: 406', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    expect(
      await channelRefusal(session.channel, () => session.channel.assertQueue(queue, { durable: true })),
    ).toBe(
      `406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '${queue}' in vhost 'V': ${
        broker.since('4.0')
          ? "received 'classic' but current is 'quorum'"
          : "received none but current is the value 'quorum' of type 'longstr'"
      }`,
    );
  });

  it('counts a delivery to a client that went away', async () => {
    const [one, two] = [await Session.open(broker), await Session.open(broker)];
    const queue = await declare(one);
    await one.send(queue, ['x']);
    await (await one.consume(queue)).message();
    await one.connection.close();
    const again = await (await two.consume(queue)).message();
    expect([count(again), again.fields.redelivered]).toEqual([1, true]);
  });

  const wornOut = async (
    session: Session,
    args: object,
  ): Promise<{ consumer: TestConsumer; queue: string }> => {
    const queue = await declare(session, args);
    const consumer = await session.consume(queue);
    await session.send(queue, ['poison']);
    for (let n = 0; n < 3; n++) session.channel.reject(await consumer.message(), true);
    return { consumer, queue };
  };

  it('drops a message that came back more often than its limit', async () => {
    const session = await Session.open(broker);
    const { consumer, queue } = await wornOut(session, { 'x-delivery-limit': 2 });
    await session.send(queue, ['good']);
    expect(text(await consumer.message())).toBe('good');
  });

  it('dead-letters it when there is somewhere to go, and says delivery_limit', async () => {
    const session = await Session.open(broker);
    const dead = await session.queue();
    const { queue } = await wornOut(session, {
      'x-delivery-limit': 2,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    });
    const message = await (await session.consume(dead)).message();
    expect(message.properties.headers?.['x-death']).toMatchObject([
      { reason: 'delivery_limit', queue, count: 1 },
    ]);
  });

  it('drops from its head when it is too long', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session, { 'x-max-length': 2 });
    await session.send(queue, ['a', 'b', 'c']);
    expect(await (await session.consume(queue)).bodies(2)).toEqual(['b', 'c']);
  });

  it('lets messages expire', async () => {
    const session = await Session.open(broker);
    const dead = await session.queue();
    const queue = await declare(session, {
      'x-message-ttl': 20,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    });
    await session.send(queue, ['x']);
    const message = await (await session.consume(dead)).message();
    expect(message.properties.headers?.['x-death']).toMatchObject([{ reason: 'expired', queue }]);
  });

  it('ignores priorities, since 4.0 has two, and since 4.3 has 32; none is 4', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    for (const priority of [0, 1, 4, 5, 9, 255])
      await session.publish('', queue, String(priority), { priority });
    await session.publish('', queue, 'none');
    const order = broker.since('4.3')
      ? '255 9 5 4 none 1 0'
      : broker.since('4.0')
        ? '5 9 0 255 1 4 none'
        : '0 1 4 5 9 255 none';
    expect((await session.drain(queue)).join(' ')).toBe(order);
  });

  it('obeys a single active consumer', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session, { 'x-single-active-consumer': true });
    const [first, second] = [await session.consume(queue), await session.consume(queue)];
    await session.send(queue, ['a', 'b']);
    expect(await first.bodies(2)).toEqual(['a', 'b']);
    expect(second.got.size).toBe(0);
  });

  const SINGLE = { 'x-single-active-consumer': true };

  it.each(['nothing', 'a message'])(
    'lets a single active consumer that holds %s go on when another has a higher priority, until 4.0',
    async (held) => {
      const session = await Session.open(broker);
      const queue = await declare(session, SINGLE);
      const first = await session.consume(queue);
      if (held === 'a message') await session.send(queue, ['a']);
      const message = held === 'a message' ? await first.message() : undefined;
      const second = await session.consume(queue, { priority: 10 });
      await session.send(queue, ['b']);
      if (!broker.since('4.0')) {
        expect(await first.bodies(1)).toEqual(['b']);
        return;
      }
      if (message) {
        // Answered after the message would have been delivered.
        await session.channel.checkQueue(queue);
        expect([first.got.size, second.got.size]).toEqual([1, 0]);
        session.channel.ack(message);
      }
      expect(await second.bodies(1)).toEqual(['b']);
      expect(first.got.size).toBe(message ? 1 : 0);
    },
  );

  it('hands what a single active consumer gives back to one of higher priority, until 4.0 to the same', async () => {
    // RabbitMQ 4.0 and 4.1 forget to hand over then; the queue stands still.
    if (broker.since('4.0') && !broker.since('4.2')) return;
    const session = await Session.open(broker);
    const queue = await declare(session, SINGLE);
    const first = await session.consume(queue);
    await session.send(queue, ['a']);
    const message = await first.message();
    const second = await session.consume(queue, { priority: 10 });
    session.channel.nack(message);
    expect(await (broker.since('4.0') ? second : first).bodies(1)).toEqual(['a']);
  });

  it.each(['classic', 'quorum'])(
    'of type %s has the next active consumer by priority, a quorum queue until 4.0 by arrival',
    async (type) => {
      const session = await Session.open(broker);
      const queue = await session.queue({ arguments: { 'x-queue-type': type, ...SINGLE } });
      const first = await session.consume(queue, { priority: 10 });
      const second = await session.consume(queue);
      const third = await session.consume(queue, { priority: 5 });
      await session.channel.cancel(first.tag);
      await session.send(queue, ['a']);
      const next = type === 'quorum' && !broker.since('4.0') ? second : third;
      expect(await next.bodies(1)).toEqual(['a']);
    },
  );

  it('with a single active consumer refuses basic.get: 405, over HTTP 400', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session, SINGLE);
    await session.send(queue, ['a']);
    const quorum = broker.since('4.3') ? '<<"quorum">>' : 'quorum';
    const reason = `cannot obtain access to locked queue '${queue}' in vhost 'V'. basic.get operations are not supported by ${quorum} queues with single active consumer`;
    expect(await channelRefusal(session.channel, () => session.channel.get(queue))).toBe(
      `405 RESOURCE_LOCKED - ${reason}`,
    );
    const asked = { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' };
    expect(await broker.http('POST', `/queues/${broker.vhostPath}/${queue}/get`, asked)).toMatchObject({
      status: 400,
      body: { error: 'bad_request', reason: expect.stringContaining('queues with single active consumer') },
    });
    expect(await (await (await Session.open(broker)).consume(queue)).bodies(1)).toEqual(['a']);
  });

  it('refuses a channel with a global prefetch, until it is one for each consumer: 540', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.channel.prefetch(5, true);
    // 4.0 does the one or the other, as it is set up.
    if (broker.since('4.0')) return;
    expect(await connectionRefusal(session.connection, () => session.consume(queue))).toBe(
      `540 NOT_IMPLEMENTED - queue '${queue}' in vhost 'V' does not support global qos`,
    );
  });

  it('can be purged and deleted', async () => {
    const session = await Session.open(broker);
    const queue = await declare(session);
    await session.send(queue, ['a', 'b']);
    expect(await session.channel.purgeQueue(queue)).toEqual({ messageCount: 2 });
    expect(await session.channel.deleteQueue(queue)).toEqual({ messageCount: 0 });
  });
});

onEachVersion('A quorum queue that hands over at least once', (broker) => {
  const LEAST = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };
  const waiting = (session: Session, exchange: string, args: object = {}): Promise<string> =>
    session.queue({
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-message-ttl': 20,
        'x-dead-letter-exchange': exchange,
        'x-expires': 60_000,
        ...LEAST,
        ...args,
      },
    });

  it('dead-letters what expires, with its key and where it was', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('direct');
    const entry = await session.exchange('fanout');
    const dead = await session.bound(exchange, ['key']);
    const queue = await waiting(session, exchange);
    await session.channel.bindQueue(queue, entry, '');
    await session.publish(entry, 'key', 'x', { persistent: true });
    const message = await (await session.consume(dead)).message();
    expect(message.fields).toMatchObject({ exchange, routingKey: 'key' });
    expect(message.properties.headers).toMatchObject({
      'x-death': [{ count: 1, reason: 'expired', queue, exchange: entry, 'routing-keys': ['key'] }],
    });
    expect(message.properties.headers).not.toHaveProperty('x-delivery-count');
  });

  it('follows the alternate exchange of its dead letter exchange', async () => {
    const session = await Session.open(broker);
    const alternate = await session.exchange('fanout');
    const exchange = await session.exchange('direct', { alternateExchange: alternate });
    const [known, orphans] = [await session.bound(exchange, ['known']), await session.bound(alternate, [''])];
    const entry = await session.exchange('fanout');
    await session.channel.bindQueue(await waiting(session, exchange), entry, '');
    // More than RabbitMQ has under way at once.
    for (let n = 0; n < 40; n++) await session.publish(entry, 'unknown', String(n), { persistent: true });
    await session.publish(entry, 'known', 'x', { persistent: true });
    expect(await (await session.consume(known)).bodies(1)).toEqual(['x']);
    expect(await (await session.consume(orphans)).bodies(40)).toEqual(
      Array.from({ length: 40 }, (_, n) => String(n)),
    );
  });

  it('is another queue than one that hands over at most once: 406', async () => {
    const session = await Session.open(broker);
    const queue = await waiting(session, '');
    const other = { 'x-queue-type': 'quorum', 'x-message-ttl': 20, 'x-dead-letter-exchange': '' };
    const declared = {
      durable: true,
      arguments: { ...other, 'x-expires': 60_000, 'x-overflow': 'reject-publish' },
    };
    expect(
      await channelRefusal(session.channel, () => session.channel.assertQueue(queue, declared)),
    ).toContain("inequivalent arg 'x-dead-letter-strategy'");
  });

  it('must be a quorum queue: a classic one with that strategy is refused', async () => {
    const { channel } = await Session.open(broker);
    const declared = { durable: true, arguments: { 'x-queue-type': 'classic', ...LEAST } };
    expect(await channelRefusal(channel, () => channel.assertQueue(fresh('queue'), declared))).toContain(
      "invalid arg 'x-dead-letter-strategy'",
    );
  });
});
