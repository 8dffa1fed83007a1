// Calls: every one settles, with the value, the error of the other side, or the reason why none came.

import { describe, expect, it } from '@jest/globals';
import { nest, Reject, type BrokerOptions, type Delivery, type RpcRemoteError } from '@warren/amqp';
import type { Channel, ConsumeMessage } from 'amqplib';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { count, eventOf, logged, rejection, replying, warren } from '../support/warren.js';

const JSON_TYPE = { contentType: 'application/json' };

onEachBroker('calling', (broker) => {
  /** A server of another make: answers each request as `answer` says. */
  const foreign = async (
    queue: string,
    answer: (request: ConsumeMessage, channel: Channel) => void,
  ): Promise<Channel> => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue(queue);
    await channel.consume(queue, (request) => request && answer(request, channel), { noAck: true });
    return channel;
  };

  const pendingNone = async (rabbit: ReturnType<typeof warren>): Promise<void> => {
    await until(() => rabbit.broker.status().pendingCalls === 0, 'no pending calls');
  };

  describe.each(['direct', 'queue'] as const)('with replies by %s', (reply) => {
    const options: BrokerOptions = { rpc: { reply } };
    const values: [string, unknown][] = [
      ['undefined', undefined],
      ['null', null],
      ['0', 0],
      ['an empty text', ''],
      ['false', false],
      ['text', 'grüße'],
      ['a Buffer', Buffer.from([0, 255])],
      ['an object', { a: [1, { b: null }] }],
    ];
    it.each(values)('%s travels there and back as it is', async (_name, value) => {
      const seen = new Collector<unknown>();
      const { broker: client } = await warren(broker.url, options)
        .rpc('echo', ({ payload }) => (seen.push(payload), payload))
        .open();
      expect(await client.request('echo', value)).toEqual(value);
      expect(await seen.one()).toEqual(value);
    });

    it('500 calls at once each get their own answer', async () => {
      const rabbit = await warren(broker.url, options)
        .rpc('double', async ({ payload }) => (await Promise.resolve(payload as number)) * 2)
        .open();
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, n) => rabbit.broker.request('double', n)),
      );
      expect(answers).toEqual(answers.map((_, n) => n * 2));
      expect(rabbit.broker.status().pendingCalls).toBe(0);
    });

    it('a call under way when the connection is lost fails at once, and the next one works', async () => {
      // The request that is not answered goes back there, until its time is over.
      const queue = `slow.${reply}`;
      const started = new Collector<Delivery>();
      const rabbit = await warren(broker.url, { ...options, shutdown: 50 })
        .rpc(
          queue,
          (delivery) => (
            started.push(delivery),
            delivery.payload === 'wait' ? new Promise(() => undefined) : 'ok'
          ),
        )
        .open();
      const failing = rejection(rabbit.broker.request(queue, 'wait'));
      await started.one();
      await broker.closeConnections();
      expect((await within(failing, 'the call to fail')).code).toBe('WARREN_RPC_CONNECTION_LOST');
      expect(await rabbit.broker.request(queue, 'go')).toBe('ok');
      expect(rabbit.broker.status().pendingCalls).toBe(0);
    });
  });

  describe('errors of the handler', () => {
    class OutOfStock extends Error {
      override readonly name = 'OutOfStock';
      readonly code = 'E_STOCK';
    }

    it('are masked: the caller gets the class and an id that is in the log, no message and no stack', async () => {
      const rabbit = await warren(broker.url)
        .rpc('fails', () => Promise.reject(new OutOfStock('SELECT secret FROM table')))
        .open();
      const error = await rejection<RpcRemoteError>(rabbit.broker.request('fails', 1));
      expect(error).toMatchObject({
        code: 'WARREN_RPC_REMOTE',
        remoteName: 'OutOfStock',
        remoteCode: 'INTERNAL',
      });
      expect(JSON.stringify(error) + error.message + String(error.stack)).not.toContain('secret');
      const [id] = /[0-9a-f-]{36}/.exec(error.remoteMessage) ?? [];
      const line = await logged(rabbit, `the caller got 'internal error ${String(id)}'`);
      expect(line).toContain('OutOfStock: SELECT secret');
    });

    it('are told with exposeErrors', async () => {
      const { broker: client } = await warren(broker.url, { rpc: { exposeErrors: true } })
        .rpc('exposed', () => Promise.reject(new OutOfStock('none left')))
        .open();
      expect(await rejection(client.request('exposed', 1))).toMatchObject({
        remoteName: 'OutOfStock',
        remoteMessage: 'none left',
        remoteCode: 'E_STOCK',
      });
    });

    it('of publishing inside the handler are its own affair: class and code, no names of queues', async () => {
      const rabbit = warren(broker.url);
      await rabbit.rpc('inner', () => rabbit.broker.send('internal.queue', 1)).open();
      const error = await rejection<RpcRemoteError>(rabbit.broker.request('inner', 1));
      expect(error).toMatchObject({ remoteName: 'UnroutableError', remoteCode: 'WARREN_UNROUTABLE' });
      expect(error.message).not.toContain('internal.queue');
    });

    it('that were meant for the caller arrive: Reject, and what the framework says', async () => {
      const { broker: client } = await warren(
        broker.url,
        {},
        {
          remoteError: (error) =>
            error instanceof OutOfStock
              ? { name: 'Stock', message: 'sold out', code: 409, data: { left: 0 } }
              : undefined,
        },
      )
        .rpc('rejects', () => Promise.reject(Reject('no such product')))
        .rpc('known', () => Promise.reject(new OutOfStock('x')))
        .open();
      expect(await rejection(client.request('rejects', 1))).toMatchObject({
        remoteName: 'Reject',
        remoteMessage: 'no such product',
      });
      expect(await rejection(client.request('known', 1))).toMatchObject({
        remoteName: 'Stock',
        remoteCode: 409,
        data: { left: 0 },
      });
    });

    it('do not run the handler again, unless its retry says so', async () => {
      const runs = new Collector<number>();
      const { broker: client } = await warren(broker.url)
        .rpc('once', ({ attempt }) => (runs.push(attempt), Promise.reject(new Error('no'))))
        .rpc('stubborn', ({ attempt }) => (attempt < 3 ? Promise.reject(new Error('no')) : attempt), {
          retry: { delays: 10, jitter: false },
        })
        .open();
      await rejection(client.request('once', 1));
      expect(runs.all).toEqual([1]);
      expect(await client.request('stubborn', 1)).toBe(3);
    });

    it.each([
      ['a string', 'text'],
      ['undefined', undefined],
      ['null', null],
      [
        'a Proxy that throws',
        new Proxy(
          {},
          {
            getPrototypeOf: () => {
              throw new Error('no');
            },
            get: () => {
              throw new Error('no');
            },
          },
        ),
      ],
      [
        'an error whose code throws',
        Object.defineProperty(new Error('x'), 'code', {
          get: () => {
            throw new Error('no');
          },
        }),
      ],
    ])('may be anything, such as %s', async (_name, thrown) => {
      const { broker: client } = await warren(broker.url)
        .rpc('odd', () => Promise.reject(thrown))
        .open();
      expect((await rejection(client.request('odd', 1))).code).toBe('WARREN_RPC_REMOTE');
    });

    it('an unreadable request is answered as such, once', async () => {
      const { broker: client } = await warren(broker.url)
        .rpc('strict', () => 1)
        .open();
      const error = await rejection(client.request('strict', Buffer.from('{"half'), JSON_TYPE));
      expect(error).toMatchObject({ remoteName: 'DecodeError', remoteCode: 'WARREN_DECODE' });
    });

    it.each([
      [
        'a circular object',
        () => {
          const it: Record<string, unknown> = {};
          it.it = it;
          return it;
        },
      ],
      ['a BigInt', () => 1n],
      ['a function', () => () => 1],
    ])('a result that cannot travel (%s) is an error at once, not a time-out', async (_name, make) => {
      const { broker: client } = await warren(broker.url)
        .rpc('unencodable', () => make())
        .open();
      expect(await rejection(client.request('unencodable', 1))).toMatchObject({
        remoteName: 'EncodeError',
        remoteCode: 'WARREN_ENCODE',
      });
    });
  });

  describe('when no answer comes', () => {
    it('nobody listening is known at once', async () => {
      const { broker: client } = warren(broker.url);
      const calling = rejection(client.request('nobody', 1, { timeout: '5m' }));
      expect(await within(calling, 'the refusal')).toMatchObject({
        code: 'WARREN_RPC_NO_SERVER',
        routingKey: 'nobody',
      });
      expect(client.status().pendingCalls).toBe(0);
    });

    it('a missing exchange fails that call alone', async () => {
      const { broker: client } = await warren(broker.url)
        .rpc('fine', async ({ payload }) => Promise.resolve(payload))
        .open();
      const good = Array.from({ length: 20 }, (_, n) => client.request('fine', n));
      const bad = rejection(client.request('key', 1, { exchange: 'no.such.exchange' }));
      good.push(...Array.from({ length: 20 }, (_, n) => client.request('fine', n)));
      expect(await bad).toMatchObject({ code: 'WARREN_TOPOLOGY_MISSING' });
      expect(await Promise.all(good)).toHaveLength(40);
      expect(client.status().pendingCalls).toBe(0);
    });

    it('the time-out names exchange, key, time and id, and the request does not stay in the queue', async () => {
      const caller = warren(broker.url);
      const { broker: client } = caller;
      const channel = await (await broker.connect()).createChannel();
      await channel.assertQueue('unattended');
      await replying(caller);
      const error = await rejection(
        client.request('unattended', 1, { timeout: 1_000, correlationId: 'mine' }),
      );
      expect(error).toMatchObject({
        code: 'WARREN_RPC_TIMEOUT',
        routingKey: 'unattended',
        waitedMs: 1_000,
        correlationId: 'mine',
      });
      await until(async () => (await count(broker, 'unattended')) === 0, 'the request to expire');
      expect(client.status().pendingCalls).toBe(0);
    });

    it('the caller can cancel: before, during and, without effect, after', async () => {
      const started = new Collector<Delivery>();
      const rabbit = await warren(broker.url, { shutdown: 50 })
        .rpc(
          'cancelled',
          (delivery) => (
            started.push(delivery),
            delivery.payload === 'wait' ? new Promise(() => undefined) : 1
          ),
        )
        .open();
      const controller = new AbortController();
      const waiting = rejection(rabbit.broker.request('cancelled', 'wait', { signal: controller.signal }));
      await started.one();
      controller.abort(new Error('enough'));
      expect(await waiting).toMatchObject({
        code: 'WARREN_RPC_CANCELLED',
        cause: expect.objectContaining({ message: 'enough' }),
      });
      expect(
        (await rejection(rabbit.broker.request('cancelled', 1, { signal: controller.signal }))).code,
      ).toBe('WARREN_RPC_CANCELLED');
      const late = new AbortController();
      expect(await rabbit.broker.request('cancelled', 'go', { signal: late.signal })).toBe(1);
      late.abort();
      await pendingNone(rabbit);
    });

    it('two calls with one correlation id are refused, also while they wait for a connection', async () => {
      const { broker: client } = warren('amqp://127.0.0.1:1');
      const first = rejection(client.request('q', 1, { correlationId: 'same', timeout: 200 }));
      expect((await rejection(client.request('q', 1, { correlationId: 'same' }))).message).toMatch(
        /is already pending/,
      );
      expect((await first).code).toBe('WARREN_RPC_NOT_SENT');
      expect(client.status().pendingCalls).toBe(0);
    });

    it('calls under way are bounded', async () => {
      const { broker: client } = warren('amqp://127.0.0.1:1', { rpc: { maxPending: 2 } });
      const held = [1, 2].map((n) => rejection(client.request('q', n, { timeout: 100 })));
      expect((await rejection(client.request('q', 3))).code).toBe('WARREN_TOO_MANY_PENDING_CALLS');
      await Promise.all(held);
    });

    it('close() ends those that wait', async () => {
      const { broker: client } = warren(broker.url);
      const channel = await (await broker.connect()).createChannel();
      await channel.assertQueue('silent');
      const waiting = rejection(client.request('silent', 1));
      await until(async () => (await count(broker, 'silent')) === 1, 'the request to arrive');
      await client.close();
      expect((await waiting).code).toBe('WARREN_RPC_CONNECTION_LOST');
    });
  });

  describe('replies that are not what they should be', () => {
    it('late, repeated, foreign and nameless ones are ignored and told; other calls go on', async () => {
      const requests = new Collector<ConsumeMessage>();
      const channel = await foreign('odd', requests.push);
      const rabbit = warren(broker.url);
      const call = rabbit.broker.request('odd', 1);
      const { properties } = await requests.one();
      const answer = (id: string | undefined, body = '"x"'): void =>
        void channel.publish('', properties.replyTo as string, Buffer.from(body), {
          ...JSON_TYPE,
          correlationId: id,
        });
      answer('no such call');
      answer(undefined);
      answer('x'.repeat(255));
      answer(properties.correlationId as string, '"right"');
      answer(properties.correlationId as string, '"again"');
      expect(await call).toBe('right');
      const ignored = [];
      for (let n = 0; n < 4; n++) ignored.push((await eventOf(rabbit, 'reply-ignored')).correlationId);
      expect(ignored).toEqual(['no such call', '', 'x'.repeat(255), properties.correlationId]);
    });

    const broken: [string, Buffer, object][] = [
      ['malformed JSON', Buffer.from('{"a'), JSON_TYPE],
      ['an unknown content type', Buffer.from('x'), { contentType: 'application/x-odd' }],
      ['false gzip', Buffer.from('x'), { ...JSON_TYPE, contentEncoding: 'gzip' }],
      ['an error that cannot be read', Buffer.from('{'), { ...JSON_TYPE, headers: { 'x-rpc-error': 1 } }],
    ];
    it.each(broken)('%s rejects that call as undecodable, at once', async (_name, body, properties) => {
      await foreign('broken', (request, channel) => {
        const { replyTo, correlationId } = request.properties as { replyTo: string; correlationId: string };
        channel.publish('', replyTo, body, { ...properties, correlationId });
      });
      const { broker: client } = warren(broker.url);
      expect((await rejection(client.request('broken', 1))).code).toBe('WARREN_DECODE');
    });

    const shapes: [string, unknown, object][] = [
      ['a text', 'no', { remoteName: 'Error', remoteMessage: 'no' }],
      ['null', null, { remoteName: 'Error', remoteMessage: 'null' }],
      [
        'an object with nothing known',
        { a: 1 },
        { remoteName: 'Error', remoteMessage: 'the remote handler failed' },
      ],
      [
        'fields of other types',
        { name: 5, message: {}, code: [] },
        { remoteName: 'Error', remoteCode: undefined },
      ],
      [
        'more than is known',
        { name: 'N', message: 'm', code: 7, data: [1], stack: 's' },
        { remoteName: 'N', remoteMessage: 'm', remoteCode: 7, data: [1] },
      ],
    ];
    it.each(shapes)('an error that is %s has safe defaults', async (_name, body, expected) => {
      await foreign('shapes', (request, channel) => {
        const { replyTo, correlationId } = request.properties as { replyTo: string; correlationId: string };
        channel.publish('', replyTo, Buffer.from(JSON.stringify(body)), {
          ...JSON_TYPE,
          correlationId,
          headers: { 'x-rpc-error': 1 },
        });
      });
      const { broker: client } = warren(broker.url);
      expect(await rejection(client.request('shapes', 1))).toMatchObject({
        code: 'WARREN_RPC_REMOTE',
        ...expected,
      });
    });
  });

  describe('requests that are not what they should be', () => {
    const request = async (queue: string, properties: object, body = '1'): Promise<void> => {
      const channel = await (await broker.connect()).createConfirmChannel();
      channel.sendToQueue(queue, Buffer.from(body), { ...JSON_TYPE, ...properties });
      await channel.waitForConfirms();
    };

    // The embedded broker makes addresses of another form, and bears any.
    const refused = broker.kind === 'rabbitmq' ? 'is not allowed' : undefined;
    it.each([
      ['none', undefined, 'has no reply-to'],
      ['a malformed direct one', 'amq.rabbitmq.reply-to.g2dkjunk==', refused],
      ['a direct one of the right form with junk in it', 'amq.rabbitmq.reply-to.Zm9v.YmFy', refused],
      ['a direct one with another word', 'amq.rabbitmq.reply-to.g2dk.YmFy.x', refused],
      ['the queue of the requests itself', 'served', 'is not allowed'],
      ['a queue that does not exist', 'no.such.queue', 'was not delivered'],
      ['255 bytes', 'x'.repeat(255), 'was not delivered'],
    ])('reply-to: %s; the request is acked, and the connection stays', async (_name, replyTo, line) => {
      const runs = new Collector<unknown>();
      const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } })
        .rpc('served', ({ payload }) => (runs.push(payload), payload))
        .open();
      await request('served', { replyTo, correlationId: 'c' });
      // Who sends to a direct address does not hear whether anybody is there.
      if (line !== undefined) await logged(rabbit, line);
      expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
      expect(await rabbit.broker.request('served', 'next')).toBe('next');
      expect(runs.all).toEqual([1, 'next']);
      expect(rabbit.events.all.map(({ kind }) => kind)).not.toContain('disconnected');
    });

    it('replies go only where the option allows', async () => {
      const channel = await (await broker.connect()).createChannel();
      for (const queue of ['replies.mine', 'victim']) await channel.assertQueue(queue);
      const rabbit = await warren(broker.url, { rpc: { replyTo: ['replies.'] } })
        .rpc('fenced', () => 1)
        .open();
      await request('fenced', { replyTo: 'victim' });
      await logged(rabbit, "'victim' is not allowed");
      await request('fenced', { replyTo: 'replies.mine' });
      await until(async () => (await count(broker, 'replies.mine')) === 1, 'the allowed reply');
      expect(await count(broker, 'victim')).toBe(0);
      expect(await rabbit.broker.request('fenced', 1)).toBe(1);
    });

    it('the reply echoes correlation id and X-Request-ID, and no other header: a CC would send copies', async () => {
      const channel = await (await broker.connect()).createChannel();
      for (const queue of ['replies', 'victim2']) await channel.assertQueue(queue);
      await warren(broker.url, { rpc: { replyTo: 'any' } })
        .rpc('careful', () => 'done')
        .open();
      await request('careful', {
        replyTo: 'replies',
        correlationId: 'c1',
        headers: { CC: ['victim2'], 'X-Request-ID': 'r1', other: 1, 'x-death': [] },
      });
      const reply = await until(() => channel.get('replies', { noAck: true }), 'the reply');
      expect(reply.properties).toMatchObject({
        correlationId: 'c1',
        headers: { 'X-Request-ID': 'r1' },
        expiration: undefined,
      });
      expect(Object.keys(reply.properties.headers ?? {})).toEqual(['X-Request-ID']);
      expect(await count(broker, 'victim2')).toBe(1);
    });
  });

  describe('the nest codec', () => {
    it('serves what Nest sends, and calls what Nest serves', async () => {
      const { broker: client } = await warren(broker.url)
        .rpc('nest.sum', ({ payload }) => (payload as number[]).reduce((a, b) => a + b), { codec: nest })
        .rpc('nest.fails', () => Promise.reject(Reject('no')), { codec: nest })
        .open();
      expect(await client.request('nest.sum', [1, 2, 3], { codec: nest })).toBe(6);
      expect(await rejection(client.request('nest.fails', 1, { codec: nest }))).toMatchObject({
        remoteName: 'Reject',
        remoteMessage: 'no',
      });
    });

    it('reads a text as the error of a Nest service', async () => {
      await foreign('nest.foreign', ({ properties, content }, channel) => {
        const { pattern, data, id } = JSON.parse(content.toString()) as Record<string, unknown>;
        const packet = {
          err: `${String(pattern)} ${String(data)} ${String(id === properties.correlationId)}`,
          isDisposed: true,
        };
        channel.sendToQueue(properties.replyTo as string, Buffer.from(JSON.stringify(packet)), {
          correlationId: properties.correlationId as string,
        });
      });
      const { broker: client } = warren(broker.url);
      expect(await rejection(client.request('nest.foreign', 5, { codec: nest }))).toMatchObject({
        remoteMessage: 'nest.foreign 5 true',
      });
    });
  });
});
