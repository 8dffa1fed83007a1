// After every loss all comes back by itself: consumers, publishes, calls, queues. Nothing hangs, nothing
// confirmed is lost.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import type { Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { count, eventOf, logged, taken, warren } from '../support/warren.js';

onEachBroker('recovery', (broker) => {
  it('a consumer goes on after its connection was closed, and says so', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('steady', ({ payload }) => got.push(payload))
      .open();
    await rabbit.broker.send('steady', 1);
    await got.one();
    await broker.closeConnections();
    expect((await eventOf(rabbit, 'consumer-lost')).queue).toBe('steady');
    await eventOf(rabbit, 'consumer-ready');
    await rabbit.broker.send('steady', 2);
    // The first may come again: its ack was perhaps still under way.
    await until(() => got.all.includes(2), 'the second message');
    await until(
      () => rabbit.broker.status().connections.every(({ state }) => state === 'open'),
      'both connections',
    );
    expect(rabbit.broker.status().consumers).toMatchObject([
      {
        ...{ queue: 'steady', handlers: ['steady'], ready: true, inFlight: expect.any(Number) },
        ...{ notReadySince: undefined, lastError: undefined },
      },
    ]);
    expect(rabbit.broker.status().counters).toMatchObject({
      connectionsLost: 2,
      reconnects: 2,
      consumersLost: 1,
    });
    await logged(rabbit, 'lost its connection (');
  });

  it('three losses in a row while messages flow: nothing confirmed is lost, every publish settles, none with a foreign error', async () => {
    const got = new Set<number>();
    const rabbit = await warren(broker.url)
      .consume('flow', ({ payload }) => void got.add(payload as number))
      .subscribe('flow.#', ({ payload }) => void got.add(payload as number), { id: 'flow' })
      .open();
    const confirmed: number[] = [];
    const failures: { code?: string }[] = [];
    let [next, going] = [0, true];
    const publisher = async (): Promise<void> => {
      while (going) {
        const n = next++;
        const sent = n % 2 ? rabbit.broker.send('flow', n) : rabbit.broker.publish('flow.x', n);
        await sent.then(
          () => confirmed.push(n),
          (error: { code?: string }) => failures.push(error),
        );
      }
    };
    const publishers = [1, 2, 3, 4].map(publisher);
    for (let round = 1; round <= 3; round++) {
      const before = confirmed.length;
      await until(() => confirmed.length > before + 40, 'publishes to flow');
      await broker.closeConnections();
    }
    const before = confirmed.length;
    await until(() => confirmed.length > before + 40, 'publishes to flow again');
    going = false;
    await within(Promise.all(publishers), 'every publish to settle');
    await until(() => confirmed.every((n) => got.has(n)), 'everything confirmed to be handled');
    expect(failures.map(({ code }) => code)).toEqual(failures.map(() => 'WARREN_PUBLISH_UNKNOWN'));
    expect(rabbit.broker.status().publishing).toEqual({ unconfirmed: 0, waiting: 0 });
  });

  it('calls go on after a loss, and those under way when it came settle', async () => {
    const rabbit = await warren(broker.url)
      .rpc('pong', ({ payload }) => payload)
      .open();
    const codes: (string | undefined)[] = [];
    let [going, answered] = [true, 0];
    const caller = async (): Promise<void> => {
      while (going) {
        await rabbit.broker.request('pong', 1).then(
          () => answered++,
          (error: { code?: string }) => codes.push(error.code),
        );
      }
    };
    const callers = [1, 2, 3, 4].map(caller);
    for (let round = 0; round < 2; round++) {
      const before = answered;
      await until(() => answered > before + 20, 'calls to flow');
      await broker.closeConnections();
    }
    const before = answered;
    await until(() => answered > before + 20, 'calls to flow again');
    going = false;
    await within(Promise.all(callers), 'every call to settle');
    expect(new Set(codes).size).toBeLessThanOrEqual(2);
    for (const code of codes) expect(code).toMatch(/^WARREN_RPC_(CONNECTION_LOST|TIMEOUT)$/);
    expect(rabbit.broker.status().pendingCalls).toBe(0);
  });

  it('a queue that is deleted under its consumer is declared, bound and consumed again', async () => {
    const got = new Collector<unknown>();
    // By the consumer itself, at once, not when the watchdog looks the next time.
    const rabbit = await warren(broker.url, { watchdog: '1h' })
      .subscribe('deleted.*', ({ payload }) => got.push(payload), { queue: 'doomed', id: 'doomed' })
      .open();
    await eventOf(rabbit, 'consumer-ready');
    const channel = await (await broker.connect()).createChannel();
    for (let round = 1; round <= 3; round++) {
      await channel.deleteQueue('doomed');
      await eventOf(rabbit, 'consumer-lost');
      await eventOf(rabbit, 'consumer-ready');
      expect((await rabbit.broker.publish('deleted.x', round)).routed).toBe(true);
      expect(await got.one()).toBe(round);
    }
  });

  it('what stands behind a queue comes back with it: its dead-letter queue, and the one for lost retries', async () => {
    const rabbit = await warren(broker.url)
      .consume('both', () => Promise.reject(new Error('no')), { retry: false })
      .open();
    await eventOf(rabbit, 'consumer-ready');
    const channel = await (await broker.connect()).createChannel();
    for (const queue of ['both.dead', 'warren.orphans', 'both']) await channel.deleteQueue(queue);
    await eventOf(rabbit, 'consumer-ready');
    // Before anything needs them.
    expect(await count(broker, 'both.dead')).toBe(0);
    expect(await count(broker, 'warren.orphans')).toBe(0);
    await rabbit.broker.send('both', 1);
    await taken(broker, 'both.dead');
  });

  it('a broadcast subscriber has a queue of its own again after a loss', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .subscribe('news.#', ({ payload }) => got.push(payload), { broadcast: true, id: 'news' })
      .open();
    const first = rabbit.broker.status().consumers[0].queue;
    await eventOf(rabbit, 'consumer-ready');
    await broker.closeConnections();
    await eventOf(rabbit, 'consumer-ready');
    expect(rabbit.broker.status().consumers[0].queue).not.toBe(first);
    await rabbit.broker.publish('news.x', 'heard');
    expect(await got.one()).toBe('heard');
  });

  it('work that runs when the connection goes finishes, and its message is delivered again', async () => {
    const [started, finish] = [new Collector<Delivery>(), new Collector<() => void>()];
    const rabbit = await warren(broker.url)
      .consume('running', (delivery) => {
        started.push(delivery);
        return delivery.message.redelivered
          ? undefined
          : new Promise<void>((resolve) => finish.push(resolve));
      })
      .open();
    await rabbit.broker.send('running', 1);
    await started.one();
    await broker.closeConnections();
    expect((await started.one()).message.redelivered).toBe(true);
    (await finish.one())();
    const onTime = [(await eventOf(rabbit, 'settled')).onTime, (await eventOf(rabbit, 'settled')).onTime];
    expect(onTime.sort()).toEqual([false, true]);
    expect(await count(broker, 'running')).toBe(0);
  });

  it('two broker objects in one process keep to themselves', async () => {
    const url = await broker.addVhost();
    const [one, two] = [new Collector<unknown>(), new Collector<unknown>()];
    const here = await warren(broker.url)
      .consume('shared.name', ({ payload }) => one.push(payload))
      .open();
    const there = await warren(url)
      .consume('shared.name', ({ payload }) => two.push(payload))
      .open();
    await here.broker.send('shared.name', 'here');
    await there.broker.send('shared.name', 'there');
    expect([await one.one(), await two.one()]).toEqual(['here', 'there']);
    await here.broker.close();
    await there.broker.send('shared.name', 'still');
    expect(await two.one()).toBe('still');
    expect([one.size, two.size]).toEqual([1, 2]);
  });

  it('with ack none, what was delivered before the connection was lost still runs, once', async () => {
    const [started, finish] = [new Collector<unknown>(), new Collector<() => void>()];
    const rabbit = await warren(broker.url)
      .consume(
        'forgotten',
        ({ payload }) => {
          started.push(payload);
          return new Promise<void>((resolve) => finish.push(resolve));
        },
        { ack: 'none', concurrency: 1 },
      )
      .open();
    await rabbit.broker.send('forgotten', 1);
    await rabbit.broker.send('forgotten', 2);
    await until(() => rabbit.broker.status().consumers[0].inFlight === 2, 'both to be fetched');
    await broker.closeConnections();
    await until(() => !rabbit.broker.status().consumers[0].ready, 'the consumer to be lost');
    (await finish.one())();
    (await finish.one())();
    expect(await started.take(2)).toEqual([1, 2]);
  });

  it('a connection that is closed in the packet that opened it is not taken for a living one', async () => {
    const proxy = await closingProxy(new URL(broker.url));
    const target = new URL(broker.url);
    target.port = String(proxy.port);
    try {
      const rabbit = await warren(target.href)
        .consume('after.all', () => 1)
        .open();
      await rabbit.broker.send('after.all', 1);
      expect(proxy.closed()).toBe(2);
      await within(rabbit.broker.close(), 'close()');
    } finally {
      proxy.stop();
    }
  });
});

/** Forwards to a broker, but ends the first two connections in the same packet that opens them. */
async function closingProxy(target: URL): Promise<{ port: number; closed: () => number; stop: () => void }> {
  const OPEN_OK = Buffer.from([0, 10, 0, 41]);
  const text = 'CONNECTION_FORCED - test';
  const method = Buffer.from([0, 10, 0, 50, 1, 64, text.length, ...Buffer.from(text), 0, 0, 0, 0]);
  const close = Buffer.from([1, 0, 0, 0, 0, 0, method.length, ...method, 0xce]);
  const sockets = new Set<Socket>();
  let closed = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.pipe(upstream);
    upstream.on('data', (data) => {
      const opening = closed < 2 && data.includes(OPEN_OK);
      if (opening) closed++;
      client.write(opening ? Buffer.concat([data, close]) : data);
    });
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, closed: () => closed, stop };
}
