// A cancel travels: whoever gives a call up stops the handler that works for it, wherever that runs, and work that has
// not begun is not begun.

import { describe, expect, it } from '@jest/globals';
import { systemClock, type Delivery, type HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, rejection, taken, type Warren, warren } from '../support/warren.js';

const patient = ({ signal }: Delivery): Promise<unknown> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );

onEachBroker('a cancel', (broker) => {
  const routes: [string, string, HandlerOptions, { exchange?: string; headers?: Record<string, unknown> }][] =
    [
      ['a queue', 'plain', {}, {}],
      [
        'a direct exchange',
        'd.key',
        { queue: 'd', exchange: { name: 'cd', type: 'direct' } },
        { exchange: 'cd' },
      ],
      ['a topic exchange', 't.*.key', { queue: 't', exchange: { name: 'ct' } }, { exchange: 'ct' }],
      [
        'a fanout exchange',
        'any',
        { queue: 'f', exchange: { name: 'cf', type: 'fanout' } },
        { exchange: 'cf' },
      ],
      [
        'a headers exchange',
        'none',
        {
          queue: 'h',
          bindings: [{ exchange: { name: 'ch', type: 'headers' }, match: { all: { kind: 'x' } } }],
        },
        { exchange: 'ch', headers: { kind: 'x' } },
      ],
    ];

  describe.each(['direct', 'queue'] as const)('with replies by %s', (reply) => {
    it.each(routes)('over %s stops the handler in another process', async (_name, pattern, options, call) => {
      const started = new Collector<Delivery>();
      const handle = (delivery: Delivery): unknown => (started.push(delivery), patient(delivery));
      const server = await warren(broker.url).rpc(pattern, handle, options).open();
      const client = warren(broker.url, { rpc: { reply } });
      const controller = new AbortController();
      const key = pattern.replace('*', 'some');
      const calling = rejection(client.broker.request(key, 1, { ...call, signal: controller.signal }));
      const delivery = await started.one();
      controller.abort(new Error('enough'));
      expect(await calling).toMatchObject({ code: 'WARREN_RPC_CANCELLED', cause: { message: 'enough' } });
      await until(() => delivery.signal.aborted, 'the handler to be told');
      expect(delivery.signal.reason).toMatchObject({ code: 'WARREN_CALLER_LEFT' });
      await until(() => server.broker.status().consumers[0].inFlight === 0, 'the request to be settled');
      expect(server.lines.filter((line) => /failed|not delivered/.test(line))).toEqual([]);
      expect(client.broker.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
    });
  });

  it('makes a request that fails after it a dead letter, and not a retry for nobody', async () => {
    const started = new Collector<Delivery>();
    const stopped = (): never => {
      throw new Error('stopped');
    };
    const rabbit = await warren(broker.url)
      .rpc('left.early', (delivery) => (started.push(delivery), patient(delivery).catch(stopped)), {
        deadLetter: true,
        retry: { attempts: 3, delays: '50ms', jitter: false },
      })
      .open();
    const controller = new AbortController();
    const calling = rejection(
      rabbit.broker.request('left.early', 1, { signal: controller.signal, timeout: '1m' }),
    );
    await started.one();
    controller.abort();
    expect((await calling).code).toBe('WARREN_RPC_CANCELLED');
    expect((await taken(broker, 'left.early.dead')).properties.headers).toMatchObject({
      'x-warren-reason': 'attempts-exhausted',
      'x-exception-message': 'stopped',
    });
    expect(started.size).toBe(1);
  });

  it('keeps what waits for its turn from being begun', async () => {
    const started = new Collector<unknown>();
    let release = (): void => undefined;
    const first = new Promise<void>((resolve) => (release = resolve));
    const told = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .rpc('queued', ({ payload }) => (started.push(payload), first), { concurrency: 1 })
      .rpc('probe', (delivery) => (told.push('begun'), patient(delivery).finally(() => told.push('told'))))
      .open();
    const running = rabbit.broker.request('queued', 'first');
    await started.one();
    const controller = new AbortController();
    const waiting = rejection(rabbit.broker.request('queued', 'second', { signal: controller.signal }));
    await until(() => rabbit.broker.status().consumers[0].inFlight === 2, 'the second one to be here');
    controller.abort();
    expect((await waiting).code).toBe('WARREN_RPC_CANCELLED');
    await cancelled(rabbit, 'probe', told);
    release();
    await running;
    expect((await eventOf(rabbit, 'call-skipped')).reason).toBe('left');
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be settled');
    expect(started.all).toEqual(['first']);
  });

  it('is not one of the next call with the same correlation id', async () => {
    const started = new Collector<unknown>();
    let release = (): void => undefined;
    const first = new Promise<void>((resolve) => (release = resolve));
    const told = new Collector<unknown>();
    const rabbit = await warren(broker.url, { prefetch: 1, concurrency: 1 })
      .rpc('anew', ({ payload }) => (started.push(payload), payload === 'first' ? first : payload))
      .rpc('told', (delivery) => (told.push('begun'), patient(delivery).finally(() => told.push('told'))))
      .open();
    const running = rabbit.broker.request('anew', 'first');
    await started.one();
    const own = { correlationId: 'order-7' };
    const failed = rejection(rabbit.broker.request('anew', 'late', { ...own, timeout: 200 }));
    expect((await failed).code).toBe('WARREN_RPC_TIMEOUT');
    await cancelled(rabbit, 'told', told);
    release();
    await running;
    expect(await rabbit.broker.request('anew', 'again', own)).toBe('again');
    expect(started.all).toEqual(['first', 'again']);
  });

  it('reaches a later attempt at a request with a correlation id of its own', async () => {
    const started = new Collector<Delivery>();
    const handle = (delivery: Delivery): unknown => {
      started.push(delivery);
      if (delivery.attempt === 1) throw new Error('once more');
      return patient(delivery);
    };
    const rabbit = await warren(broker.url)
      .rpc('attempts', handle, { retry: { attempts: 2, delays: '50ms', jitter: false } })
      .open();
    const controller = new AbortController();
    const call = { signal: controller.signal, correlationId: 'order-7', timeout: '1m' } as const;
    const calling = rejection(rabbit.broker.request('attempts', 1, call));
    await started.one();
    const delivery = await started.one();
    controller.abort();
    expect((await calling).code).toBe('WARREN_RPC_CANCELLED');
    await until(() => delivery.signal.aborted, 'the handler to be told');
  });

  it('names the call where its correlation id may not, and so does the reply', async () => {
    const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } })
      .rpc('named', ({ payload }) => payload)
      .open();
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue('named.replies');
    channel.sendToQueue('named', Buffer.from('1'), {
      ...{ replyTo: 'named.replies', correlationId: 'c', contentType: 'application/json' },
      headers: { 'x-warren-call': 'one of several' },
    });
    await channel.waitForConfirms();
    expect((await taken(broker, 'named.replies')).properties.headers).toEqual({
      'x-warren-call': 'one of several',
    });
    expect(await rabbit.broker.request('named', 2, { correlationId: 'c' })).toBe(2);
  });

  it('before a call is a rejection at once, and after it is nothing', async () => {
    const seen = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .rpc('around', ({ payload }) => (seen.push(payload), payload))
      .open();
    const aborted = AbortSignal.abort(new Error('never'));
    expect((await rejection(rabbit.broker.request('around', 'before', { signal: aborted }))).code).toBe(
      'WARREN_RPC_CANCELLED',
    );
    expect((await rejection(rabbit.broker.gather('around', 1, { signal: aborted }))).code).toBe(
      'WARREN_RPC_CANCELLED',
    );
    const controller = new AbortController();
    expect(await rabbit.broker.request('around', 'after', { signal: controller.signal })).toBe('after');
    controller.abort();
    expect(seen.all).toEqual(['after']);
  });

  it('of a handler that has left stops the calls that it made', async () => {
    const inner = new Collector<Delivery>();
    const errors = new Collector<Error & { code?: string }>();
    const rabbit = warren(broker.url);
    await rabbit
      .rpc('nested', (delivery) => (inner.push(delivery), patient(delivery)))
      .rpc('middle', () =>
        rabbit.broker.request('nested', 1).catch((error: Error) => {
          errors.push(error);
          throw error;
        }),
      )
      .open();
    const controller = new AbortController();
    const calling = rejection(rabbit.broker.request('middle', 1, { signal: controller.signal }));
    const delivery = await inner.one();
    controller.abort();
    await calling;
    expect((await errors.one()).code).toBe('WARREN_RPC_CANCELLED');
    await until(() => delivery.signal.aborted, 'the innermost handler to be told');
  });

  it('is heard from the moment on at which a server counts as started', async () => {
    // To bind the queue that hears it takes long here, and long after the handler's own consume-ok.
    const many = Array.from({ length: 300 }, (_, n) => ({ exchange: { name: 'cm' }, key: `many.${n}` }));
    const started = new Collector<Delivery>();
    const server = warren(broker.url).rpc(
      'many.last',
      (delivery) => (started.push(delivery), patient(delivery)),
      { queue: 'cm', bindings: [...many, { exchange: { name: 'cm' }, key: 'many.last' }] },
    );
    await server.open();
    const controller = new AbortController();
    const call = { exchange: 'cm', signal: controller.signal, timeout: '5m' } as const;
    const calling = rejection(server.broker.request('many.last', 1, call));
    const delivery = await started.one();
    controller.abort();
    expect((await calling).code).toBe('WARREN_RPC_CANCELLED');
    await until(() => delivery.signal.aborted, 'the handler to be told');
  });

  it('arrives after both sides lost their connections as well', async () => {
    const started = new Collector<Delivery>();
    let release = (): void => undefined;
    const first = new Promise<void>((resolve) => (release = resolve));
    const handle = (delivery: Delivery): unknown => {
      started.push(delivery);
      return delivery.payload === 1 ? first : patient(delivery);
    };
    const server = await warren(broker.url).rpc('again', handle).open();
    const client = warren(broker.url);
    const lost = rejection(client.broker.request('again', 1));
    await started.one();
    await broker.closeConnections();
    expect((await lost).code).toBe('WARREN_RPC_CONNECTION_LOST');
    release();
    await until(
      () => server.events.all.filter(({ kind }) => kind === 'consumer-ready').length === 2,
      'the server to be back',
    );
    const controller = new AbortController();
    const calling = rejection(client.broker.request('again', 2, { signal: controller.signal }));
    const delivery = await until(() => started.all.find(({ payload }) => payload === 2), 'the second call');
    controller.abort();
    expect((await calling).code).toBe('WARREN_RPC_CANCELLED');
    await until(() => delivery.signal.aborted, 'the handler to be told');
  });

  it('is what a client says that closes, also when it never cancelled a call before', async () => {
    const started = new Collector<Delivery>();
    const handle = (delivery: Delivery): unknown => (started.push(delivery), patient(delivery));
    await warren(broker.url).rpc('left.alone', handle).open();
    const client = warren(broker.url);
    const calling = rejection(client.broker.request('left.alone', 1, { timeout: '5m' }));
    const delivery = await started.one();
    await client.broker.close();
    expect((await calling).code).toBe('WARREN_RPC_CONNECTION_LOST');
    await until(() => delivery.signal.aborted, 'the handler to be told');
  });

  it('thousands of times at once leaves nothing behind', async () => {
    const CALLS = 2_000;
    let aborted = 0;
    const rabbit = await warren(broker.url, { prefetch: CALLS })
      .rpc('many', (delivery) => patient(delivery).finally(() => aborted++))
      .open();
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: CALLS }, () =>
      rejection(rabbit.broker.request('many', 1, { signal })),
    );
    await until(() => rabbit.broker.status().consumers[0].inFlight === CALLS, 'all to run');
    controller.abort();
    expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(
      new Set(['WARREN_RPC_CANCELLED']),
    );
    await until(() => aborted === CALLS, 'all handlers to be told');
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be settled');
    expect(rabbit.broker.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
    expect(rabbit.lines.filter((line) => /failed|not delivered/.test(line))).toEqual([]);
  });
});

onEachBroker('a caller that is gone', (broker) => {
  const leave = async (queue: string, replyTo: string): Promise<void> => {
    const caller = await broker.connect();
    const channel = await caller.createConfirmChannel();
    if (replyTo.startsWith('amq.')) await channel.consume(replyTo, () => undefined, { noAck: true });
    else await channel.assertQueue(replyTo, { exclusive: true });
    for (const body of ['"left"', '"left"']) {
      channel.sendToQueue(queue, Buffer.from(body), {
        ...{ replyTo, correlationId: 'c', contentType: 'application/json' },
      });
    }
    await channel.waitForConfirms();
    await caller.close();
  };

  it.each(['amq.rabbitmq.reply-to', 'replies.of.a.caller'])(
    'is not worked for with ifCallerGone: skip (%s), and its former name may come back',
    async (replyTo) => {
      const queue = `gone.${replyTo}`;
      const started = new Collector<unknown>();
      let release = (): void => undefined;
      const first = new Promise<void>((resolve) => (release = resolve));
      let moved = 0;
      const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + moved };
      const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } }, { clock })
        .rpc(queue, ({ payload }) => (started.push(payload), payload === 'first' ? first : payload), {
          ...{ concurrency: 1, ifCallerGone: 'skip' },
        })
        .open();
      const running = rabbit.broker.request(queue, 'first');
      await started.one();
      await leave(queue, replyTo);
      await until(() => rabbit.broker.status().consumers[0].inFlight === 3, 'both to be here');
      // They have waited long enough to be asked about.
      moved = 1_000;
      release();
      await running;
      expect((await eventOf(rabbit, 'call-skipped')).reason).toBe('gone');
      expect((await eventOf(rabbit, 'call-skipped')).reason).toBe('gone');
      expect(await rabbit.broker.request(queue, 'next')).toBe('next');
      expect(started.all).toEqual(['first', 'next']);
      expect(await count(broker, queue)).toBe(0);
    },
  );

  it('does not fill the log, however many answers it does not get', async () => {
    const CALLS = 300;
    const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } })
      .rpc('flood', () => 1)
      .open();
    const channel = await (await broker.connect()).createConfirmChannel();
    for (let n = 0; n < CALLS; n++) {
      channel.sendToQueue('flood', Buffer.from('1'), { replyTo: 'nobody.here', correlationId: `${n}` });
    }
    await channel.waitForConfirms();
    await until(() => rabbit.broker.status().counters.repliesLost === CALLS, 'all to be counted');
    await logged(rabbit, 'was not delivered');
    expect(rabbit.lines.filter((line) => line.includes('was not delivered')).length).toBeLessThan(100);
  });
});

/** Cancels of one caller arrive in order: when that of this call is here, those before it are. */
async function cancelled(
  { broker }: Pick<Warren, 'broker'>,
  pattern: string,
  told: Collector<unknown>,
): Promise<void> {
  const next = new AbortController();
  const probing = rejection(broker.request(pattern, 1, { signal: next.signal }));
  await told.one();
  next.abort();
  await probing;
  await told.one();
}
