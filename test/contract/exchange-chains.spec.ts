// Messages that pass through more than one exchange: exchange-to-exchange bindings, alternate exchanges,
// and the sender's own CC and BCC.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, fresh, Session } from './session.js';

onEachVersion('Exchange-to-exchange bindings', (broker) => {
  it('pass on what matches, with the exchange and key that the publisher used', async () => {
    const session = await Session.open(broker);
    const [source, target] = [await session.exchange('topic'), await session.exchange('fanout')];
    await session.channel.bindExchange(target, source, 'eu.#');
    const queue = await session.bound(target, ['']);
    await session.publish(source, 'us.order', 'no');
    await session.publish(source, 'eu.order', 'yes');
    expect(await session.get(queue)).toMatchObject({
      fields: { exchange: source, routingKey: 'eu.order', messageCount: 0 },
    });
  });

  it('are matched anew by each exchange on the way', async () => {
    const session = await Session.open(broker);
    const [first, second, third] = [
      await session.exchange('topic'),
      await session.exchange('topic'),
      await session.exchange('direct'),
    ];
    await session.channel.bindExchange(second, first, '#');
    await session.channel.bindExchange(third, second, 'a.*');
    const queue = await session.bound(third, ['a.b']);
    for (const key of ['a.b', 'a.c', 'b.b']) await session.publish(first, key, key);
    expect(await session.drain(queue)).toEqual(['a.b']);
  });

  it('in a circle give each queue one copy', async () => {
    const session = await Session.open(broker);
    const [one, two] = [await session.exchange('fanout'), await session.exchange('fanout')];
    await session.channel.bindExchange(one, two, '');
    await session.channel.bindExchange(two, one, '');
    const queues = [await session.bound(one, ['']), await session.bound(two, [''])];
    await session.publish(one, '', 'once');
    for (const queue of queues) expect(await session.drain(queue)).toEqual(['once']);
  });

  it('that reach a queue on two ways give it one copy', async () => {
    const session = await Session.open(broker);
    const source = await session.exchange('fanout');
    const queue = await session.bound(source, ['']);
    for (const middle of [await session.exchange('fanout'), await session.exchange('fanout')]) {
      await session.channel.bindExchange(middle, source, '');
      await session.channel.bindQueue(queue, middle, '');
    }
    await session.publish(source, '', 'once');
    expect(await session.drain(queue)).toEqual(['once']);
  });

  it('end with an unbind', async () => {
    const session = await Session.open(broker);
    const [source, target] = [await session.exchange('direct'), await session.exchange('fanout')];
    const queue = await session.bound(target, ['']);
    await session.channel.bindExchange(target, source, 'k');
    await session.channel.unbindExchange(target, source, 'k');
    await session.publish(source, 'k', 'too late');
    expect(await session.drain(queue)).toEqual([]);
  });

  it('end when the target is deleted, and an auto-delete source goes with its last one', async () => {
    const session = await Session.open(broker);
    const source = await session.exchange('fanout', { autoDelete: true });
    const target = await session.exchange('fanout');
    await session.channel.bindExchange(target, source, '');
    await session.channel.deleteExchange(target);
    expect(await channelRefusal(session.channel, () => session.channel.checkExchange(source))).toContain(
      '404',
    );
  });

  it.each([
    ['source', (name: string) => [name, 'nowhere'] as const],
    ['target', (name: string) => ['nowhere', name] as const],
  ])('are refused with 404 when the %s does not exist', async (_, ends) => {
    const session = await Session.open(broker);
    const [target, source] = ends(await session.exchange('fanout'));
    expect(
      await channelRefusal(session.channel, () => session.channel.bindExchange(target, source, '')),
    ).toBe("404 NOT_FOUND - no exchange 'nowhere' in vhost 'V'");
  });

  it('cannot have the default exchange as an end', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout');
    expect(await channelRefusal(session.channel, () => session.channel.bindExchange(exchange, '', 'k'))).toBe(
      '403 ACCESS_REFUSED - operation not permitted on the default exchange',
    );
  });
});

onEachVersion('An alternate exchange', (broker) => {
  it('gets what the exchange cannot route, and only that', async () => {
    const session = await Session.open(broker);
    const spare = await session.exchange('fanout');
    const main = await session.exchange('direct', { alternateExchange: spare });
    const [routed, rest] = [await session.bound(main, ['known']), await session.bound(spare, [''])];
    await session.publish(main, 'known', 'known');
    await session.publish(main, 'unknown', 'unknown');
    expect(await session.drain(routed)).toEqual(['known']);
    expect(await session.drain(rest)).toEqual(['unknown']);
  });

  it('keeps the exchange and key that the publisher used', async () => {
    const session = await Session.open(broker);
    const spare = await session.exchange('fanout');
    const main = await session.exchange('direct', { alternateExchange: spare });
    const rest = await session.bound(spare, ['']);
    await session.publish(main, 'unknown', 'x');
    expect(await session.get(rest)).toMatchObject({ fields: { exchange: main, routingKey: 'unknown' } });
  });

  it('may have an alternate exchange itself', async () => {
    const session = await Session.open(broker);
    const last = await session.exchange('fanout');
    const middle = await session.exchange('direct', { alternateExchange: last });
    const main = await session.exchange('direct', { alternateExchange: middle });
    const queue = await session.bound(last, ['']);
    await session.publish(main, 'k', 'far');
    expect(await session.drain(queue)).toEqual(['far']);
  });

  it('that takes the message keeps a mandatory one from being returned', async () => {
    const session = await Session.open(broker);
    const spare = await session.exchange('fanout');
    const main = await session.exchange('direct', { alternateExchange: spare });
    const queue = await session.bound(spare, ['']);
    const returned = session.returns();
    await session.publish(main, 'unknown', 'x', { mandatory: true });
    expect(returned.all).toEqual([]);
    expect(await session.drain(queue)).toEqual(['x']);
  });

  it('that does not exist loses the message quietly, and returns it when mandatory', async () => {
    const session = await Session.open(broker);
    const main = await session.exchange('direct', { alternateExchange: fresh('missing') });
    const returned = session.returns();
    await session.publish(main, 'k', 'quiet');
    await session.publish(main, 'k', 'loud', { mandatory: true });
    expect(returned.all.map(({ content }) => String(content))).toEqual(['loud']);
  });

  it('is used once in a circle of alternates', async () => {
    const session = await Session.open(broker);
    const [one, two] = [fresh('exchange'), fresh('exchange')];
    await session.channel.assertExchange(one, 'direct', { durable: false, alternateExchange: two });
    await session.channel.assertExchange(two, 'direct', { durable: false, alternateExchange: one });
    const returned = session.returns();
    await session.publish(one, 'k', 'x', { mandatory: true });
    expect(returned.size).toBe(1);
  });
});

onEachVersion('CC and BCC', (broker) => {
  it('add routing keys; CC stays visible, BCC does not', async () => {
    const session = await Session.open(broker);
    const queues = [await session.queue(), await session.queue(), await session.queue()] as const;
    await session.publish('', queues[0], 'x', { CC: [queues[1]], BCC: [queues[2]] });
    for (const queue of queues) {
      const message = await session.get(queue);
      expect(message && message.properties.headers).toEqual({ CC: [queues[1]] });
      expect(message && message.fields.routingKey).toBe(queues[0]);
    }
  });

  it('that name the same queue again give it one copy', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.publish('', queue, 'x', { CC: [queue, queue], BCC: [queue] });
    expect(await session.drain(queue)).toEqual(['x']);
  });

  it('are matched by a topic exchange like the key', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const queue = await session.bound(exchange, ['b.*']);
    await session.publish(exchange, 'a.1', 'x', { CC: ['c.1', 'b.1'] });
    expect(await session.drain(queue)).toEqual(['x']);
  });

  it('keep a mandatory message from being returned when only they are routed', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const returned = session.returns();
    await session.publish('', fresh('missing'), 'x', { CC: [queue], mandatory: true });
    expect(returned.all).toEqual([]);
    expect(await session.drain(queue)).toEqual(['x']);
  });

  it.each(['CC', 'BCC'])('that are no list are refused with 406: %s', async (name) => {
    const { channel } = await Session.open(broker);
    expect(
      await channelRefusal(channel, () =>
        channel.publish('', 'q', Buffer.from('x'), { headers: { [name]: 'q2' } }),
      ),
    ).toBe(`406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"${name}",longstr}`);
  });
});
