// Who acks, when, and that a message is settled once.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Delivery } from '@warren/amqp';
import { EmbeddedBroker } from '@warren/embedded';
import { onEachBroker, onEmbedded } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, taken, warren, type Warren } from '../support/warren.js';

onEachBroker('acknowledging', (broker) => {
  const inFlight = ({ broker: client }: Warren): number => client.status().consumers[0].inFlight;

  it('auto: the broker keeps the message until the handler has returned', async () => {
    const [started, finish] = [new Collector<Delivery>(), new Collector<() => void>()];
    const rabbit = await warren(broker.url)
      .consume('auto', (delivery) => {
        started.push(delivery);
        return new Promise<void>((resolve) => finish.push(resolve));
      })
      .open();
    await rabbit.broker.send('auto', 1);
    await started.one();
    expect(inFlight(rabbit)).toBe(1);
    (await finish.one())();
    expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
    expect(inFlight(rabbit)).toBe(0);
  });

  it('auto: a prefetch of 1 holds the second message back while the first runs', async () => {
    const [started, finish] = [new Collector<unknown>(), new Collector<() => void>()];
    const rabbit = await warren(broker.url)
      .consume(
        'one-by-one',
        (delivery) => {
          started.push(delivery.payload);
          return new Promise<void>((resolve) => finish.push(resolve));
        },
        { prefetch: 1 },
      )
      .open();
    await rabbit.broker.send('one-by-one', 1);
    await rabbit.broker.send('one-by-one', 2);
    await started.one();
    expect(await count(broker, 'one-by-one')).toBe(1);
    (await finish.one())();
    expect(await started.one()).toBe(2);
    (await finish.one())();
  });

  it('manual: returning settles nothing, the handler does it when it likes', async () => {
    const got = new Collector<Delivery>();
    const rabbit = await warren(broker.url).consume('manual', got.push, { ack: 'manual' }).open();
    await rabbit.broker.send('manual', 1);
    const delivery = await got.one();
    expect((await eventOf(rabbit, 'handled')).verdict.kind).toBe('open');
    expect(inFlight(rabbit)).toBe(1);
    delivery.ack();
    expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
    expect(inFlight(rabbit)).toBe(0);
  });

  it('manual: reject dead-letters with its reason, retry brings the message back', async () => {
    const got = new Collector<Delivery>();
    const rabbit = await warren(broker.url).consume('by-hand', got.push, { ack: 'manual' }).open();
    await rabbit.broker.send('by-hand', 1);
    (await got.one()).retry({ after: 20 });
    const second = await got.one();
    expect(second.attempt).toBe(2);
    second.reject('enough');
    const dead = await taken(broker, 'by-hand.dead');
    expect(dead.properties.headers).toMatchObject({
      'x-warren-reason': 'rejected',
      'x-exception-message': 'enough',
      'x-warren-handler': 'by-hand',
    });
  });

  it('manual: a retry with a wait that is no duration throws where it was asked for, and loses nothing', async () => {
    const got = new Collector<Delivery>();
    const rabbit = await warren(broker.url).consume('nonsense', got.push, { ack: 'manual' }).open();
    await rabbit.broker.send('nonsense', 1);
    const delivery = await got.one();
    expect(() => delivery.retry({ after: 'soon' as '1s' })).toThrow(/must be a duration/);
    expect(delivery.settled).toBe(false);
    delivery.ack();
    expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
  });

  it('manual: a throw after nothing was settled goes the way of every failure', async () => {
    const rabbit = await warren(broker.url)
      .consume('throws', () => Promise.reject(new Error('no')), { ack: 'manual', retry: false })
      .open();
    await rabbit.broker.send('throws', 1);
    expect((await taken(broker, 'throws.dead')).properties.headers?.['x-warren-reason']).toBe(
      'attempts-exhausted',
    );
  });

  it('none: the broker forgets the message at delivery, and a failure still reaches the dead letters', async () => {
    const rabbit = await warren(broker.url)
      .consume('none', () => Promise.reject(new Error('no')), { ack: 'none', retry: false })
      .open();
    await rabbit.broker.send('none', 1);
    await taken(broker, 'none.dead');
    await broker.closeConnections();
    await eventOf(rabbit, 'consumer-lost');
    expect(await count(broker, 'none')).toBe(0);
  });

  it.each([
    ['a queue', {}],
    ['a queue of its own', { broadcast: true }],
  ])(
    'none: what arrives at %s faster than it is handled waits at the broker, and all of it runs',
    async (_, options) => {
      const COUNT = 3_000;
      const body = Buffer.alloc(10_000, 1);
      const wait: (() => void)[] = [];
      let handled = 0;
      const rabbit = await warren(broker.url, { maxDecodedBytes: 1024 * 1024 })
        .subscribe(
          'flood',
          () => {
            handled++;
            return handled <= 1 ? new Promise<void>((resolve) => wait.push(resolve)) : undefined;
          },
          { ack: 'none', concurrency: 1, ...options },
        )
        .open();
      const [{ queue }] = rabbit.broker.status().consumers;
      const channel = await (await broker.connect()).createConfirmChannel();
      for (let n = 0; n < COUNT; n++) channel.publish('events', 'flood', body);
      await channel.waitForConfirms();
      await logged(rabbit, 'arrive faster than its handlers run');
      // Nobody else may look into a queue of its own.
      if (!('broadcast' in options))
        await until(() => count(broker, queue), 'messages to wait at the broker');
      for (const resolve of wait.splice(0)) resolve();
      await until(() => handled === COUNT, 'all to be handled', 30_000);
      expect(rabbit.events.all.some(({ kind }) => kind === 'consumer-lost')).toBe(false);
    },
  );

  it('a second settle does nothing and warns, whoever tries', async () => {
    const rabbit = await warren(broker.url)
      .consume('twice', (delivery) => {
        delivery.ack();
        delivery.ack();
        delivery.reject('too late');
        delivery.retry();
      })
      .open();
    await rabbit.broker.send('twice', 1);
    expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
    expect(rabbit.lines.filter((line) => line.includes('that was already settled'))).toHaveLength(3);
    // The channel lives: a second ack on the wire would have closed it.
    await rabbit.broker.send('twice', 2);
    expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
    expect(rabbit.events.all.map(({ kind }) => kind)).not.toContain('consumer-lost');
    expect(await count(broker, 'twice.dead')).toBe(0);
  });

  it('a throw after ack() does not dead-letter the message, and the log does not say so', async () => {
    const rabbit = await warren(broker.url)
      .consume('acked', (delivery) => {
        delivery.ack();
        throw new Error('afterwards');
      })
      .open();
    await rabbit.broker.send('acked', 1);
    await logged(rabbit, 'and then failed; the message stays settled: Error: afterwards');
    expect(rabbit.lines.join('\n')).not.toMatch(/attempt 2|dead-lettered/);
    expect(await count(broker, 'acked.dead')).toBe(0);
  });

  it('settling after the channel died does nothing, and the broker delivers the message again', async () => {
    const got = new Collector<Delivery>();
    const rabbit = await warren(broker.url).consume('late', got.push, { ack: 'manual' }).open();
    await rabbit.broker.send('late', 1);
    const first = await got.one();
    await broker.closeConnections();
    const second = await got.one();
    first.ack();
    expect((await eventOf(rabbit, 'settled')).onTime).toBe(false);
    expect([first.message.redelivered, second.message.redelivered]).toEqual([false, true]);
    expect(second.settled).toBe(false);
    second.ack();
    expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'nothing in flight');
  });

  it('a failure after the channel died sends no copy on: the broker has the message already', async () => {
    const [got, fail] = [new Collector<Delivery>(), new Collector<(error: Error) => void>()];
    const rabbit = await warren(broker.url)
      .consume(
        'no-double',
        (delivery) => {
          got.push(delivery);
          return delivery.message.redelivered ? undefined : new Promise((_, reject) => fail.push(reject));
        },
        { retry: false },
      )
      .open();
    await rabbit.broker.send('no-double', 1);
    await got.one();
    await broker.closeConnections();
    await got.one();
    (await fail.one())(new Error('too late'));
    for (let event = await eventOf(rabbit, 'settled'); event.onTime;)
      event = await eventOf(rabbit, 'settled');
    expect(await count(broker, 'no-double.dead')).toBe(0);
  });

  it('what a handler decides by itself is what events and log say', async () => {
    const rabbit = await warren(broker.url)
      .consume('decided', (delivery) => delivery.reject('no such customer'))
      .open();
    await rabbit.broker.send('decided', 1);
    const { verdict } = await eventOf(rabbit, 'handled');
    expect(verdict).toMatchObject({ kind: 'dead-letter', reason: 'rejected' });
    await logged(rabbit, "no such customer; dead-lettered to 'decided.dead'");
  });
});

onEmbedded('a broker that blocks publishers', () => {
  let own: EmbeddedBroker;
  beforeAll(async () => {
    own = await EmbeddedBroker.start({ port: 0 });
  });
  afterAll(() => own.close());

  it('still gets the acks, and hands out what comes after them', async () => {
    const [started, finish] = [new Collector<unknown>(), new Collector<() => void>()];
    const handle = ({ payload }: Delivery): Promise<void> => {
      started.push(payload);
      return new Promise<void>((resolve) => finish.push(resolve));
    };
    const rabbit = await warren(own.url).consume('through', handle, { prefetch: 1 }).open();
    await rabbit.broker.send('through', 1);
    await rabbit.broker.send('through', 2);
    expect(await started.one()).toBe(1);
    await own.block('memory');
    const third = rabbit.broker.send('through', 3);
    await eventOf(rabbit, 'blocked');
    (await finish.one())();
    // The second one comes only when the broker has the ack of the first.
    expect(await started.one()).toBe(2);
    (await finish.one())();
    await own.unblock();
    expect((await third).routed).toBe(true);
    expect(await started.one()).toBe(3);
    (await finish.one())();
  });
});
