// Ending: running work finishes and is acked, the rest goes back, what is being published is confirmed,
// nothing stays open, and all of it within a limit.

import { spawn } from 'node:child_process';
import { expect, it } from '@jest/globals';
import type { Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count, logged, rejection, warren } from '../support/warren.js';

onEachBroker('shutting down', (broker) => {
  const blocking = (): {
    handle: (delivery: Delivery) => Promise<void>;
    started: Collector<Delivery>;
    finish: Collector<() => void>;
  } => {
    const [started, finish] = [new Collector<Delivery>(), new Collector<() => void>()];
    const handle = (delivery: Delivery): Promise<void> => {
      started.push(delivery);
      return new Promise((resolve) => finish.push(resolve));
    };
    return { handle, started, finish };
  };

  it('finishes what runs and hands back what has not started, with its channel', async () => {
    const { handle, started, finish } = blocking();
    const rabbit = await warren(broker.url).consume('work', handle, { prefetch: 10, concurrency: 2 }).open();
    await Promise.all([1, 2, 3, 4, 5].map((n) => rabbit.broker.send('work', n)));
    await started.take(2);
    await until(() => rabbit.broker.status().consumers[0].inFlight === 5, 'all five to be fetched');

    const closing = rabbit.broker.close();
    for (const resolve of await finish.take(2)) resolve();
    await within(closing, 'close()');

    expect(started.size).toBe(2);
    expect(await count(broker, 'work')).toBe(3);
    expect(rabbit.broker.status().consumers[0]).toMatchObject({ ready: false, inFlight: 0 });
  });

  it('with ack none, runs what was delivered and not started: the broker would not deliver it again', async () => {
    const { handle, started, finish } = blocking();
    const rabbit = await warren(broker.url).consume('gone', handle, { ack: 'none', concurrency: 1 }).open();
    await Promise.all([1, 2].map((n) => rabbit.broker.send('gone', n)));
    await until(() => rabbit.broker.status().consumers[0].inFlight === 2, 'both to be fetched');

    const closing = rabbit.broker.close();
    (await finish.one())();
    (await finish.one())();
    await within(closing, 'close()');
    expect(started.size).toBe(2);
  });

  it('lets running handlers publish and call until they are done', async () => {
    const { started, finish } = blocking();
    const rabbit = warren(broker.url);
    const other = await warren(broker.url)
      .rpc('helper', ({ payload }) => payload)
      .consume('next', () => 1)
      .open();
    const outcome = new Collector<unknown>();
    await rabbit
      .consume('chain', async (delivery) => {
        started.push(delivery);
        await new Promise<void>((resolve) => finish.push(resolve));
        outcome.push(await rabbit.broker.request('helper', 'answer'));
        outcome.push((await rabbit.broker.send('next', 1)).routed);
      })
      .open();
    await other.broker.send('chain', 1);
    await started.one();
    const closing = rabbit.broker.close();
    (await finish.one())();
    expect(await outcome.take(2)).toEqual(['answer', true]);
    await within(closing, 'close()');
    expect(await count(broker, 'chain')).toBe(0);
  });

  it('a handler that never ends is told by its signal and does not hold the process; its message goes back', async () => {
    const { handle, started } = blocking();
    const rabbit = await warren(broker.url, { shutdown: 200 }).consume('stuck', handle).open();
    await rabbit.broker.send('stuck', 1);
    const delivery = await started.one();
    const began = performance.now();
    await within(rabbit.broker.close(), 'close()');
    expect(performance.now() - began).toBeGreaterThan(150);
    expect(delivery.signal.aborted).toBe(true);
    await logged(rabbit, 'did not finish message');
    await until(async () => (await count(broker, 'stuck')) === 1, 'the message to be back');
  });

  it('with the broker frozen, a handler that never ends and a publish without a confirm share one limit', async () => {
    const shutdown = 6_000;
    const tap = await Tap.open(broker.url);
    const { handle, started } = blocking();
    const rabbit = await warren(tap.url, { shutdown }).consume('shared', handle).open();
    await rabbit.broker.send('shared', 1);
    await started.one();
    tap.shut();
    const sent = rejection(rabbit.broker.send('shared', 2));
    const began = performance.now();
    await within(rabbit.broker.close(), 'close()', 3 * shutdown);
    const took = performance.now() - began;
    tap.cut();
    expect((await sent).code).toBe('WARREN_PUBLISH_UNKNOWN');
    expect(took).toBeGreaterThan(shutdown - 50);
    expect(took).toBeLessThan(2 * shutdown);
  });

  it('a handler that took all the time leaves enough for the confirm of a publish', async () => {
    const tap = await Tap.open(broker.url);
    const { handle, started } = blocking();
    const rabbit = await warren(tap.url, { shutdown: 800 }).consume('late.confirm', handle).open();
    await rabbit.broker.send('late.confirm', 1);
    const { signal } = await started.one();
    tap.shut('answers');
    const sent = rabbit.broker.send('late.confirm', 2);
    signal.addEventListener('abort', () => tap.open());
    await within(Promise.all([rabbit.broker.close(), sent]), 'close() and the confirm');
    tap.cut();
  });

  it('what the broker delivers after the shutdown began is not run, and back in its queue', async () => {
    const tap = await Tap.open(broker.url);
    const got = new Collector<unknown>();
    const rabbit = await warren(tap.url, { shutdown: '5m' }).consume('late', got.push).open();
    const publisher = warren(broker.url);
    tap.shut('answers');
    await publisher.broker.send('late', 1);
    await until(async () => (await count(broker, 'late')) === 0, 'the message to be on its way');
    const closing = rabbit.broker.close();
    tap.open();
    await within(closing, 'close()');
    expect(got.size).toBe(0);
    expect(await count(broker, 'late')).toBe(1);
    tap.cut();
  });

  it('a batch that is not full goes back whole', async () => {
    const calls = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .batch('lists', calls.push, { batch: { size: 10, wait: '5m' } })
      .open();
    await Promise.all([1, 2, 3].map((n) => rabbit.broker.send('lists', n)));
    await until(() => rabbit.broker.status().consumers[0].inFlight === 3, 'three to be collected');
    await within(rabbit.broker.close(), 'close()');
    expect(await count(broker, 'lists')).toBe(3);
    expect(calls.size).toBe(0);
  });

  it('publishes in flight are confirmed first', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('flush');
    const { broker: client } = await warren(broker.url).open();
    const sent = Array.from({ length: 170 }, (_, n) => client.send('flush', n));
    await within(client.close(), 'close()');
    await Promise.all(sent);
    expect(await count(broker, 'flush')).toBe(170);
  });

  it('drain() stops consuming and leaves publishing open; closing twice is closing once', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url).consume('drained', got.push).open();
    await rabbit.broker.drain();
    await rabbit.broker.send('drained', 1);
    expect(await count(broker, 'drained')).toBe(1);
    expect(rabbit.broker.close()).toBe(rabbit.broker.close());
    await rabbit.broker.close();
    await rabbit.broker.drain();
    expect(got.size).toBe(0);
    expect((await rejection(rabbit.broker.send('drained', 2))).code).toBe('WARREN_CONNECTION_LOST');
  });

  it('closing before opening, and while the broker is away, ends at once', async () => {
    const unopened = warren(broker.url).consume('x', () => 1);
    await within(unopened.broker.close(), 'close() before open()');
    expect((await rejection(unopened.open())).code).toBe('WARREN_CONNECTION_LOST');

    const away = warren('amqp://127.0.0.1:1').consume('x', () => 1);
    const [opening, waiting] = [rejection(away.open()), rejection(away.broker.send('x', 1))];
    await within(away.broker.close(), 'close() without a broker');
    expect([(await opening).code, (await waiting).code]).toEqual([
      'WARREN_CONNECTION_LOST',
      'WARREN_CONNECTION_LOST',
    ]);
  });

  it('closing while it opens leaves no connection behind', async () => {
    const rabbit = warren(broker.url).consume('hasty', () => 1);
    const opening = rabbit.open().then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
    await within(rabbit.broker.close(), 'close()');
    expect([undefined, 'WARREN_CONNECTION_LOST']).toContain(await opening);
    expect(new Set(rabbit.broker.status().connections.map(({ state }) => state))).toEqual(
      new Set(['closed']),
    );
  });

  it('nothing keeps the process alive afterwards', async () => {
    const program = `
      const { connect } = await import('amqplib');
      const { Broker, SILENT } = await import('@warren/amqp');
      const rabbit = new Broker({ url: process.env.URL, service: 't', queueType: 'classic', logger: SILENT });
      rabbit.register({ kind: 'consume', id: 'h', patterns: ['exits'], options: {}, handle: () => undefined });
      rabbit.register({ kind: 'rpc', id: 'r', patterns: ['exits.rpc'], options: {}, handle: () => 1 });
      await rabbit.open();
      await rabbit.send('exits', 1);
      await rabbit.publish('nobody', 1, { delay: 10 });
      await rabbit.request('exits.rpc', 1);
      await rabbit.close();
      console.log('closed');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, URL: broker.url, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => (output += data.toString()));
    const code = new Promise<number | null>((resolve) => child.on('exit', resolve));
    expect([await within(code, `the process to end; it said: ${output}`), output]).toEqual([0, 'closed\n']);
  });
});
