// Attacks with answers and streams: a server that sends more than was agreed, a caller that reads nothing. And the ends of
// both that are no attack: whoever closes in an orderly way lets the other side go.

import { gzipSync } from 'node:zlib';
import { expect, it } from '@jest/globals';
import type { Channel } from 'amqplib';
import type { Delivery } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { kept, logged, rejection, replying, warren } from '../support/warren.js';

const json = 'application/json';

/** A server that answers a request with what it likes. */
async function hostile(
  broker: TestBroker,
  queue: string,
  answer: (send: (body: Buffer, headers?: Record<string, unknown>, contentEncoding?: string) => void) => void,
): Promise<Channel> {
  const channel = await (await broker.connect()).createChannel();
  await channel.assertQueue(queue);
  await channel.consume(queue, (message) => {
    const { replyTo, correlationId } = (message as NonNullable<typeof message>).properties as {
      replyTo: string;
      correlationId: string;
    };
    answer((body, headers = {}, contentEncoding) => {
      channel.sendToQueue(replyTo, body, { contentType: json, contentEncoding, correlationId, headers });
    });
  });
  return channel;
}

async function itemsOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

async function* endless(closed: Collector<string>): AsyncGenerator<number> {
  try {
    for (let n = 1; ; n++) {
      yield n;
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    closed.push('closed');
  }
}

onEachBroker('a server of calls', (broker) => {
  it('cannot send replies above maxMessageBytes', async () => {
    await hostile(broker, 'huge', (send) => send(Buffer.from(`"${'x'.repeat(20_000)}"`)));
    const { broker: client } = warren(broker.url, { maxMessageBytes: 10_000 });
    const error = await rejection(client.request('huge', 1));
    expect(error).toMatchObject({ code: 'WARREN_DECODE' });
    expect(error.message).toMatch(/20002 bytes, but maxMessageBytes is 10000/);
    expect(await rejection(client.stream('huge', 1).next())).toMatchObject({ code: 'WARREN_DECODE' });
  });

  it.each([
    ['items', 4, 10, /more than its credit of 4 items/],
    ['bytes', 100, 4_000, /exceed 16000 bytes/],
  ])('cannot fill its caller with unread %s of a stream', async (what, credit, bytes, message) => {
    const queue = `flood.${what}`;
    await hostile(broker, queue, (send) => {
      // The first one is read, and those after it wait.
      for (let n = 1; n <= 6; n++) {
        const headers = { 'x-warren-run': 'r', 'x-warren-sequence': n };
        send(Buffer.from(`"${'x'.repeat(bytes - 2)}"`), headers);
      }
    });
    const { broker: client } = warren(broker.url, { maxMessageBytes: 4_000 });
    const stream = client.stream<string>(queue, 1, { credit });
    await stream.next();
    await until(() => client.status().pendingCalls === 0, 'the stream to be broken off');
    let more = 0;
    const error = await rejection(
      (async () => {
        for await (const item of stream) more += item.length > 0 ? 1 : 0;
      })(),
    );
    expect(error).toMatchObject({ code: 'WARREN_RPC_PROTOCOL' });
    expect(error.message).toMatch(message);
    expect(more).toBe(4);
  });

  it('cannot fill its caller with what compressed items unfold to', async () => {
    const item = gzipSync(JSON.stringify('x'.repeat(100_000)));
    await hostile(broker, 'flood.folded', (send) => {
      for (let n = 1; n <= 100; n++) {
        send(item, { 'x-warren-run': 'r', 'x-warren-sequence': n }, 'gzip');
      }
    });
    const { broker: client } = warren(broker.url, { maxMessageBytes: 100_000 });
    const stream = client.stream<string>('flood.folded', 1, { credit: 100 });
    await stream.next();
    await until(() => client.status().pendingCalls === 0, 'the stream to be broken off');
    expect(await rejection(itemsOf(stream))).toMatchObject({
      code: 'WARREN_RPC_PROTOCOL',
      message: expect.stringContaining('exceed 400000 bytes'),
    });
    // One alone may unfold to more than a message may have.
    await hostile(broker, 'one.folded', (send) =>
      send(gzipSync(JSON.stringify('x'.repeat(300_000))), {}, 'gzip'),
    );
    const [one] = await itemsOf(client.stream<string>('one.folded', 1));
    expect(one).toHaveLength(300_000);
  });

  it('cannot fill its caller with what compressed answers of many unfold to', async () => {
    const channel = await (await broker.connect()).createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.assertExchange('warren.gather', 'direct', { durable: true });
    await channel.bindQueue(queue, 'warren.gather', 'all.folded');
    await channel.consume(queue, (message) => {
      const { replyTo, correlationId } = (message as NonNullable<typeof message>).properties;
      for (const instance of ['1', '2', '3', '4', '5']) {
        channel.sendToQueue(replyTo as string, gzipSync(JSON.stringify('x'.repeat(100_000))), {
          ...{ contentType: json, contentEncoding: 'gzip', correlationId: correlationId as string },
          headers: { 'x-warren-run': instance },
        });
      }
    });
    const gathered = (maxMessageBytes: number): Promise<unknown> =>
      warren(broker.url, { maxMessageBytes }).broker.gather('all.folded', 1, { expect: 5, timeout: '5s' });
    expect(await rejection(gathered(100_000))).toMatchObject({ code: 'WARREN_RPC_PROTOCOL' });
    const value = expect.any(String);
    expect(await gathered(200_000)).toEqual([{ value }, { value }, { value }, { value }, { value }]);
  });

  it('learns from its caller that it closed, so that a stream without an end does not go on', async () => {
    const closed = new Collector<string>();
    const server = await warren(broker.url)
      .rpc('left', () => endless(closed))
      .open();
    const client = kept(warren(broker.url));
    const stream = client.broker.stream('left', 1, { timeout: '5m' });
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    await client.broker.close();
    await closed.one();
    await until(() => server.broker.status().consumers[0].inFlight === 0, 'the request to be settled');
  });

  it('that closes does not spend all of its time on a stream without an end, and says so', async () => {
    const closed = new Collector<string>();
    const server = kept(
      await warren(broker.url, { shutdown: '20s' })
        .rpc('endless', () => endless(closed))
        .open(),
    );
    const { broker: client } = warren(broker.url);
    const read = async (): Promise<void> => {
      for await (const item of client.stream('endless', 1)) void item;
    };
    const reading = rejection(read());
    await until(() => server.broker.status().consumers[0].inFlight === 1, 'the stream to run');
    const began = performance.now();
    const closing = server.broker.close();
    expect(await reading).toMatchObject({ remoteCode: 'WARREN_SHUTTING_DOWN' });
    await within(closing, 'the end');
    // After half of it the stream is stopped.
    expect(performance.now() - began).toBeLessThan(19_000);
  });
});

onEachBroker('a sender to a shared queue', (broker) => {
  it('is not told which handlers there are', async () => {
    const options = { queue: 'shared', exchange: { name: 'routes', type: 'direct' } } as const;
    const server = await warren(broker.url)
      .rpc('secret.one', () => 1, options)
      .rpc('secret.two', () => 2, options)
      .open();
    const error = await rejection(server.broker.request('shared', 1));
    expect(error).toMatchObject({ remoteCode: 'WARREN_NO_HANDLER' });
    expect(error.message).not.toMatch(/secret/);
    await logged(server, 'secret.one, secret.two');
  });
});

onEachBroker('a call that never left', (broker) => {
  it('says so, and that it can be made again', async () => {
    const handled = new Collector<Delivery>();
    const { broker: client } = warren('amqp://127.0.0.1:1');
    const expected = { code: 'WARREN_RPC_NOT_SENT', name: 'RpcNotSentError' };
    const timeout = '200ms';
    for (const calling of [
      client.request('nobody', 1, { timeout }),
      client.gather('nobody', 1, { timeout }),
      client.stream('nobody', 1, { timeout }).next(),
    ]) {
      const error = await rejection(calling);
      expect(error).toMatchObject(expected);
      expect(error.message).toMatch(/was not sent within 200 ms: there is no connection/);
    }
    // One that left and was not answered does not.
    const connected = await warren(broker.url, { shutdown: 50 })
      .rpc('silent', (delivery) => (handled.push(delivery), new Promise(() => undefined)))
      .open();
    await replying(connected);
    expect(await rejection(connected.broker.request('silent', 1, { timeout: '1s' }))).toMatchObject({
      code: 'WARREN_RPC_TIMEOUT',
    });
    (await handled.one()).abort(new Error('over'));
  });

  it('gives its place to the next one', async () => {
    const { broker: client } = warren('amqp://127.0.0.1:1', { rpc: { maxPending: 2 } });
    for (let n = 0; n < 3; n++) {
      const calls = [1, 2].map(() => rejection(client.request('nobody', 1, { timeout: '50ms' })));
      for (const error of await Promise.all(calls)) expect(error.code).toBe('WARREN_RPC_NOT_SENT');
    }
  });
});

onEachBroker('a request that is tried again', (broker) => {
  it('is answered with the error when the next wait would end after the time of its caller', async () => {
    const attempts = new Collector<number>();
    const fail = (delivery: Delivery): string => {
      attempts.push(delivery.attempt);
      if (delivery.attempt === 1) throw new Error('not yet');
      return 'done';
    };
    const { broker: client } = await warren(broker.url)
      .rpc('soon', fail, { retry: { attempts: 2, delays: ['50ms'] } })
      .rpc('too.late', fail, { retry: { attempts: 2, delays: ['10m'] } })
      .open();
    expect(await client.request('soon', 1)).toBe('done');
    const calling = rejection(client.request('too.late', 1, { timeout: '5m' }));
    const error = await within(calling, 'the error');
    expect(error).toMatchObject({ code: 'WARREN_RPC_REMOTE' });
    expect(attempts.all).toEqual([1, 2, 1]);
  });
});
