// Plugins on a broker: around everything that is sent and handled, whatever it is sent for.
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from '@jest/globals';
import {
  Broker,
  DeadLetters,
  PluginError,
  Reject,
  SILENT,
  type Delivery,
  type Plugin,
  type PublishContext,
  type RequestOptions,
} from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';
import { logged, rejection, taken, warren } from '../support/warren.js';

const quick = { attempts: 2, delays: [20] as const, jitter: false };

/** Remembers what goes through it. */
function recorder() {
  const sent: string[] = [];
  const handled: string[] = [];
  const plugin: Plugin = {
    name: 'recorder',
    publish: (next) => async (message) => {
      const result = await next(message);
      sent.push(`${message.kind} ${message.exchange}/${message.routingKey} ${JSON.stringify(result.value)}`);
      return result;
    },
    delivery:
      (next, { id, kind }) =>
      async (delivery) => {
        const verdict = await next(delivery);
        handled.push(`${kind} ${id} ${delivery.attempt} ${verdict.kind}`);
        return verdict;
      },
    status: () => ({ sent: sent.length, handled: handled.length }),
  };
  return { plugin, sent, handled };
}

onEachBroker('plugins', (broker) => {
  it('are around everything that is sent and handled, and nothing that the library says by itself', async () => {
    const { plugin, sent, handled } = recorder();
    const rabbit = await warren(broker.url, { plugins: [plugin] })
      .consume('p.fails', () => Promise.reject(new Error('x')), { retry: quick })
      .subscribe('p.#', () => undefined, { queue: 'p.events' })
      .rpc('p.sum', ({ payload }) => (payload as number) + 1)
      .rpc('p.items', async function* () {
        yield 1;
        yield 2;
      })
      .rpc('p.all', () => 7, { broadcast: true })
      .open();

    await rabbit.broker.send('p.fails', 1);
    await rabbit.broker.publish('p.made', 1);
    expect(await rabbit.broker.request('p.sum', 1)).toBe(2);
    const items: unknown[] = [];
    for await (const item of rabbit.broker.stream('p.items', 0)) items.push(item);
    expect(items).toEqual([1, 2]);
    expect(await rabbit.broker.gather('p.all', 0, { expect: 1 })).toEqual([{ value: 7 }]);
    await taken(broker, 'p.fails.dead');
    await until(() => sent.length >= 11, 'everything that was sent');

    expect(sent.map((line) => line.replace(/ (undefined|null)$/, '')).sort()).toEqual(
      [
        'send /p.fails',
        'retry /p.fails',
        'dead-letter /p.fails.dead',
        'publish events/p.made',
        'request /p.sum 2',
        'stream /p.items',
        'gather warren.gather/p.all',
        ...sent.filter((line) => line.startsWith('reply ')),
      ]
        .map((line) => line.replace(/ (undefined|null)$/, ''))
        .sort(),
    );
    expect(sent.filter((line) => line.startsWith('reply '))).toHaveLength(4);
    expect(handled.sort()).toEqual([
      'consume p.fails 1 retry',
      'consume p.fails 2 dead-letter',
      'rpc p.all 1 ack',
      'rpc p.items 1 ack',
      'rpc p.sum 1 ack',
      'subscribe on.p.# 1 ack',
    ]);
    expect(rabbit.broker.status().plugins).toEqual({
      recorder: { sent: sent.length, handled: handled.length },
    });
  });

  it('change what is sent and what the handler gets; a retry and a dead letter hold what was received', async () => {
    const bodies: unknown[] = [];
    const flip = (body: Buffer): Buffer => Buffer.from(body.map((byte) => byte ^ 0xff));
    const plugin: Plugin = {
      name: 'flip',
      publish: (next) => (message) =>
        ['retry', 'dead-letter'].includes(message.kind)
          ? next(message)
          : next(message.with({ content: flip(message.content), headers: { flipped: 1 } })),
      delivery: (next) => (delivery) => {
        delivery.replaceBody(flip(delivery.message.content));
        return next(delivery);
      },
    };
    const rabbit = await warren(broker.url, { plugins: [plugin] })
      .consume('flipped', ({ payload }) => (bodies.push(payload), Promise.reject(new Error('x'))), {
        retry: quick,
      })
      .open();

    await rabbit.broker.send('flipped', { a: 1 });
    const dead = await taken(broker, 'flipped.dead');
    expect(bodies).toEqual([{ a: 1 }, { a: 1 }]);
    expect(flip(dead.content).toString()).toBe('{"a":1}');
    expect(dead.properties.headers).toMatchObject({ flipped: 1 });
  });

  it('keep their async context in handlers, generators and replies', async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const plugin: Plugin = {
      name: 'context',
      delivery: (next) => (delivery) => context.run(delivery.queue, () => next(delivery)),
      publish: (next) => (message) => {
        if (message.kind === 'reply') seen.push(`reply ${context.getStore()}`);
        return next(message);
      },
    };
    const rabbit = await warren(broker.url, { plugins: [plugin] })
      .rpc('c.value', async () => context.getStore())
      .rpc('c.items', async function* () {
        yield context.getStore();
        await Promise.resolve();
        yield context.getStore();
      })
      .open();

    expect(await rabbit.broker.request('c.value', 0)).toBe('c.value');
    const items: unknown[] = [];
    for await (const item of rabbit.broker.stream('c.items', 0)) items.push(item);
    expect(items).toEqual(['c.items', 'c.items']);
    expect(new Set(seen)).toEqual(new Set(['reply c.value', 'reply c.items']));
  });

  it('may take their time over items of a stream, which arrive in order; one that they refuse ends it', async () => {
    const late: (() => void)[] = [];
    const plugin: Plugin = {
      name: 'slow',
      publish: (next) => async (message) => {
        const { part, content } = message;
        // The first is sent on when the others have come by.
        if (part === 1) await new Promise<void>((resolve) => late.push(resolve));
        if (part === 3) for (const go of late.splice(0)) go();
        if (part === 3 && content.includes('refused')) throw new Error('not this one');
        return next(message);
      },
    };
    const rabbit = await warren(broker.url, { plugins: [plugin] })
      .rpc('s.items', async function* (delivery) {
        yield await Promise.resolve(1);
        yield 2;
        yield delivery.payload;
      })
      .open();

    const items: unknown[] = [];
    for await (const item of rabbit.broker.stream('s.items', 3)) items.push(item);
    expect(items).toEqual([1, 2, 3]);

    items.length = 0;
    const refused = (async () => {
      for await (const item of rabbit.broker.stream('s.items', ['refused'])) items.push(item);
    })();
    await expect(refused).rejects.toMatchObject({ name: 'RpcRemoteError', remoteName: 'PluginError' });
    expect(items).toEqual([1, 2]);
    await logged(rabbit, "the plugin 'slow' failed in publish: Error: not this one");
  });

  it('that fail are named: to the publisher, in the dead letter, in the log, and to a caller without details', async () => {
    const on = (kind: string, message: PublishContext | Delivery): void => {
      const headers = 'attempt' in message ? message.headers : message.properties.headers;
      if (headers?.break === kind) throw new Error(`broke at ${kind}`);
    };
    const plugin: Plugin = {
      name: 'fragile',
      publish: (next) => (message) => (on(message.kind, message), next(message)),
      delivery: (next) => (delivery) => (on('delivery', delivery), next(delivery)),
    };
    const rabbit = await warren(broker.url, { plugins: [plugin] })
      .consume('fragile', () => Promise.reject(Reject('no')))
      .rpc('fragile.call', () => 1)
      .open();

    const refused = await rejection(rabbit.broker.send('fragile', 1, { headers: { break: 'send' } }));
    expect(refused).toBeInstanceOf(PluginError);
    expect(refused).toMatchObject({ plugin: 'fragile', code: 'WARREN_PLUGIN' });

    await rabbit.broker.send('fragile', 1, { headers: { break: 'dead-letter' } });
    expect((await taken(broker, 'fragile.dead')).properties.headers).toMatchObject({
      'x-warren-reason': 'rejected',
    });
    await logged(rabbit, "the plugin 'fragile' failed in publish: Error: broke at dead-letter");

    await expect(
      rabbit.broker.request('fragile.call', 1, { headers: { break: 'request' } }),
    ).rejects.toMatchObject({ plugin: 'fragile' });
    const told = await rejection(
      rabbit.broker.request('fragile.call', 1, { headers: { break: 'delivery' } }),
    );
    expect(told.message).toMatch(/internal error [0-9a-f-]{36}/);
    expect(told.message).not.toContain('broke at');
    expect(await rabbit.broker.request('fragile.call', 1)).toBe(1);
  });

  it('are around a replay of dead letters, which is sent whatever they do', async () => {
    const kinds: string[] = [];
    const marks: Plugin = {
      name: 'marks',
      publish: (next) => (message) => {
        kinds.push(message.kind);
        return next(message.with({ headers: { marked: 1 } }));
      },
    };
    const breaks: Plugin = { name: 'breaks', publish: () => () => Promise.reject(new Error('x')) };
    const got: unknown[] = [];
    let works = false;
    const rabbit = await warren(broker.url)
      .consume('again', ({ headers }) =>
        works ? void got.push(headers.marked) : Promise.reject(Reject('no')),
      )
      .open();
    await rabbit.broker.send('again', 1);
    for (const plugin of [marks, breaks]) {
      await until(() => new DeadLetters({ url: broker.url }).count('again'), 'the dead letter');
      works = plugin === breaks;
      const { done } = await new DeadLetters({ url: broker.url, plugins: [plugin] }).replay('again');
      expect(done).toBe(1);
    }
    await until(() => got.length === 1, 'the replayed message');
    expect([kinds, got]).toEqual([['replay'], [1]]);
  });

  it('that end a call before its handler leave its caller with an error, not with a time-out', async () => {
    const ends: Plugin = { name: 'ends', delivery: () => () => ({ kind: 'ack' }) };
    const rabbit = await warren(broker.url, { plugins: [ends] })
      .rpc('ended.call', () => 1)
      .open();
    const told = await rejection(rabbit.broker.request('ended.call', 0, { timeout: '20s' }));
    expect(told.name).toBe('RpcRemoteError');
    expect(told.message).toContain('internal error');
    await logged(rabbit, 'a plugin ended a call to ended.call before its handler ran');
  });

  it.each<[string, RequestOptions, string]>([
    ['the broker object is closed', {}, 'WARREN_CONNECTION_LOST'],
    ['as many calls as may be are pending', {}, 'WARREN_TOO_MANY_PENDING_CALLS'],
    ['a call with the same correlation id is pending', { correlationId: 'own' }, 'WARREN_ENCODE'],
  ])('that wait let no call begin once %s', async (what, options, code) => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const waits: Plugin = {
      name: 'waits',
      publish: (next) => async (message) => {
        if (message.kind === 'request' && message.payload !== 'first') await gate;
        return next(message);
      },
    };
    const maxPending = code === 'WARREN_TOO_MANY_PENDING_CALLS' ? 1 : 10;
    const queue = `begun ${what}`;
    const rabbit = await warren(broker.url, { plugins: [waits], rpc: { maxPending } })
      .rpc(queue, ({ payload }) => payload)
      .open();
    const call: RequestOptions = { ...options, timeout: '5m' };
    await rabbit.broker.request(queue, 'first');
    const calls = [1, 2].map((payload) => rabbit.broker.request(queue, payload, call));
    const ended = Promise.allSettled(calls);
    const isClosed = code === 'WARREN_CONNECTION_LOST';
    if (isClosed) await rabbit.broker.close();
    open();
    const failed = { status: 'rejected', reason: expect.objectContaining({ code }) };
    const first = isClosed ? failed : { status: 'fulfilled', value: 1 };
    expect(await within(ended, 'the calls to end')).toEqual([first, failed]);
  });

  it('that fail after a call failed do not cost its dead letter', async () => {
    const late: Plugin = {
      name: 'late',
      delivery: (next) => async (delivery) => {
        await next(delivery);
        throw new Error('too late');
      },
    };
    const rabbit = await warren(broker.url, { plugins: [late] })
      .rpc('late.call', () => Promise.reject(new Error('no stock')), { deadLetter: true })
      .open();
    expect((await rejection(rabbit.broker.request('late.call', 1))).name).toBe('RpcRemoteError');
    await logged(rabbit, 'the reply was sent before that');
    expect((await taken(broker, 'late.call.dead')).properties.headers).toMatchObject({
      'x-exception-message': 'no stock',
    });
  });

  it('around a batch see each message, or the whole list', async () => {
    const seen: string[] = [];
    const each: Plugin = {
      name: 'each',
      delivery: (next) => async (delivery) => {
        const verdict = await next(delivery);
        seen.push(`${String(delivery.payload)} ${verdict.kind}`);
        return delivery.payload === 2
          ? { kind: 'dead-letter', reason: 'rejected', error: new Error('2') }
          : verdict;
      },
    };
    const whole: Plugin = {
      name: 'whole',
      batch: (next) => async (list) => {
        const verdicts = await next(list);
        seen.push(verdicts.map(({ kind }) => kind).join());
        return verdicts;
      },
    };
    const rabbit = await warren(broker.url, { plugins: [whole, each] })
      .batch('batched', () => undefined, { batch: { size: 3, wait: '5s' } })
      .open();
    await Promise.all([1, 2, 3].map((payload) => rabbit.broker.send('batched', payload)));
    expect((await taken(broker, 'batched.dead')).content.toString()).toBe('2');
    expect(seen).toEqual(['1 ack', '2 ack', '3 ack', 'ack,dead-letter,ack']);
  });
});

onEachBroker('a message that is sent while another one is handled', (broker) => {
  /** Sends one through a chain of three queues; what each handler got. */
  async function chain(options: Parameters<typeof warren>[1], headers: Record<string, unknown> = {}) {
    const got: Delivery[] = [];
    const rabbit = warren(broker.url, options);
    await rabbit
      .consume('chain.1', async (delivery) => {
        got.push(delivery);
        await rabbit.broker.send('chain.2', 2);
      })
      .consume('chain.2', async (delivery) => {
        got.push(delivery);
        got.push(await rabbit.broker.request<never>('chain.call', 3));
        await rabbit.broker
          .publish('', 4, { exchange: '', mandatory: false, headers: {} })
          .catch(() => undefined);
        await rabbit.broker.send('chain.3', 3, { headers: { 'x-own': 1 } });
      })
      .rpc('chain.call', ({ correlationId, causationId, headers: its }) => ({
        correlationId,
        causationId,
        its,
      }))
      .consume('chain.3', (delivery) => void got.push(delivery))
      .open();
    const { messageId } = await rabbit.broker.send('chain.1', 1, { headers });
    await until(() => got.length === 4, 'all of the chain');
    return { messageId, got, rabbit };
  }

  it('carries the id of the first one and of the one that caused it', async () => {
    const { messageId, got } = await chain({});
    const [first, second, call, third] = got as unknown as (Delivery & { its: object })[];
    const idOf = ({ message }: Delivery): string => message.properties.messageId as string;
    expect([first.correlationId, first.causationId]).toEqual([messageId, undefined]);
    expect(first.message.properties.correlationId).toBe(undefined);
    // The one that caused it is the first one, which says the correlation id already.
    expect([second.correlationId, second.causationId]).toEqual([messageId, undefined]);
    expect(second.message.properties.correlationId).toBe(messageId);
    expect(call).toMatchObject({ correlationId: messageId, causationId: idOf(second) });
    expect([third.correlationId, third.causationId]).toEqual([messageId, idOf(second)]);
    expect(third.headers).toMatchObject({ 'x-own': 1, 'x-causation-id': idOf(second) });
  });

  it('carries the headers that travel, unless they are large or tables, and no others', async () => {
    const propagate = ['x-tenant', 'x-large', 'x-table', 'x-absent'];
    const { got } = await chain(
      { propagate, correlation: false },
      { 'x-tenant': 'eu', 'x-large': 'x'.repeat(1_025), 'x-table': { a: 1 }, 'x-other': 1 },
    );
    const [, second, call, third] = got as unknown as (Delivery & { its: object })[];
    expect(second.headers).toEqual({ 'x-tenant': 'eu' });
    expect(second.message.properties.correlationId).toBe(undefined);
    expect(call.its).toMatchObject({ 'x-tenant': 'eu' });
    expect(third.headers).toEqual({ 'x-tenant': 'eu', 'x-own': 1 });
  });

  it('says its correlation id in the log when it fails; one that would harm a log is not taken over', async () => {
    const rabbit = warren(broker.url);
    await rabbit
      .consume('log.1', () => void rabbit.broker.send('log.2', 2).catch(() => undefined))
      .consume('log.2', () => Promise.reject(Reject('no')))
      .open();
    const { messageId } = await rabbit.broker.send('log.1', 1);
    await logged(rabbit, `of queue 'log.2' [correlation ${messageId}]`);
    const bad = await rabbit.broker.send('log.1', 1, { correlationId: 'a\tb' });
    await logged(rabbit, `[correlation ${bad.messageId}]`);
  });

  it('from a batch takes over what all of it agree on', async () => {
    const got: Delivery[] = [];
    const rabbit = warren(broker.url, { propagate: ['x-tenant', 'x-user'] });
    await rabbit
      .batch('agreed', () => void rabbit.broker.send('agreed.next', 1).catch(() => undefined), {
        batch: { size: 2, wait: '5s' },
      })
      .consume('agreed.next', (delivery) => void got.push(delivery))
      .open();
    await rabbit.broker.send('agreed', 1, { headers: { 'x-tenant': 'eu', 'x-user': 1 } });
    await rabbit.broker.send('agreed', 2, { headers: { 'x-tenant': 'eu', 'x-user': 2 } });
    await until(() => got.length === 1, 'the next message');
    expect(got[0].headers).toEqual({ 'x-tenant': 'eu' });
    expect(got[0].message.properties.correlationId).toBe(undefined);
  });

  it('does not show the correlation id of a call, nor the message id of an idempotent one', async () => {
    const got: Delivery[] = [];
    const rabbit = warren(broker.url);
    await rabbit
      .rpc('secret.call', async () => void (await rabbit.broker.send('secret.next', 1)))
      .rpc('secret.once', async () => void (await rabbit.broker.send('secret.next', 2)), {
        idempotent: { ttl: '1m' },
      })
      .consume('secret.next', (delivery) => void got.push(delivery))
      .open();
    await rabbit.broker.request('secret.call', 0, { correlationId: 'the-secret', messageId: 'm-1' });
    await rabbit.broker.request('secret.once', 0, { correlationId: 'the-secret', messageId: 'm-2' });
    await until(() => got.length === 2, 'both');
    const ids = got.map(({ message, headers }) => [message.properties.correlationId, headers]);
    expect(ids).toEqual([
      ['m-1', {}],
      [undefined, {}],
    ]);
  });

  it('that are still starting when the broker object is closed leave nothing open', async () => {
    let go: () => void = () => undefined;
    const started = new Promise<void>((resolve) => (go = resolve));
    const later: string[] = [];
    const plugins: Plugin[] = [
      { name: 'slow', start: () => started },
      { name: 'later', start: () => void later.push('start') },
    ];
    const shop = new Broker({ url: broker.url, service: 'plug.closed', logger: SILENT, plugins });
    const handle = (): void => undefined;
    shop.register({ kind: 'consume', id: 'h', patterns: ['plug.closed'], options: {}, handle });
    const opening = rejection(shop.open());
    await shop.close();
    go();
    expect(await opening).toMatchObject({ code: 'WARREN_CONNECTION_LOST' });
    expect(later).toEqual([]);
    expect(shop.status().connections.map(({ state }) => state)).not.toContain('connecting');
    expect(shop.status().connections.map(({ state }) => state)).not.toContain('open');
  });
});
