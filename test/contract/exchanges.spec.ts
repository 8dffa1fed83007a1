// Exchanges as things that are declared, compared, used up and deleted; what they route is in other files.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, connectionRefusal, fresh, Session } from './session.js';

const predeclared = [
  'amq.direct',
  'amq.fanout',
  'amq.topic',
  'amq.headers',
  'amq.match',
  'amq.rabbitmq.trace',
];

onEachVersion('Exchanges', (broker) => {
  it.each(predeclared)('are there from the start: %s', async (name) => {
    const { channel } = await Session.open(broker);
    expect(await channel.checkExchange(name)).toEqual({});
  });

  it('that are declared again with the same settings are the same exchange', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic', { durable: true });
    const queue = await session.bound(exchange, ['key']);
    await session.channel.assertExchange(exchange, 'topic', { durable: true });
    await session.publish(exchange, 'key', 'still bound');
    expect(await session.drain(queue)).toEqual(['still bound']);
  });

  it.each([
    [
      'another type',
      'direct',
      { durable: false },
      "inequivalent arg 'type' for exchange 'NAME' in vhost 'V': received 'direct' but current is 'fanout'",
    ],
    [
      'another durability',
      'fanout',
      { durable: true },
      "inequivalent arg 'durable' for exchange 'NAME' in vhost 'V': received 'true' but current is 'false'",
    ],
    [
      'another auto-delete',
      'fanout',
      { durable: false, autoDelete: true },
      "inequivalent arg 'auto_delete' for exchange 'NAME' in vhost 'V': received 'true' but current is 'false'",
    ],
    [
      'another internal flag',
      'fanout',
      { durable: false, internal: true },
      "inequivalent arg 'internal' for exchange 'NAME' in vhost 'V': received 'true' but current is 'false'",
    ],
    [
      'an alternate exchange that it did not have',
      'fanout',
      { durable: false, alternateExchange: 'amq.fanout' },
      "inequivalent arg 'alternate-exchange' for exchange 'NAME' in vhost 'V': received the value 'amq.fanout' of type 'longstr' but current is none",
    ],
  ])('that are declared again with %s are refused with 406', async (_, type, options, text) => {
    const session = await Session.open(broker);
    const name = await session.exchange('fanout');
    const refusal = await channelRefusal(session.channel, () =>
      session.channel.assertExchange(name, type, options),
    );
    expect(refusal).toBe(`406 PRECONDITION_FAILED - ${text.replace('NAME', name)}`);
  });

  it.each([
    [
      'a name with the reserved prefix',
      'amq.mine',
      'fanout',
      "403 ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
    ],
    [
      'the name of the default exchange',
      '',
      'direct',
      '403 ACCESS_REFUSED - operation not permitted on the default exchange',
    ],
  ])('cannot be declared with %s', async (_, name, type, expected) => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.assertExchange(name, type, { durable: false }))).toBe(
      expected,
    );
  });

  it('of an unknown type are refused: 406, until 4.0 503, which ends the connection', async () => {
    const { channel, connection } = await Session.open(broker);
    const declare = (): unknown => channel.assertExchange(fresh('exchange'), 'no-such-type');
    if (broker.since('4.0'))
      expect(await channelRefusal(channel, declare)).toBe(
        "406 PRECONDITION_FAILED - unknown exchange type 'no-such-type'",
      );
    else
      expect(await connectionRefusal(connection, declare)).toBe(
        "503 COMMAND_INVALID - unknown exchange type 'no-such-type'",
      );
  });

  it('that do not exist fail a passive declare with 404', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.checkExchange('nowhere'))).toBe(
      "404 NOT_FOUND - no exchange 'nowhere' in vhost 'V'",
    );
  });

  it('that do not exist can be deleted without complaint', async () => {
    const { channel } = await Session.open(broker);
    expect(await channel.deleteExchange('never-declared')).toEqual({});
  });

  it('are not deleted with if-unused while something is bound to them', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout');
    await session.bound(exchange, ['']);
    expect(
      await channelRefusal(session.channel, () =>
        session.channel.deleteExchange(exchange, { ifUnused: true }),
      ),
    ).toBe(`406 PRECONDITION_FAILED - exchange '${exchange}' in vhost 'V' in use`);
  });

  it('are deleted with if-unused once nothing is bound any more', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout');
    const queue = await session.bound(exchange, ['']);
    await session.channel.unbindQueue(queue, exchange, '');
    await session.channel.deleteExchange(exchange, { ifUnused: true });
    expect(await channelRefusal(session.channel, () => session.channel.checkExchange(exchange))).toContain(
      '404',
    );
  });

  it.each([
    ['amq.direct', "403 ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost 'V' not allowed"],
    ['', '403 ACCESS_REFUSED - operation not permitted on the default exchange'],
  ])('that the broker owns cannot be deleted: "%s"', async (name, expected) => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.deleteExchange(name))).toBe(expected);
  });

  it('take their bindings with them when they are deleted', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout');
    const queue = await session.bound(exchange, ['']);
    await session.channel.deleteExchange(exchange);
    await session.channel.assertExchange(exchange, 'fanout', { durable: false });
    await session.publish(exchange, '', 'to nobody');
    expect(await session.drain(queue)).toEqual([]);
  });

  it('with auto-delete go with their last binding', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout', { autoDelete: true });
    const queue = await session.bound(exchange, ['one', 'two']);
    await session.channel.unbindQueue(queue, exchange, 'one');
    await session.channel.checkExchange(exchange);
    await session.channel.unbindQueue(queue, exchange, 'two');
    expect(await channelRefusal(session.channel, () => session.channel.checkExchange(exchange))).toContain(
      '404',
    );
  });

  it('with auto-delete go when the last bound queue is deleted', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('direct', { autoDelete: true });
    const queue = await session.bound(exchange, ['key']);
    await session.channel.deleteQueue(queue);
    expect(await channelRefusal(session.channel, () => session.channel.checkExchange(exchange))).toContain(
      '404',
    );
  });

  it('with auto-delete stay while nothing was ever bound to them', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('fanout', { autoDelete: true });
    await (await session.sibling()).channel.close();
    expect(await session.channel.checkExchange(exchange)).toEqual({});
  });

  it('that are internal take messages from exchanges, not from publishers', async () => {
    const session = await Session.open(broker);
    const outer = await session.exchange('fanout');
    const inner = await session.exchange('fanout', { internal: true });
    await session.channel.bindExchange(inner, outer, '');
    const queue = await session.bound(inner, ['']);
    await session.publish(outer, '', 'through');
    expect(await session.drain(queue)).toEqual(['through']);
    expect(
      await channelRefusal(session.channel, () => session.channel.publish(inner, '', Buffer.from('direct'))),
    ).toBe(`403 ACCESS_REFUSED - cannot publish to internal exchange '${inner}' in vhost 'V'`);
  });

  it('that do not exist close the channel of whoever publishes to them with 404', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.publish('nowhere', 'key', Buffer.from('x')))).toBe(
      "404 NOT_FOUND - no exchange 'nowhere' in vhost 'V'",
    );
  });
});
