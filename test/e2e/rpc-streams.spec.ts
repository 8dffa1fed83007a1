// Streamed answers: items in order with back-pressure, errors after what was sent, and a generator that never outlives
// its reader, whatever is lost on the way.

import { describe, expect, it } from '@jest/globals';
import { nest, Reject, type BrokerOptions, type Codec, type Delivery, type Encoded } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Tap } from '../support/tap.js';
import { Collector, until, within } from '../support/events.js';
import { logged, rejection, replying, warren, type Warren } from '../support/warren.js';

/** Counts up to what was asked for, and writes down how far it was and that it was stopped. */
class Counting {
  readonly stopped = new Collector<number>('ends of generators');
  yielded = 0;
  running = 0;

  readonly handle = ({ payload }: Delivery): AsyncGenerator<number> => this.count(payload as number);

  private async *count(upTo: number): AsyncGenerator<number> {
    this.running++;
    try {
      for (let n = 1; n <= upTo; n++) {
        this.yielded++;
        yield await Promise.resolve(n);
      }
    } finally {
      this.running--;
      this.stopped.push(this.yielded);
    }
  }
}

/** Yields 1, then nothing until it is told to stop. */
async function* quiet({ signal }: Delivery): AsyncGenerator<number> {
  yield 1;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n + 1);
}

async function atRest(...all: Warren[]): Promise<void> {
  for (const { broker } of all) {
    await until(() => {
      const { pendingCalls, timers, consumers } = broker.status();
      return pendingCalls === 0 && timers === 0 && consumers.every(({ inFlight }) => inFlight === 0);
    }, 'nothing to be left over');
  }
}

/** What was logged, besides the introduction. */
function complaints({ lines }: Warren): string[] {
  return lines.filter((line) => !/connected to| queue .* -> /.test(line));
}

onEachBroker('streams', (broker) => {
  describe.each(['direct', 'queue'] as const)('with replies by %s', (reply) => {
    const options: BrokerOptions = { rpc: { reply } };

    it('give every item once and in order, then end, and leave nothing behind', async () => {
      const counting = new Counting();
      const rabbit = await warren(broker.url, options).rpc('count', counting.handle).open();
      expect(await all(rabbit.broker.stream('count', 1_000))).toEqual(numbers(1_000));
      expect(await all(rabbit.broker.stream('count', 0))).toEqual([]);
      expect(await all(rabbit.broker.stream('count', 100, { credit: 1 }))).toEqual(numbers(100));
      expect(counting.stopped.size).toBe(3);
      await atRest(rabbit);
    });

    it('run the finally of the generator at once when the reader leaves', async () => {
      const counting = new Counting();
      const rabbit = await warren(broker.url, options).rpc('left', counting.handle).open();
      for await (const item of rabbit.broker.stream('left', 1_000_000, { timeout: '5m' }))
        if (item === 3) break;
      await counting.stopped.one();
      expect(counting.yielded).toBeLessThanOrEqual(3 + 64);
      await atRest(rabbit);
    });
  });

  it('are never further ahead of a slow reader than its credit', async () => {
    const counting = new Counting();
    const rabbit = await warren(broker.url).rpc('ahead', counting.handle).open();
    const items = rabbit.broker.stream<number>('ahead', 300, { credit: 8 });
    let furthest = 0;
    for await (const item of items) {
      // The generator gets every chance to run ahead.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      furthest = Math.max(furthest, counting.yielded - item);
    }
    expect(furthest).toBeLessThanOrEqual(8);
    expect(counting.yielded).toBe(300);
  });

  it('tell an error in the middle after the items before it', async () => {
    const rabbit = await warren(broker.url, { rpc: { exposeErrors: true } })
      .rpc('middle', async function* () {
        yield* await Promise.resolve([1, 2, 3]);
        throw new RangeError('disk full');
      })
      .rpc('unfit', async function* () {
        yield await Promise.resolve(1);
        yield () => 2;
      })
      .open();
    for (const [pattern, expected, remoteName] of [
      ['middle', [1, 2, 3], 'RangeError'],
      ['unfit', [1], 'EncodeError'],
    ] as const) {
      const seen: unknown[] = [];
      const read = async (): Promise<void> => {
        for await (const item of rabbit.broker.stream(pattern, 0)) seen.push(item);
      };
      expect(await rejection(read())).toMatchObject({ code: 'WARREN_RPC_REMOTE', remoteName });
      expect(seen).toEqual(expected);
    }
    await atRest(rabbit);
  });

  it('of a handler with one answer are that answer, and a plain call of a generator gets its last item', async () => {
    const counting = new Counting();
    const rabbit = await warren(broker.url)
      .rpc('one', () => 'only')
      .rpc('many', counting.handle)
      .rpc('fails', () => Promise.reject(new Error('no')))
      .open();
    expect(await all(rabbit.broker.stream('one', 0))).toEqual(['only']);
    expect(await rabbit.broker.request('many', 5)).toBe(5);
    expect(await rabbit.broker.request('many', 0)).toBeUndefined();
    expect((await rejection(all(rabbit.broker.stream('fails', 0)))).code).toBe('WARREN_RPC_REMOTE');
    await atRest(rabbit);
  });

  it('end when nobody listens, when a credit makes no sense, and when nothing was read', async () => {
    const { broker: client } = warren(broker.url);
    expect((await rejection(all(client.stream('nobody', 1)))).code).toBe('WARREN_RPC_NO_SERVER');
    for (const credit of [0, -1, 1.5, NaN, 1e9]) {
      expect((await rejection(all(client.stream('nobody', 1, { credit })))).code).toBe('WARREN_ENCODE');
    }
    const unread = client.stream('nobody', 1);
    expect(await unread.return?.()).toEqual({ done: true, value: undefined });
    expect(await unread.next()).toEqual({ done: true, value: undefined });
    expect(client.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
  });

  it('can be left while an item is awaited', async () => {
    const started = new Collector<Delivery>();
    const rabbit = await warren(broker.url)
      .rpc('awaited', (delivery) => (started.push(delivery), quiet(delivery)))
      .open();
    const items = rabbit.broker.stream('awaited', 0);
    expect(await items.next()).toEqual({ done: false, value: 1 });
    const waiting = items.next();
    await items.return?.();
    expect(await within(waiting, 'the item that was awaited')).toMatchObject({ done: true });
    const { signal } = await started.one();
    await until(() => signal.aborted, 'the handler to be told');
    await atRest(rabbit);
  });

  it('end at once with the signal of the caller, whose handler is told', async () => {
    const started = new Collector<Delivery>();
    const rabbit = await warren(broker.url)
      .rpc('cancelled', (delivery) => (started.push(delivery), quiet(delivery)))
      .open();
    const controller = new AbortController();
    const reading = rejection(all(rabbit.broker.stream('cancelled', 0, { signal: controller.signal })));
    const delivery = await started.one();
    controller.abort(new Error('enough'));
    expect(await reading).toMatchObject({ code: 'WARREN_RPC_CANCELLED', cause: { message: 'enough' } });
    await until(() => delivery.signal.aborted, 'the handler to be told');
    expect(delivery.signal.reason).toMatchObject({ code: 'WARREN_CALLER_LEFT' });
    await atRest(rabbit);
    expect(complaints(rabbit)).toEqual([]);
  });

  it('are kept alive while their generator has nothing to say, for longer than the timeout', async () => {
    let next = (): void => undefined;
    const rabbit = await warren(broker.url)
      .rpc('slow', async function* () {
        yield 1;
        await new Promise<void>((resolve) => (next = resolve));
        yield 2;
      })
      .open();
    const items = rabbit.broker.stream('slow', 0, { timeout: 2_000 });
    expect(await items.next()).toMatchObject({ value: 1 });
    const since = performance.now();
    const waiting = items.next();
    // waits: that a stream outlives its timeout is what is tested
    await until(() => performance.now() - since > 3_000, 'more than the timeout to pass');
    next();
    expect(await waiting).toMatchObject({ value: 2 });
    expect(await items.next()).toMatchObject({ done: true });
  });

  it('end with a time-out when the server is silent', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('mute');
    await channel.consume('mute', () => undefined, { noAck: true });
    const caller = warren(broker.url);
    await replying(caller);
    const { broker: client } = caller;
    expect(await rejection(all(client.stream('mute', 0, { timeout: 1_000 })))).toMatchObject({
      code: 'WARREN_RPC_TIMEOUT',
      routingKey: 'mute',
      waitedMs: 1_000,
    });
    expect(client.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
  });

  it('stop when their caller is gone without a word', async () => {
    const counting = new Counting();
    const server = await warren(broker.url).rpc('lost', counting.handle).rpc('lost.quiet', quiet).open();
    const vhost = await broker.connect();
    const channel = await vhost.createChannel();
    const seen = new Collector<unknown>();
    await channel.consume('amq.rabbitmq.reply-to', seen.push, { noAck: true });
    for (const queue of ['lost', 'lost.quiet']) {
      channel.sendToQueue(queue, Buffer.from('1000000'), {
        replyTo: 'amq.rabbitmq.reply-to',
        correlationId: queue,
        contentType: 'application/json',
        expiration: '2000',
        headers: { 'x-warren-stream': 10 },
      });
    }
    await seen.take(11);
    await vhost.close();
    await counting.stopped.one();
    await atRest(server);
    expect(server.broker.status().counters.repliesLost).toBe(2);
    expect(complaints(server)).toEqual([]);
  });

  it('break off clearly when the connection is lost in the middle, and the generator ends', async () => {
    const started = new Collector<Delivery>();
    const server = await warren(broker.url)
      .rpc('cut', (delivery) => (started.push(delivery), quiet(delivery)))
      .open();
    const client = warren(broker.url);
    const items = client.broker.stream('cut', 0, { timeout: 4_000 });
    expect(await items.next()).toMatchObject({ value: 1 });
    const waiting = rejection(items.next());
    await broker.closeConnections();
    expect((await within(waiting, 'the loss')).code).toBe('WARREN_RPC_CONNECTION_LOST');
    const first = await started.one();
    await until(() => first.signal.aborted, 'the generator to be told');
    await atRest(server, client);
    expect(
      await all(client.broker.stream('cut', 0, { timeout: 600, signal: AbortSignal.timeout(1) })).catch(
        () => 'over',
      ),
    ).toBe('over');
  });

  it('fail when their server dies in the middle and another one begins anew, which is stopped', async () => {
    const tap = await Tap.open(broker.url);
    await warren(tap.url, { shutdown: 50 }).rpc('moved', quiet).open();
    const client = warren(broker.url);
    const items = client.broker.stream('moved', 0);
    expect(await items.next()).toMatchObject({ value: 1 });
    const started = new Collector<Delivery>();
    const second = await warren(broker.url)
      .rpc('moved', (delivery) => (started.push(delivery), quiet(delivery)))
      .open();
    const waiting = rejection(items.next());
    tap.cut();
    expect(await waiting).toMatchObject({ code: 'WARREN_RPC_CONNECTION_LOST' });
    const { signal } = await started.one();
    await until(() => signal.aborted, 'the second one to be told');
    await atRest(second, client);
  });

  it('go on when the queue of their request is deleted', async () => {
    const counting = new Counting();
    const queue = 'deleted';
    const rabbit = await warren(broker.url).rpc(queue, counting.handle).open();
    const items = rabbit.broker.stream<number>(queue, 500, { credit: 4 });
    expect(await items.next()).toMatchObject({ value: 1 });
    const channel = await (await broker.connect()).createChannel();
    await channel.deleteQueue(queue);
    await until(
      () => rabbit.events.all.filter(({ kind }) => kind === 'consumer-ready').length === 2,
      'its return',
    );
    expect(await all(items)).toEqual(numbers(500).slice(1));
    expect(counting.stopped.size).toBe(1);
  });

  it('of which nothing was read yet go on with another server', async () => {
    const never = async function* ({ signal }: Delivery): AsyncGenerator<number> {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      yield 0;
    };
    const started = new Collector<Delivery>();
    const first = await warren(broker.url, { shutdown: 50 })
      .rpc('handed.on', (delivery) => (started.push(delivery), never(delivery)))
      .open();
    const client = warren(broker.url);
    const reading = all(client.broker.stream('handed.on', 3));
    await started.one();
    const counting = new Counting();
    const second = await warren(broker.url).rpc('handed.on', counting.handle).open();
    await first.broker.close();
    expect(await reading).toEqual([1, 2, 3]);
    await atRest(second, client);
  });

  it('end with a clear error when their server shuts down, and are not begun anew', async () => {
    const first = await warren(broker.url, { shutdown: 50 }).rpc('closing', quiet).open();
    const client = warren(broker.url);
    const items = client.broker.stream('closing', 0);
    expect(await items.next()).toMatchObject({ value: 1 });
    const counting = new Counting();
    const second = await warren(broker.url).rpc('closing', counting.handle).open();
    const waiting = rejection(items.next());
    await within(first.broker.close(), 'the server to close');
    expect(await waiting).toMatchObject({ code: 'WARREN_RPC_REMOTE', remoteCode: 'WARREN_SHUTTING_DOWN' });
    await atRest(second, client);
    expect(counting.stopped.size).toBe(0);
  });

  it('end with the timeout of their handler, which is for all of the stream', async () => {
    const rabbit = await warren(broker.url).rpc('limited', quiet, { timeout: 150 }).open();
    const items = rabbit.broker.stream('limited', 0);
    expect(await items.next()).toMatchObject({ value: 1 });
    expect(await rejection(items.next())).toMatchObject({ remoteCode: 'WARREN_HANDLER_TIMEOUT' });
    await atRest(rabbit);
  });

  it('give their request up before the broker takes it back', async () => {
    const rabbit = await warren(broker.url, { consumerTimeout: 300 }).rpc('long', quiet).open();
    const items = rabbit.broker.stream('long', 0);
    expect(await items.next()).toMatchObject({ value: 1 });
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'the request to be settled');
    await items.return?.();
    await atRest(rabbit);
    expect(complaints(rabbit)).toEqual([]);
  });

  it('go on over the wire of Nest, without credit, and stop there too', async () => {
    const counting = new Counting();
    const rabbit = await warren(broker.url).rpc('nested', counting.handle, { codec: nest }).open();
    expect(await all(rabbit.broker.stream('nested', 2_000, { codec: nest }))).toEqual(numbers(2_000));
    expect(await rabbit.broker.request('nested', 3, { codec: nest })).toBe(3);
    await atRest(rabbit);
  });

  it('over a wire that gives arrays of bytes cost nobody the connection, and no bytes are an error', async () => {
    const array = ({ content }: Encoded): Encoded => ({ content: new Uint8Array(content) as Buffer });
    const arrays: Codec = {
      ...nest,
      encodeReply: (value, more) => array((nest.encodeReply as Required<Codec>['encodeReply'])(value, more)),
      encodeEnd: () => array((nest.encodeEnd as Required<Codec>['encodeEnd'])()),
      encodeError: (error) => array((nest.encodeError as Required<Codec>['encodeError'])(error)),
    };
    const late: Codec = { ...nest, encodeReply: () => Promise.reject(new Error('late')) as never };
    const counting = new Counting();
    const rabbit = await warren(broker.url)
      .rpc('arrays', counting.handle, { codec: arrays })
      .rpc('fails', () => Promise.reject(Reject('no')), { codec: arrays })
      .rpc('late', () => 1, { codec: late })
      .open();
    const lost = new Collector<unknown>();
    rabbit.broker.on((event) => lost.push(event), ['disconnected']);
    const { broker: client } = rabbit;
    expect(await all(client.stream('arrays', 50, { codec: nest }))).toEqual(numbers(50));
    expect(await client.request('arrays', 3, { codec: nest })).toBe(3);
    expect(await rejection(client.request('fails', 1, { codec: nest }))).toMatchObject({
      message: expect.stringContaining('no'),
      code: 'WARREN_RPC_REMOTE',
    });
    expect(await rejection(client.request('late', 1, { codec: nest }))).toMatchObject({
      remoteCode: 'WARREN_ENCODE',
    });
    expect(lost.size).toBe(0);
  });

  it('leave no timer, no call and no listener, however many there were', async () => {
    const counting = new Counting();
    const rabbit = await warren(broker.url).rpc('often', counting.handle).open();
    const controller = new AbortController();
    const { signal } = controller;
    let listening = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => (listening++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listening--, remove(...args));
    for (let n = 0; n < 200; n++) {
      for await (const item of rabbit.broker.stream('often', 5, { signal, credit: 2 })) {
        if (n % 2 === 0 && item === 2) break;
      }
    }
    await atRest(rabbit);
    expect(counting.running).toBe(0);
    expect(listening).toBe(0);
  });
});

onEachBroker('streams of a service that may not have a queue for what its callers say', (broker) => {
  it('are refused with a clear error; calls are answered', async () => {
    const { username } = new URL(broker.url);
    await broker.manage('PUT', `/permissions/${broker.vhostPath}/${username}`, {
      ...{ configure: '^(alone|events|warren[.](orphans|back))', write: '.*', read: '.*' },
    });
    const counting = new Counting();
    const started = new Collector<Delivery>();
    const rabbit = await warren(broker.url)
      .rpc(
        'alone',
        (delivery) => (
          started.push(delivery),
          delivery.payload === 'wait' ? quiet(delivery) : counting.handle(delivery)
        ),
      )
      .open();
    await logged(rabbit, 'this process does not receive cancellations from callers');
    expect(await rejection(all(rabbit.broker.stream('alone', 5)))).toMatchObject({
      remoteCode: 'WARREN_RPC_PROTOCOL',
    });
    expect(await rabbit.broker.request('alone', 5)).toBe(5);
    const controller = new AbortController();
    const cancelled = rejection(rabbit.broker.request('alone', 'wait', { signal: controller.signal }));
    await started.take(3);
    controller.abort();
    expect((await cancelled).code).toBe('WARREN_RPC_CANCELLED');
    await logged(rabbit, 'keep running on their servers');
    expect(await rabbit.broker.request('alone', 0)).toBeUndefined();
    expect(complaints(rabbit).filter((line) => line.includes('does not receive cancellations'))).toHaveLength(
      1,
    );
  });
});
