// Calls under load and in trouble: thousands at once, large answers, servers and brokers that die under them. Every
// call settles with the truth, soon, and nothing stays behind.

import { describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from '@warren/embedded';
import type { Delivery } from '@warren/amqp';
import type { ConsumeMessage } from 'amqplib';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { rejection, replying, warren } from '../support/warren.js';

onEachBroker('calls in trouble', (broker) => {
  it('5000 at once each get their own answer', async () => {
    const CALLS = 5_000;
    const rabbit = await warren(broker.url, { prefetch: 1_000 })
      .rpc('crowd', async ({ payload }) => (await Promise.resolve(payload as number)) + 1)
      .open();
    const calls = Array.from({ length: CALLS }, (_, n) =>
      rabbit.broker.request('crowd', n, { timeout: '25s' }),
    );
    expect(await Promise.all(calls)).toEqual(Array.from({ length: CALLS }, (_, n) => n + 1));
    await until(() => rabbit.broker.status().timers === 0, 'no timer to be left');
    expect(rabbit.broker.status()).toMatchObject({
      ...{ pendingCalls: 0, counters: { repliesLost: 0, repliesIgnored: 0 } },
    });
  });

  it('5000 at once all fail at once when the connection is lost', async () => {
    const CALLS = 5_000;
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('swallowed');
    const tap = await Tap.open(broker.url);
    const { broker: client } = warren(tap.url);
    // One timer for all of them: when they fail to settle, that is one report and not thousands.
    const calls = Promise.allSettled(
      Array.from({ length: CALLS }, () => client.request('swallowed', 1, { timeout: '5m' })),
    );
    await until(async () => (await channel.checkQueue('swallowed')).messageCount === CALLS, 'all to be sent');
    tap.reset();
    // Far below their time-outs: they end with the connection.
    const ends = await within(calls, 'all to fail');
    const codes = ends.map((end) => end.status === 'rejected' && (end.reason as { code: string }).code);
    expect(new Set(codes)).toEqual(new Set(['WARREN_RPC_CONNECTION_LOST']));
    expect(client.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
    tap.cut();
  });

  it('carry answers of 10 MB, of bytes and of JSON', async () => {
    const bytes = Buffer.alloc(10 * 1024 * 1024, 7);
    const { broker: client } = await warren(broker.url)
      .rpc('large', ({ payload }) => (payload === 'bytes' ? bytes : { text: 'x'.repeat(10 * 1024 * 1024) }))
      .open();
    const [one, other] = await Promise.all([
      client.request<Buffer>('large', 'bytes', { timeout: '25s' }),
      client.request<{ text: string }>('large', 'json', { timeout: '25s' }),
    ]);
    expect(one.equals(bytes)).toBe(true);
    expect(other.text).toHaveLength(10 * 1024 * 1024);
  });

  it('are answered by another server when theirs dies', async () => {
    const started = new Collector<Delivery>();
    const tap = await Tap.open(broker.url);
    await warren(tap.url, { shutdown: 50 })
      .rpc('relay', (delivery) => (started.push(delivery), new Promise(() => undefined)))
      .open();
    const { broker: client } = warren(broker.url);
    const calling = client.request('relay', 'x', { timeout: '20s' });
    await started.one();
    await warren(broker.url)
      .rpc('relay', ({ payload }) => `second ${String(payload)}`)
      .open();
    tap.cut();
    expect(await within(calling, 'the answer')).toBe('second x');
  });

  it('are not answered with an error by a server that shuts down, when another one is there', async () => {
    const started = new Collector<Delivery>();
    const first = await warren(broker.url, { shutdown: 50 })
      .rpc('drained', (delivery) => {
        started.push(delivery);
        return new Promise((_resolve, reject) =>
          delivery.signal.addEventListener('abort', () => reject(delivery.signal.reason as Error)),
        );
      })
      .open();
    const { broker: client } = warren(broker.url);
    const calling = client.request('drained', 1, { timeout: '20s' });
    await started.one();
    await warren(broker.url)
      .rpc('drained', () => 'second')
      .open();
    await first.broker.close();
    expect(await within(calling, 'the answer')).toBe('second');
    expect(started.all[0].signal.reason).toMatchObject({ code: 'WARREN_SHUTTING_DOWN' });
  });

  it('count replies that are late, repeated or foreign, and are not disturbed', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('chatty');
    const requests = new Collector<ConsumeMessage>();
    await channel.consume('chatty', (request) => request && requests.push(request), { noAck: true });
    const caller = warren(broker.url);
    await replying(caller);
    const { broker: client } = caller;
    const say = ({ properties }: ConsumeMessage, body: string, correlationId?: string): boolean =>
      channel.sendToQueue(properties.replyTo as string, Buffer.from(body), {
        ...{ contentType: 'application/json' },
        correlationId: correlationId ?? (properties.correlationId as string),
      });
    const late = rejection(client.request('chatty', 1, { timeout: 1_000 }));
    const first = await requests.one();
    expect((await late).code).toBe('WARREN_RPC_TIMEOUT');
    const calling = client.request('chatty', 2);
    const second = await requests.one();
    say(first, '"late"');
    say(second, '"foreign"', 'somebody else');
    say(second, '"answer"');
    say(second, '"again"');
    expect(await calling).toBe('answer');
    await until(() => client.status().counters.repliesIgnored === 3, 'the others to be counted');
    expect(client.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
  });

  it('of two applications in one process do not meet', async () => {
    const two = await Promise.all(
      ['a', 'b'].map((name) =>
        warren(broker.url, { service: name })
          .rpc(`who.${name}`, () => name)
          .open(),
      ),
    );
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => two[n % 2].broker.request(`who.${'ab'[(n >> 1) % 2]}`, n)),
    );
    expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => 'ab'[(n >> 1) % 2]));
    for (const { broker: one } of two) await until(() => one.status().timers === 0, 'no timer to be left');
  });

  it('of handlers that never settle end with their time, and the next ones work', async () => {
    const rabbit = await warren(broker.url, { shutdown: 50 })
      .rpc('stuck', ({ payload }) => (payload === 'stuck' ? new Promise(() => undefined) : payload))
      .open();
    await replying(rabbit);
    const stuck = Array.from({ length: 20 }, () =>
      rejection(rabbit.broker.request('stuck', 'stuck', { timeout: 1_000 })),
    );
    expect(new Set((await Promise.all(stuck)).map(({ code }) => code))).toEqual(
      new Set(['WARREN_RPC_TIMEOUT']),
    );
    expect(await rabbit.broker.request('stuck', 'next')).toBe('next');
    await until(() => rabbit.broker.status().timers === 0, 'no timer to be left');
  });
});

describe('a broker that is started again', () => {
  it('fails calls and streams under way at once, and serves the next ones', async () => {
    const first = await EmbeddedBroker.start({ port: 0 });
    const port = Number(new URL(first.url).port);
    const started = new Collector<Delivery>();
    const wait = (delivery: Delivery): unknown => {
      if (delivery.payload !== 'wait') return 'ok';
      started.push(delivery);
      return new Promise((resolve) => delivery.signal.addEventListener('abort', resolve));
    };
    const rabbit = await warren(first.url)
      .rpc('restarted', wait, { timeout: '2s' })
      .rpc(
        'restarted.items',
        async function* (delivery) {
          yield 1;
          await wait(delivery);
        },
        { timeout: '2s' },
      )
      .open();
    const calling = rejection(rabbit.broker.request('restarted', 'wait'));
    const items = rabbit.broker.stream('restarted.items', 'wait');
    await items.next();
    const reading = rejection(items.next());
    await started.take(2);
    await first.close();
    for (const lost of [calling, reading]) expect((await lost).code).toBe('WARREN_RPC_CONNECTION_LOST');
    const second = await EmbeddedBroker.start({ port });
    try {
      // The new broker has no queues until the service has declared them again, and says so until then.
      const answer = () => rabbit.broker.request('restarted', 'go').catch(() => undefined);
      expect(await until(answer, 'an answer of the new life')).toBe('ok');
      expect(rabbit.broker.status().pendingCalls).toBe(0);
    } finally {
      await rabbit.broker.close();
      await second.close();
    }
  });
});
