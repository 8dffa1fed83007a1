// Direct and fanout routing, and bindings as such: how many copies, which key, what a refused binding says.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session } from './session.js';

onEachVersion('Bindings', (broker) => {
  it('of a direct exchange take messages whose key is the same, letter by letter', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('direct');
    const queue = await session.bound(exchange, ['error', '', 'a.*']);
    for (const key of ['error', 'Error', 'error ', '', 'a.*', 'a.b', '#'])
      await session.publish(exchange, key, key);
    expect(await session.drain(queue)).toEqual(['error', '', 'a.*']);
  });

  it('of several queues with the same key give each a copy', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('direct');
    const queues = [await session.bound(exchange, ['k']), await session.bound(exchange, ['k'])];
    await session.publish(exchange, 'k', 'copy');
    for (const queue of queues) expect(await session.drain(queue)).toEqual(['copy']);
  });

  it.each([
    ['direct', ['k', 'k']],
    ['fanout', ['a', 'b']],
    ['topic', ['#', 'k', '*']],
  ] as const)('that match twice give a queue one copy: %s', async (type, keys) => {
    const session = await Session.open(broker);
    const exchange = await session.exchange(type);
    const queue = await session.bound(exchange, keys);
    await session.publish(exchange, 'k', 'once');
    expect(await session.drain(queue)).toEqual(['once']);
  });

  it('of a fanout exchange do not look at the key', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout');
    const queue = await session.bound(exchange, ['some.key']);
    for (const key of ['', 'other', 'some.key']) await session.publish(exchange, key, key);
    expect(await session.drain(queue)).toEqual(['', 'other', 'some.key']);
  });

  it('to the default exchange exist for every queue under its name', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.publish('', queue, 'by name');
    await session.publish('', `${queue}-other`, 'nowhere');
    expect(await session.drain(queue)).toEqual(['by name']);
  });

  it('can have a key of 255 bytes', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('direct');
    const key = 'k'.repeat(255);
    const queue = await session.bound(exchange, [key]);
    await session.publish(exchange, key, 'long');
    expect((await session.get(queue)) && 'arrived').toBe('arrived');
  });

  it('can be made twice and are gone after one unbind', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('direct');
    const queue = await session.bound(exchange, ['k', 'k']);
    await session.channel.unbindQueue(queue, exchange, 'k');
    await session.publish(exchange, 'k', 'too late');
    expect(await session.drain(queue)).toEqual([]);
  });

  it('that differ in their arguments are two bindings', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('direct');
    const queue = await session.bound(exchange, ['k'], { note: 1 });
    await session.channel.bindQueue(queue, exchange, 'k', { note: 2 });
    await session.channel.unbindQueue(queue, exchange, 'k', { note: 1 });
    await session.publish(exchange, 'k', 'by the second');
    expect(await session.drain(queue)).toEqual(['by the second']);
  });

  it('that do not exist can be unbound without complaint', async () => {
    const session = await Session.open(broker);
    const [exchange, queue] = [await session.exchange('direct'), await session.queue()];
    expect(await session.channel.unbindQueue(queue, exchange, 'never')).toEqual({});
  });

  it('leave the other keys alone when one is unbound', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const queue = await session.bound(exchange, ['a.*', 'b.*']);
    await session.channel.unbindQueue(queue, exchange, 'a.*');
    await session.publish(exchange, 'a.1', 'a');
    await session.publish(exchange, 'b.1', 'b');
    expect(await session.drain(queue)).toEqual(['b']);
  });

  it('name the queue and exchange that a message went through, not the binding', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const queue = await session.bound(exchange, ['a.#']);
    await session.publish(exchange, 'a.b.c', 'x');
    expect(await session.get(queue)).toMatchObject({ fields: { exchange, routingKey: 'a.b.c' } });
  });

  it('with an empty queue name mean the queue declared last on this channel', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.channel.bindQueue('', 'amq.direct', queue);
    await session.publish('amq.direct', queue, 'bound');
    expect(await session.drain(queue)).toEqual(['bound']);
  });

  it('with an empty queue name are refused with 404 when this channel has declared none', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.bindQueue('', 'amq.direct', 'k'))).toBe(
      '404 NOT_FOUND - no previously declared queue',
    );
  });

  it('of a queue that does not exist are refused with 404', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.bindQueue('nobody', 'amq.direct', 'k'))).toBe(
      "404 NOT_FOUND - no queue 'nobody' in vhost 'V'",
    );
  });

  it('to an exchange that does not exist are refused with 404', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    expect(
      await channelRefusal(session.channel, () => session.channel.bindQueue(queue, 'nowhere', 'k')),
    ).toBe("404 NOT_FOUND - no exchange 'nowhere' in vhost 'V'");
  });

  it('to the default exchange cannot be made', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    expect(await channelRefusal(session.channel, () => session.channel.bindQueue(queue, '', 'k'))).toBe(
      '403 ACCESS_REFUSED - operation not permitted on the default exchange',
    );
  });

  it('to the default exchange cannot be removed', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    expect(await channelRefusal(session.channel, () => session.channel.unbindQueue(queue, '', queue))).toBe(
      '403 ACCESS_REFUSED - operation not permitted on the default exchange',
    );
  });

  it('go with their queue', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout');
    const queue = await session.bound(exchange, ['']);
    await session.channel.deleteQueue(queue);
    await session.channel.assertQueue(queue);
    await session.publish(exchange, '', 'to nobody');
    expect(await session.drain(queue)).toEqual([]);
  });
});
