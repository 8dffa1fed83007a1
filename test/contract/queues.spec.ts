// Queues as things that are declared, compared, counted, purged and deleted.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, fresh, Session } from './session.js';

onEachVersion('Queues', (broker) => {
  it('without a name get one from the broker, another one each time', async () => {
    const { channel } = await Session.open(broker);
    const names = [(await channel.assertQueue('')).queue, (await channel.assertQueue('')).queue];
    for (const name of names) expect(name).toMatch(/^amq\.gen-[A-Za-z0-9_-]{22}$/);
    expect(names[0]).not.toBe(names[1]);
  });

  it('with a name from the broker can be declared again by it', async () => {
    const { channel } = await Session.open(broker);
    const { queue } = await channel.assertQueue('');
    await expect(channel.checkQueue(queue)).resolves.toMatchObject({ queue });
  });

  it('with a reserved name are refused with 403', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.assertQueue('amq.mine'))).toBe(
      "403 ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
    );
  });

  it('may have any letters in their names', async () => {
    const session = await Session.open(broker);
    const name = 'Schlange für "alles" #*/\u{1F407}';
    await session.channel.assertQueue(name);
    await session.send(name, ['x']);
    expect(await session.get(name)).toMatchObject({ fields: { routingKey: name } });
  });

  it('lose line ends in their names when they are declared, bound and deleted, and nowhere else', async () => {
    const session = await Session.open(broker);
    const [name, broken] = [
      fresh('line'),
      (text: string): string => `${text.slice(0, 2)}\r\n${text.slice(2)}`,
    ];
    expect(await session.channel.assertQueue(broken(name))).toMatchObject({ queue: name });
    expect(await session.channel.checkQueue(broken(name))).toMatchObject({ queue: name });
    const exchange = fresh('exchange');
    await session.channel.assertExchange(broken(exchange), 'fanout');
    await session.channel.bindQueue(broken(name), broken(exchange), '');
    await session.publish(exchange, '', 'x');
    expect(await session.drain(name)).toEqual(['x']);
    await session.publish('', broken(name), 'lost');
    expect(await session.drain(name)).toEqual([]);
    const other = await session.sibling();
    expect(await channelRefusal(other.channel, () => other.channel.get(broken(name)))).toMatch(
      /^404 NOT_FOUND/,
    );
    await session.channel.deleteQueue(broken(name));
    expect(await channelRefusal(session.channel, () => session.channel.checkQueue(name))).toMatch(/^404/);
  });

  it('tell their ready messages and consumers when they are declared again', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a', 'b', 'c']);
    expect(await session.channel.assertQueue(queue)).toEqual({
      queue,
      messageCount: 3,
      consumerCount: 0,
    });
    const consumer = await session.consume(queue);
    await consumer.bodies(3);
    expect(await session.channel.checkQueue(queue)).toEqual({ queue, messageCount: 0, consumerCount: 1 });
  });

  it.each([
    [
      'durable',
      { durable: false },
      "'durable' for queue 'NAME' in vhost 'V': received 'false' but current is 'true'",
    ],
    [
      'auto-delete',
      { autoDelete: true },
      "'auto_delete' for queue 'NAME' in vhost 'V': received 'true' but current is 'false'",
    ],
    [
      'a time to live',
      { messageTtl: 1000 },
      "'x-message-ttl' for queue 'NAME' in vhost 'V': received the value '1000' of type 'short' but current is none",
    ],
    [
      'a dead-letter exchange',
      { deadLetterExchange: 'dlx' },
      "'x-dead-letter-exchange' for queue 'NAME' in vhost 'V': received the value 'dlx' of type 'longstr' but current is none",
    ],
    [
      'a priority limit',
      { maxPriority: 5 },
      "'x-max-priority' for queue 'NAME' in vhost 'V': received the value '5' of type 'byte' but current is none",
    ],
    [
      'a length limit',
      { maxLength: 5 },
      "'x-max-length' for queue 'NAME' in vhost 'V': received the value '5' of type 'byte' but current is none",
    ],
  ])(
    'declared again with a different setting are refused with 406 that names it: %s',
    async (_, options, difference) => {
      const session = await Session.open(broker);
      const name = await session.queue();
      const refusal = await channelRefusal(session.channel, () => session.channel.assertQueue(name, options));
      expect(refusal).toBe(`406 PRECONDITION_FAILED - inequivalent arg ${difference.replace('NAME', name)}`);
    },
  );

  it('name both values when an argument is another one', async () => {
    const session = await Session.open(broker);
    const name = await session.queue({ messageTtl: 1000 });
    expect(
      await channelRefusal(session.channel, () => session.channel.assertQueue(name, { messageTtl: 2000 })),
    ).toBe(
      `406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '${name}' in vhost 'V': received '2000' but current is '1000'`,
    );
  });

  it('name the type as an argument when a classic queue is declared as a quorum queue', async () => {
    const session = await Session.open(broker);
    const name = await session.queue();
    const quorum = { durable: true, arguments: { 'x-queue-type': 'quorum' } };
    expect(await channelRefusal(session.channel, () => session.channel.assertQueue(name, quorum))).toBe(
      `406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '${name}' in vhost 'V': ${
        broker.since('4.0')
          ? "received 'quorum' but current is 'classic'"
          : "received the value 'quorum' of type 'longstr' but current is none"
      }`,
    );
  });

  it('name an argument that is missing in the second declaration', async () => {
    const session = await Session.open(broker);
    const name = await session.queue({ maxLength: 10 });
    expect(await channelRefusal(session.channel, () => session.channel.assertQueue(name))).toBe(
      `406 PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '${name}' in vhost 'V': received none but current is the value '10' of type 'byte'`,
    );
  });

  it('compare numbers by value, not by their type on the wire', async () => {
    const session = await Session.open(broker);
    const name = await session.queue({ arguments: { 'x-max-length': { '!': 'long', value: 10 } } });
    await expect(session.channel.assertQueue(name, { maxLength: 10 })).resolves.toMatchObject({
      queue: name,
    });
  });

  it('ignore arguments that they do not know, also when they differ', async () => {
    const session = await Session.open(broker);
    const name = await session.queue({ arguments: { 'x-mine': 'a' } });
    await expect(session.channel.assertQueue(name, { arguments: { 'x-mine': 'b' } })).resolves.toMatchObject({
      queue: name,
    });
  });

  it('that do not exist fail a passive declare with 404', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.checkQueue('nobody'))).toBe(
      "404 NOT_FOUND - no queue 'nobody' in vhost 'V'",
    );
  });

  it('accept a passive declare whatever their settings are', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ maxLength: 3, autoDelete: true });
    await expect(session.channel.checkQueue(queue)).resolves.toMatchObject({ queue });
  });
});

onEachVersion('Purging and deleting a queue', (broker) => {
  it('purge drops what is ready and tells how many', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a', 'b', 'c']);
    expect(await session.channel.purgeQueue(queue)).toEqual({ messageCount: 3 });
    expect(await session.drain(queue)).toEqual([]);
  });

  it('purge leaves what is delivered and not acked', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['held', 'ready']);
    const held = await session.channel.get(queue);
    expect(await session.channel.purgeQueue(queue)).toEqual({ messageCount: 1 });
    if (held) session.channel.nack(held);
    expect(await session.drain(queue)).toEqual(['held']);
  });

  it('purge of a queue that does not exist is refused with 404', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.purgeQueue('nobody'))).toBe(
      "404 NOT_FOUND - no queue 'nobody' in vhost 'V'",
    );
  });

  it('delete tells how many messages went with it', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a', 'b']);
    expect(await session.channel.deleteQueue(queue)).toEqual({ messageCount: 2 });
  });

  it('delete of a queue that does not exist succeeds with none', async () => {
    const { channel } = await Session.open(broker);
    expect(await channel.deleteQueue(fresh('never'))).toEqual({ messageCount: 0 });
  });

  it('delete with if-empty is refused with 406 while a message is ready', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a']);
    expect(
      await channelRefusal(session.channel, () => session.channel.deleteQueue(queue, { ifEmpty: true })),
    ).toBe(`406 PRECONDITION_FAILED - queue '${queue}' in vhost 'V' not empty`);
  });

  it('delete with if-unused is refused with 406 while somebody consumes', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.consume(queue);
    expect(
      await channelRefusal(session.channel, () => session.channel.deleteQueue(queue, { ifUnused: true })),
    ).toBe(`406 PRECONDITION_FAILED - queue '${queue}' in vhost 'V' in use`);
  });

  it('delete with both conditions works on an idle, empty queue', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    expect(await session.channel.deleteQueue(queue, { ifUnused: true, ifEmpty: true })).toEqual({
      messageCount: 0,
    });
    expect(await channelRefusal(session.channel, () => session.channel.checkQueue(queue))).toContain('404');
  });

  it('a queue declared again after its deletion is empty', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.send(queue, ['a']);
    await session.channel.deleteQueue(queue);
    await session.channel.assertQueue(queue, { maxLength: 1 });
    expect(await session.drain(queue)).toEqual([]);
  });
});
