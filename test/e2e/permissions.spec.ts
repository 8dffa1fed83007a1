// Users who may not do everything: what is refused is named at boot with its handler, what an administrator has
// declared is used as it is, and a permission that comes back heals what its loss broke.

import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { Channel } from 'amqplib';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { eventOf, rejection, taken, warren } from '../support/warren.js';

onEachBroker('permissions', (broker) => {
  const user = `warren-limited-${randomBytes(6).toString('hex')}`;
  const all = { configure: '.*', write: '.*', read: '.*' };
  const vhost = (): string => broker.vhostPath;
  const allow = (some: Partial<typeof all>): Promise<unknown> =>
    broker.manage('PUT', `/permissions/${vhost()}/${user}`, { ...all, ...some });
  const url = (): string => {
    const target = new URL(broker.url);
    [target.username, target.password] = [user, user];
    return target.href;
  };
  beforeAll(() => broker.manage('PUT', `/users/${user}`, { password: user, tags: '' }));
  afterAll(() => broker.manage('DELETE', `/users/${user}`));
  beforeEach(() => allow({}));

  it.each([
    ['configure', { configure: '^$' }, "exchange 'warren.orphans'"],
    ['write', { write: '^$' }, 'guarded.write'],
    ['read', { read: '^$' }, 'guarded.read'],
  ])('without %s, the start fails at once and names resource and handler', async (what, some, resource) => {
    await allow(some);
    const guarded = warren(url()).consume(`guarded.${what}`, () => 1);
    const error = await rejection(guarded.open());
    expect(error).toMatchObject({ name: 'AccessRefusedError', code: 'WARREN_ACCESS_REFUSED' });
    expect(error.message).toContain(resource);
    expect(error.message).toContain(`@Consume guarded.${what}`);
    expect(error.message).not.toContain(new URL(broker.url).password);
  });

  it('without configure, a queue that an administrator declared is consumed with declare check or skip', async () => {
    const channel = await (await broker.connect()).createChannel();
    await wayBack(channel);
    for (const name of ['given.check', 'given.skip']) await channel.assertQueue(name, { durable: true });
    await allow({ configure: '^$' });
    const got = new Collector<unknown>();
    for (const declare of ['check', 'skip'] as const) {
      const limited = await warren(url())
        .consume(`given.${declare}`, ({ payload }) => got.push(payload), {
          ...{ declare, deadLetter: false, retry: false },
        })
        .open();
      await limited.broker.send(`given.${declare}`, declare);
      expect(await got.one()).toBe(declare);
    }
  });

  it('without configure, dead letters and retries work when an administrator has declared what they need', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('given.all', { durable: true });
    await channel.assertQueue('given.all.dead', { durable: true });
    await wayBack(channel);
    await channel.assertQueue('test.nowhere', { messageTtl: 0 });
    await channel.assertExchange('test.retry.50', 'fanout', { autoDelete: true });
    await channel.assertQueue('test.retry.50', {
      durable: true,
      messageTtl: 30_050,
      deadLetterExchange: 'warren.back',
    });
    await channel.bindQueue('test.retry.50', 'test.retry.50', '');
    await allow({ configure: '^$' });
    const done = new Collector<unknown>();
    const limited = await warren(url())
      .consume(
        'given.all',
        ({ payload, attempt }) => {
          if (payload === 'dead' || attempt === 1) throw new Error('no');
          done.push(payload);
        },
        { declare: 'check', retry: { attempts: 2, delays: '50ms', jitter: false } },
      )
      .open();
    await limited.broker.send('given.all', 'twice');
    expect(await done.one()).toBe('twice');
    await limited.broker.send('given.all', 'dead');
    expect((await taken(broker, 'given.all.dead')).properties.headers).toMatchObject({
      'x-warren-reason': 'attempts-exhausted',
    });
  });

  it('a permission that is taken away is reported, and what needs it is back when it is', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(url())
      .consume('taken.away', ({ payload }) => got.push(payload))
      .open();
    await eventOf(rabbit, 'consumer-ready');
    await allow({ read: '^$' });
    await broker.manage('DELETE', `/connections/username/${user}`);
    expect(String((await eventOf(rabbit, 'consumer-failed')).error)).toContain('taken.away');
    await allow({});
    await eventOf(rabbit, 'consumer-ready');
    await rabbit.broker.send('taken.away', 'again');
    await until(() => got.all.includes('again'), 'the message after the permission came back');
  });

  it('a write permission that is taken away fails publishes by name, and they go on when it is back', async () => {
    const rabbit = await warren(url())
      .consume('written', () => 1)
      .open();
    await rabbit.broker.publish('key', 1, { exchange: 'amq.topic' });
    await allow({ write: '^written$' });
    // RabbitMQ remembers for each channel what it may.
    await broker.manage('DELETE', `/connections/username/${user}`);
    await until(async () => {
      const outcome = rabbit.broker.publish('key', 1, { exchange: 'amq.topic' });
      return outcome.then(
        () => false,
        (error: Error) => error.message.includes('amq.topic'),
      );
    }, 'the refusal, by name');
    await allow({});
    const goes = (): Promise<boolean> =>
      rabbit.broker.publish('key', 1, { exchange: 'amq.topic' }).then(
        () => true,
        () => false,
      );
    await until(goes, 'publishes to go on', 20_000);
  });
});

/** The way back of retries, as an administrator makes it once for a virtual host. */
async function wayBack(channel: Channel): Promise<void> {
  await channel.assertExchange('warren.orphans', 'fanout');
  await channel.assertQueue('warren.orphans', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue('warren.orphans', 'warren.orphans', '');
  await channel.assertExchange('warren.back', 'direct', { alternateExchange: 'warren.orphans' });
}
