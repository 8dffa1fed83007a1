// What is declared, what is only looked for, and what the error says when the broker has it otherwise.

import { describe, expect, it } from '@jest/globals';
import type { HandlerOptions, TopologyMismatchError } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { count, rejection, warren } from '../support/warren.js';

onEachBroker('topology', (broker) => {
  const foreignQueue = async (name: string, options: object = {}): Promise<void> => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue(name, options);
  };

  it('exchanges of all types, bindings between them and an alternate exchange are declared and route', async () => {
    const got = new Collector<[string, unknown]>();
    const rabbit = warren(broker.url);
    rabbit.broker.declare({
      exchanges: [
        { name: 't.fanout', type: 'fanout', alternateExchange: 't.lost' },
        { name: 't.direct', type: 'direct', alternateExchange: 't.lost' },
        { name: 't.topic', type: 'topic' },
        { name: 't.headers', type: 'headers' },
        { name: 't.lost', type: 'fanout' },
      ],
      queues: [{ name: 't.unrouted', queueType: 'classic' }],
      bindings: [
        { exchange: 't.topic', key: '#.loud', to: 't.fanout' },
        { exchange: 't.lost', queue: 't.unrouted' },
      ],
    });
    const take = (name: string) => (delivery: { payload: unknown }) => got.push([name, delivery.payload]);
    await rabbit
      .consume('t.a', take('fanout'), { bindings: [{ exchange: 't.fanout' }] })
      .consume('t.b', take('direct'), { bindings: [{ exchange: 't.direct', keys: ['info', 'error'] }] })
      .consume('t.c', take('headers'), {
        bindings: [{ exchange: 't.headers', match: { all: { format: 'pdf' } } }],
      })
      .open();
    const publish = async (exchange: string, key: string, headers = {}): Promise<boolean> =>
      (await rabbit.broker.publish(key, key, { exchange, headers })).routed;
    expect(await publish('t.topic', 'very.loud')).toBe(true);
    expect(await publish('t.direct', 'error')).toBe(true);
    expect(await publish('t.headers', '', { format: 'pdf' })).toBe(true);
    expect(await publish('t.headers', '', { format: 'zip' })).toBe(false);
    expect(await publish('t.direct', 'debug')).toBe(true);
    expect((await got.take(3)).sort()).toEqual([
      ['direct', 'error'],
      ['fanout', 'very.loud'],
      ['headers', ''],
    ]);
    expect(await count(broker, 't.unrouted')).toBe(1);
  });

  it('declaring the same again, by another process, changes nothing', async () => {
    const options: HandlerOptions = {
      bindings: [{ exchange: { name: 'same', type: 'topic' }, key: 'a' }],
      maxLength: 10,
      messageTtl: '1h',
    };
    await warren(broker.url)
      .consume('same', () => 1, options)
      .open();
    await warren(broker.url)
      .consume('same', () => 1, options)
      .open();
  });

  it('a classic queue is shared with a program that knows no queue types, whoever comes first', async () => {
    await foreignQueue('theirs');
    await warren(broker.url)
      .consume('theirs', () => 1)
      .rpc('their.rpc', () => 1)
      .open();
    await warren(broker.url)
      .consume('ours', () => 1)
      .rpc('our.rpc', () => 1)
      .open();
    for (const queue of ['ours', 'our.rpc', 'their.rpc']) await foreignQueue(queue, { durable: true });
  });

  describe('a queue that exists otherwise is a mismatch that names queue, argument, both values and the handler', () => {
    const cases: [string, object, HandlerOptions, Partial<TopologyMismatchError['facts']>][] = [
      ['durable', { durable: false }, {}, { argument: 'durable', current: "'false'", wanted: "'true'" }],
      [
        'type',
        { arguments: { 'x-queue-type': 'quorum' } },
        { queueType: 'classic' },
        { argument: 'x-queue-type', current: "'quorum'" },
      ],
      [
        'missing type',
        {},
        { queueType: 'quorum' },
        // RabbitMQ 4 knows what a queue without the argument is.
        {
          argument: 'x-queue-type',
          current: expect.stringMatching(/^(none|'classic')$/) as unknown as string,
          wanted: "'quorum'",
        },
      ],
      [
        'ttl',
        { messageTtl: 1_000 },
        { messageTtl: '2s' },
        { argument: 'x-message-ttl', current: "'1000'", wanted: "'2000'" },
      ],
      ['length', {}, { maxLength: 5 }, { argument: 'x-max-length', current: 'none', wanted: "'5'" }],
      ['priority', { maxPriority: 3 }, {}, { argument: 'x-max-priority', current: "'3'", wanted: 'none' }],
      [
        'single active',
        {},
        { singleActive: true },
        { argument: 'x-single-active-consumer', current: 'none' },
      ],
      [
        'dead letter exchange',
        { deadLetterExchange: 'dlx' },
        {},
        { argument: 'x-dead-letter-exchange', current: "'dlx'", wanted: 'none' },
      ],
    ];
    it.each(cases)('%s', async (name, theirs, ours, facts) => {
      // RabbitMQ 4 may have been told to make no such queue, and the tests' node has.
      if (name === 'durable' && broker.kind === 'rabbitmq' && broker.since('4.0')) return;
      const queue = `mismatch.${name}`;
      await foreignQueue(queue, theirs);
      const rabbit = warren(broker.url).consume(queue, () => 1, ours);
      const error = await rejection<TopologyMismatchError>(rabbit.open());
      expect(error.code).toBe('WARREN_TOPOLOGY_MISMATCH');
      expect(error.facts).toMatchObject({
        what: 'queue',
        name: queue,
        declaredBy: `@Consume ${queue}`,
        ...facts,
      });
      expect(error.message).toContain(`@Consume ${queue}`);
      expect(rabbit.broker.status().connections.map(({ state }) => state)).toEqual(['closed', 'closed']);
    });

    it('an exchange of another type likewise', async () => {
      const channel = await (await broker.connect()).createChannel();
      await channel.assertExchange('of.another.type', 'fanout');
      const rabbit = warren(broker.url).consume('x', () => 1, {
        bindings: [{ exchange: { name: 'of.another.type', type: 'direct' }, key: 'k' }],
      });
      expect((await rejection<TopologyMismatchError>(rabbit.open())).facts).toMatchObject({
        what: 'exchange',
        name: 'of.another.type',
        argument: 'type',
        current: "'fanout'",
        wanted: "'direct'",
      });
    });
  });

  it("declare: 'check' takes a queue as it is, and misses one that is not there", async () => {
    await foreignQueue('taken.as.is', { maxLength: 7 });
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('taken.as.is', ({ payload }) => got.push(payload), { declare: 'check' })
      .open();
    await rabbit.broker.send('taken.as.is', 1);
    expect(await got.one()).toBe(1);
    const missing = warren(broker.url).consume('not.there', () => 1, { declare: 'check' });
    expect(await rejection(missing.open())).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISSING',
      missing: 'not.there',
      message: expect.stringContaining('@Consume not.there'),
    });
  });

  it("declare: 'skip' asks for nothing and consumes what is there", async () => {
    await foreignQueue('skipped', { maxLength: 7 });
    await warren(broker.url)
      .consume('skipped', () => 1, { declare: 'skip' })
      .open();
  });

  it("declare: 'skip' of an exchange binds to what is there, and neither declares nor looks", async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertExchange('skipped.exchange', 'fanout');
    const got = new Collector<unknown>();
    // As a direct one it would be refused.
    const exchange = { name: 'skipped.exchange', type: 'direct', declare: 'skip' } as const;
    const rabbit = await warren(broker.url)
      .consume('of.skipped', ({ payload }) => got.push(payload), { bindings: [{ exchange, key: 'k' }] })
      .open();
    channel.publish('skipped.exchange', 'k', Buffer.from('1'));
    expect(await got.one()).toBe(1);
    await rabbit.broker.close();
    const missing = { name: 'skipped.nowhere', type: 'direct', declare: 'skip' } as const;
    const lost = warren(broker.url).consume('of.skipped', () => 1, {
      bindings: [{ exchange: missing, key: 'k' }],
    });
    expect(await rejection(lost.open())).toMatchObject({ code: 'WARREN_TOPOLOGY_MISSING' });
  });

  it('a version that wants less deletes nothing: old queues and bindings stay, with what they get', async () => {
    const former = await warren(broker.url)
      .subscribe(['stays.*', 'narrowed.*'], () => 1, { queue: 'stays' })
      .subscribe('left.*', () => 1, { queue: 'left' })
      .open();
    await former.broker.close();
    const got = new Collector<unknown>();
    const next = await warren(broker.url)
      .subscribe('stays.*', ({ payload }) => got.push(payload), { queue: 'stays' })
      .open();
    expect((await next.broker.publish('left.over', 'kept')).routed).toBe(true);
    expect((await next.broker.publish('narrowed.key', 'still bound')).routed).toBe(true);
    await next.broker.close();
    expect(await count(broker, 'left')).toBe(1);
    for (const queue of ['left.dead', 'stays.dead', 'warren.orphans']) await count(broker, queue);
  });

  it('an exchange by name that is not there fails the start and names handler and exchange', async () => {
    const rabbit = warren(broker.url).subscribe('a', () => 1, { exchange: 'not.there', id: 'lonely' });
    expect(await rejection(rabbit.open())).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISSING',
      what: 'exchange',
      missing: 'not.there',
      message: expect.stringContaining('@Subscribe lonely'),
    });
  });

  it('an exchange type that the broker does not know is said with the handler that wanted it', async () => {
    const rabbit = warren(broker.url, { startupTimeout: 3_000 }).consume('x', () => 1, {
      bindings: [{ exchange: { name: 'odd', type: 'x-no-such-type' }, key: '1' }],
    });
    const error = await rejection(rabbit.open());
    expect(error).toMatchObject({
      code: 'WARREN_CONFIG',
      message: expect.stringMatching(/@Consume x.*exchange 'odd'.*x-no-such-type/s),
      hint: expect.stringContaining('plugin'),
    });
    expect(error.message).not.toContain('lost');
  });

  it('types of plugins may be used where they are', async () => {
    const channel = await (await broker.connect()).createChannel();
    const known = await channel.assertExchange('hash.probe', 'x-consistent-hash').then(
      () => true,
      () => false,
    );
    if (!known) return;
    const shards = [new Collector<unknown>(), new Collector<unknown>()];
    const exchange = { name: 'hash', type: 'x-consistent-hash' };
    const rabbit = await warren(broker.url)
      .consume('hash.0', ({ payload }) => shards[0].push(payload), { bindings: [{ exchange, key: '1' }] })
      .consume('hash.1', ({ payload }) => shards[1].push(payload), { bindings: [{ exchange, key: '1' }] })
      .open();
    for (let n = 0; n < 60; n++) await rabbit.broker.publish(`key-${n}`, n, { exchange: 'hash' });
    await Promise.all([shards[0].take(1), shards[1].take(1)]);
  });

  it('free declarations that contradict a handler are refused before anything is sent, naming both', async () => {
    const rabbit = warren(broker.url);
    rabbit.broker.declare({ queues: [{ name: 'twice', maxLength: 1 }] }, 'BillingModule');
    rabbit.consume('twice', () => 1);
    expect(await rejection(rabbit.open())).toMatchObject({
      code: 'WARREN_CONFIG',
      message: expect.stringMatching(
        /BillingModule and @Consume twice want queue 'twice' differently: x-max-length is 1 for the first/,
      ),
    });
    // It ends without ever having tried to connect.
    expect(rabbit.events.all.map(({ kind }) => kind)).toEqual(['closing', 'closed']);
  });
});
