// Consumers that are gone without a word, and those that cannot come back: found, brought back or reported.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { systemClock, type BrokerEvent, type Clock, type Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, warren, type Warren } from '../support/warren.js';

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Time between two rounds of a watchdog whose rounds are counted, in ms. */
const PERIOD = 20;

/** A clock that counts them. */
function counting() {
  let begun = 0;
  const after: Clock['after'] = (ms, run, keepAlive) => {
    if (ms === PERIOD) begun++;
    return systemClock.after(ms, run, keepAlive);
  };
  const rounds = async (more: number): Promise<void> => {
    const before = begun;
    await until(() => begun >= before + more, `${more} rounds`);
  };
  return { clock: { ...systemClock, after }, rounds };
}

/** Forwards to a broker, but keeps methods of the broker back: class and method, such as 60.30 for basic.cancel. */
async function withholding(url: string, methods: readonly string[]): Promise<{ url: string; on: boolean }> {
  const [origin, target] = [new URL(url), new URL(url)];
  const sockets = new Set<Socket>();
  const proxy = { url: '', on: true };
  const server = createServer((client) => {
    const broker = connect(Number(origin.port || 5672), origin.hostname);
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => void (client.destroy(), broker.destroy()));
    }
    client.pipe(broker);
    let rest = Buffer.alloc(0);
    broker.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      while (rest.length >= 8 && rest.length >= rest.readUInt32BE(3) + 8) {
        const frame = rest.subarray(0, rest.readUInt32BE(3) + 8);
        rest = rest.subarray(frame.length);
        const method = frame[0] === 1 ? `${frame.readUInt16BE(7)}.${frame.readUInt16BE(9)}` : '';
        if (!proxy.on || !methods.includes(method)) client.write(frame);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  target.hostname = '127.0.0.1';
  target.port = String((server.address() as AddressInfo).port);
  proxy.url = target.href;
  return proxy;
}

function reasons({ events }: Warren): string[] {
  return events.all.flatMap((event: BrokerEvent) =>
    event.kind === 'consumer-restarted' || event.kind === 'consumer-not-ready' ? [event.reason] : [],
  );
}

onEachBroker('the watchdog', (broker) => {
  it('brings back a consumer of whose end nothing was heard', async () => {
    const proxy = await withholding(broker.url, ['60.30']);
    const got = new Collector<unknown>();
    const rabbit = await warren(proxy.url, { watchdog: 100 })
      .consume('silent.end', ({ payload }) => got.push(payload))
      .open();
    await eventOf(rabbit, 'consumer-ready');
    const channel = await (await broker.connect()).createChannel();
    await channel.deleteQueue('silent.end');
    await channel.assertQueue('silent.end', { durable: true });
    channel.sendToQueue('silent.end', Buffer.from('1'), { contentType: 'application/json' });
    expect((await eventOf(rabbit, 'consumer-restarted')).reason).toContain('the broker reports no consumer');
    expect(await got.one()).toBe(1);
    expect(rabbit.broker.status().counters.consumersRestarted).toBe(1);
  });

  it('brings back a consumer whose queue is gone, and the queue', async () => {
    const proxy = await withholding(broker.url, ['60.30']);
    const got = new Collector<unknown>();
    const rabbit = await warren(proxy.url, { watchdog: 100 })
      .consume('silent.gone', ({ payload }) => got.push(payload))
      .open();
    await eventOf(rabbit, 'consumer-ready');
    const channel = await (await broker.connect()).createChannel();
    await channel.deleteQueue('silent.gone');
    await eventOf(rabbit, 'consumer-lost');
    await eventOf(rabbit, 'consumer-ready');
    await rabbit.broker.send('silent.gone', 2);
    expect(await got.one()).toBe(2);
  });

  it('brings back a consumer that is idle beside messages while others consume the queue', async () => {
    const proxy = await withholding(broker.url, ['60.30']);
    const got = new Collector<unknown>();
    const rabbit = await warren(proxy.url, { watchdog: 100 })
      .consume('silent.idle', ({ payload }) => got.push(payload))
      .open();
    await eventOf(rabbit, 'consumer-ready');
    const channel = await (await broker.connect()).createChannel();
    // Another program holds one message and takes no more. All at once: a queue without any consumer is another finding.
    await channel.prefetch(1);
    await Promise.all([
      channel.deleteQueue('silent.idle'),
      channel.assertQueue('silent.idle', { durable: true }),
      channel.consume('silent.idle', () => undefined),
    ]);
    for (const body of ['1', '2'])
      channel.sendToQueue('silent.idle', Buffer.from(body), { contentType: 'application/json' });
    expect((await eventOf(rabbit, 'consumer-restarted')).reason).toContain(
      '1 messages are ready and none is delivered',
    );
    expect(await got.one()).toBe(2);
  });

  it('brings back the consumer of a quorum queue that was deleted and at once declared again', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url, { watchdog: 50 })
      .consume('silent.anew', ({ payload }) => got.push(payload), { queueType: 'quorum' })
      .open();
    const channel = await (await broker.connect()).createChannel();
    for (const sent of [1, 2, 3]) await rabbit.broker.send('silent.anew', sent);
    await got.take(3);
    // RabbitMQ 3.10 announces nothing of it, and keeps to itself what it counts as handed to the consumer of before.
    const args = { durable: true, arguments: { 'x-queue-type': 'quorum' } };
    await Promise.all([channel.deleteQueue('silent.anew'), channel.assertQueue('silent.anew', args)]);
    for (const sent of [4, 5, 6]) await rabbit.broker.send('silent.anew', sent);
    expect((await got.take(3)).sort()).toEqual([4, 5, 6]);
  });

  it('leaves alone a consumer that waits for a handler before it takes another prefetch', async () => {
    const { clock, rounds } = counting();
    const started = new Collector<Delivery>();
    const ends: (() => void)[] = [];
    const handle = (delivery: Delivery): Promise<void> => {
      started.push(delivery);
      return new Promise((resolve) => ends.push(resolve));
    };
    const rabbit = await warren(broker.url, { watchdog: PERIOD }, { clock })
      .consume('calm.change', handle, { queueType: 'quorum', prefetch: 1 })
      .open();
    for (let n = 1; n <= 3; n++) await rabbit.broker.send('calm.change', n);
    await started.one();
    await until(async () => (await count(broker, 'calm.change')) === 2, 'the others to wait');
    const control = rabbit.broker.control.handler('calm.change');
    expect(await control.prefetch(5, { timeout: 10 })).toMatchObject({ inForce: false });
    await rounds(10);
    ends[0]();
    await started.take(2);
    for (const end of ends) end();
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be settled');
    expect([reasons(rabbit), started.all.map(({ payload }) => payload)]).toEqual([[], [1, 2, 3]]);
  });

  it('leaves alone a consumer whose breaker is open, which gives back all messages but one in time', async () => {
    const { clock, rounds } = counting();
    const rabbit = await warren(broker.url, { watchdog: PERIOD, consumerTimeout: 6_000 }, { clock })
      .consume('calm.broken', () => Promise.reject(new Error('down')), {
        ...{ queueType: 'quorum', prefetch: 10, concurrency: 1, retry: false },
        breaker: { failures: 1, pause: 3_000 },
      })
      .open();
    for (let n = 1; n <= 5; n++) await rabbit.broker.send('calm.broken', n);
    await eventOf(rabbit, 'breaker-open');
    const inFlight = (): number => rabbit.broker.status().consumers[0].inFlight;
    await until(() => inFlight() === 4, 'the others to be held');
    // After a third of consumerTimeout, which is less than the pause.
    await until(() => inFlight() === 1, 'three to go back');
    expect(rabbit.broker.status().consumers[0].breaker).toBe('open');
    await rounds(10);
    expect(reasons(rabbit)).toEqual([]);
  });

  it('leaves alone who works, waits for work, is on standby, or reads a stream', async () => {
    const started = new Collector<() => void>();
    const busy = (): Promise<void> => new Promise((resolve) => started.push(resolve));
    const { clock, rounds } = counting();
    const first = await warren(broker.url, { watchdog: PERIOD }, { clock })
      .consume('calm.single', busy, { singleActive: true, prefetch: 1 })
      .consume('calm.busy', busy, { prefetch: 1 })
      .consume('calm.idle', () => 1)
      .consume('calm.stream', () => 1, { queueType: 'stream' })
      .open();
    const second = await warren(broker.url, { watchdog: 20 })
      .consume('calm.single', busy, { singleActive: true, prefetch: 1 })
      .open();
    for (const queue of ['calm.single', 'calm.single', 'calm.busy', 'calm.busy'])
      await first.broker.send(queue, 1);
    await until(async () => (await count(broker, 'calm.busy')) === 1, 'one to wait');
    await rounds(10);
    expect([...reasons(first), ...reasons(second)]).toEqual([]);
    for (const finish of await started.take(2)) finish();
    for (const finish of await started.take(2)) finish();
  });

  it('says once a minute why a consumer is not ready, and that is all that is said', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('never.ready', { durable: true, maxLength: 5 });
    let now = 1_700_000_000_000;
    const timers = new Set<{ at: number; run: () => void }>();
    const clock = {
      wall: () => now,
      monotonic: () => now,
      // Real time for what waits for the broker, moved time for all that is longer.
      after: (ms: number, run: () => void) => {
        if (ms < 10_000) {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        }
        const timer = { at: now + ms, run };
        timers.add(timer);
        return () => void timers.delete(timer);
      },
    };
    const rabbit = await warren(broker.url, { startup: 'background' }, { clock })
      .consume('never.ready', () => 1)
      .consume('is.ready', () => 1)
      .open();
    await until(() => rabbit.broker.status().consumers[1].ready, 'the other consumer');
    await until(() => rabbit.broker.status().consumers[0].lastError, 'the refusal');
    // A round each half minute; the first ones come too early to complain.
    const said = (): boolean => rabbit.lines.some((line) => line.includes("'never.ready' is not ready for"));
    await until(() => {
      now += 1_000;
      for (const timer of [...timers]) if (timer.at <= now && timers.delete(timer)) timer.run();
      return said();
    }, 'the report');
    await logged(rabbit, "the consumer of 'never.ready' is not ready for");
    expect(reasons(rabbit)[0]).toMatch(/^not ready for .*x-max-length/);
    expect(rabbit.lines.filter((line) => line.includes("'is.ready'") && line.includes('not ready'))).toEqual(
      [],
    );
    // It was never given up: as soon as it can be, it is.
    await channel.deleteQueue('never.ready');
    await until(() => rabbit.broker.status().consumers[0].ready, 'the consumer');
  });
});
