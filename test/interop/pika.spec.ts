// Python's pika on the other side, in the shapes of RabbitMQ's tutorials: it sends and we receive, we send and it
// receives, both ways of a call, and queues that either side declared first.
import { describe, expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { rejection } from '../support/warren.js';
import { application } from './application.js';
import { pika, pikaService, withPika } from './program.js';
import {
  BrittleHandlers,
  CountdownHandlers,
  FibonacciHandlers,
  LogHandlers,
  PassingHandlers,
  TaskHandlers,
} from './tutorial-handlers.js';

onEachBroker('pika', (broker) => {
  withPika(() => {
    describe('work queue', () => {
      it('texts sent by pika reach our handler in order, also when pika declared the queue first', async () => {
        await pika(broker.url, 'send.py', 'tasks', 'first.', 'second..');
        const { received } = await application(broker.url, [TaskHandlers]);
        await pika(broker.url, 'send.py', 'tasks', '{"third":3}', 'grüße', '');
        expect(await received.take(5)).toEqual(['first.', 'second..', { third: 3 }, 'grüße', undefined]);
      });

      it('what our publisher sends reaches a pika worker, also when our handler declared the queue', async () => {
        const { publisher } = await application(broker.url, [TaskHandlers]);
        const worker = await pikaService(broker.url, 'work.py', 'other_tasks');
        await publisher.send('other_tasks', { id: 7 }, { messageId: 'm-7', headers: { tenant: 'acme' } });
        expect(await worker.told()).toMatchObject({
          body: '{"id":7}',
          content_type: 'application/json',
          delivery_mode: 2,
          message_id: 'm-7',
          headers: { tenant: 'acme' },
        });
        await publisher.send('other_tasks', 'plain text');
        expect(await worker.told()).toMatchObject({ body: 'plain text', content_type: 'text/plain' });
        // Both declare 'tasks' here; neither is refused.
        await pikaService(broker.url, 'work.py', 'tasks');
      });
    });

    it('what pika publishes to fanout, direct, topic and headers exchanges reaches our subscribers', async () => {
      const { received } = await application(broker.url, [LogHandlers]);
      await pika(broker.url, 'emit.py', 'logs', 'fanout', '', 'to all');
      await pika(broker.url, 'emit.py', 'logs_direct', 'direct', 'info', 'not for us');
      await pika(broker.url, 'emit.py', 'logs_direct', 'direct', 'error', 'disk full');
      await pika(broker.url, 'emit.py', 'logs_topic', 'topic', 'cron.info', 'not for us');
      await pika(broker.url, 'emit.py', 'logs_topic', 'topic', 'kern.critical', 'panic');
      await pika(broker.url, 'emit.py', 'reports', 'headers', '', 'not for us', 'format=pdf');
      await pika(broker.url, 'emit.py', 'reports', 'headers', '', 'Q3', 'format=pdf', 'type=report');
      const got = await received.take(4);
      expect(got).toHaveLength(4);
      expect(got).toEqual(
        expect.arrayContaining([
          ['fanout', 'to all'],
          ['direct', 'disk full', 'error'],
          ['topic', 'panic', 'kern.critical'],
          ['headers', 'Q3'],
        ]),
      );
    });

    it.each([
      ['fanout', 'logs', [], 'any.key', {}],
      ['direct', 'logs_direct', ['error'], 'error', {}],
      ['topic', 'logs_topic', ['kern.#'], 'kern.disk.full', {}],
      ['headers', 'reports', ['format=pdf', 'type=report'], '', { format: 'pdf', type: 'report' }],
    ] as const)(
      'what we publish reaches a pika listener: %s',
      async (kind, exchange, bindings, key, headers) => {
        const listener = await pikaService(broker.url, 'listen.py', exchange, kind, ...bindings);
        const { publisher } = await application(broker.url);
        const receipt = await publisher.publish(key, { n: 1 }, { exchange, headers });
        expect(receipt.routed).toBe(true);
        expect(await listener.told()).toMatchObject({ body: '{"n":1}', key });
        if (kind === 'fanout') return;
        const missed = await publisher.publish('other', { n: 2 }, { exchange, headers: { format: 'pdf' } });
        expect(missed.routed).toBe(false);
      },
    );

    describe('calls', () => {
      it.each([
        ['a reply queue', []],
        ['direct reply-to', ['direct']],
      ])('pika calls our handler and gets text back over %s', async (_name, direct) => {
        await application(broker.url, [FibonacciHandlers]);
        const answer = await pika(broker.url, 'rpc_client.py', 'rpc_queue', '30', ...direct);
        expect(answer).toEqual({ body: '832040', content_type: 'text/plain', failed: false });
      });

      it('a handler that throws answers pika with a marked error, not with silence', async () => {
        await application(broker.url, [FibonacciHandlers]);
        const answer = await pika(broker.url, 'rpc_client.py', 'rpc_queue', 'thirty');
        expect(answer).toMatchObject({ content_type: 'application/json', failed: true });
        expect(JSON.parse(answer.body as string)).toMatchObject({ name: 'RangeError', code: 'INTERNAL' });
      });

      it.each(['direct', 'queue'] as const)(
        'our request is answered by a pika server (reply: %s)',
        async (reply) => {
          await pikaService(broker.url, 'rpc_server.py', 'pika_rpc');
          const { publisher } = await application(broker.url, [], { rpc: { reply } });
          const answers = await Promise.all([30, 0, 1].map((n) => publisher.request<number>('pika_rpc', n)));
          expect(answers).toEqual([832040, 0, 1]);
        },
      );
    });

    describe('calls that take long', () => {
      it('our request ends in time, and the late answer of a pika server harms nobody', async () => {
        await pikaService(broker.url, 'rpc_server.py', 'slow_rpc', '2');
        const { publisher } = await application(broker.url);
        const ignored = new Collector<string>('ignored replies');
        publisher.on((event) => event.kind === 'reply-ignored' && ignored.push(event.correlationId));
        const late = publisher.request('slow_rpc', 0, { timeout: '1s', correlationId: 'late' });
        expect(await rejection(late)).toMatchObject({ code: 'WARREN_RPC_TIMEOUT', correlationId: 'late' });
        expect(await publisher.request('slow_rpc', 10)).toBe(55);
        expect(ignored.all).toEqual(['late']);
      });

      it('a request to a pika server that was killed ends in time', async () => {
        const server = await pikaService(broker.url, 'rpc_server.py', 'killed_rpc');
        const { publisher } = await application(broker.url);
        expect(await publisher.request('killed_rpc', 10)).toBe(55);
        await server.kill();
        const failed = publisher.request('killed_rpc', 10, { timeout: '1s' });
        expect(await rejection(failed)).toMatchObject({ code: 'WARREN_RPC_TIMEOUT' });
      });
    });

    describe('streams', () => {
      it.each([
        ['all items', '5', '9', { items: [5, 4, 3, 2, 1], end: 'all 5' }],
        ['the first two, and the generator ends', '100000', '2', { items: [100000, 99999], end: 'enough' }],
        ['the items before an error, and the error', '1', '9', { items: [1], end: 'no ignition' }],
      ])('pika reads our generator: %s', async (_name, from, enough, told) => {
        const { received } = await application(broker.url, [CountdownHandlers]);
        expect(await pika(broker.url, 'stream_client.py', 'countdown', from, enough)).toEqual(told);
        expect(await received.one()).toBe('over');
      });

      it('a caller who knows nothing of streams gets the last item', async () => {
        await application(broker.url, [CountdownHandlers]);
        expect(await pika(broker.url, 'rpc_client.py', 'countdown', '5')).toMatchObject({ body: '1' });
      });

      it('we read the replies of a pika server', async () => {
        await pikaService(broker.url, 'stream_server.py', 'pika_stream');
        const { publisher } = await application(broker.url);
        const items: unknown[] = [];
        for await (const item of publisher.stream('pika_stream', 5)) items.push(item);
        expect(items).toEqual([1, 2, 3, 4, 5]);
      });
    });

    it('a queue that pika declared, not durable, is used as it is with declare: check', async () => {
      await pika(broker.url, 'declare.py', 'passing');
      const { publisher, received } = await application(broker.url, [PassingHandlers]);
      await publisher.send('passing', 'by');
      expect(await received.one()).toBe('by');
    });

    it('a queue that pika declared otherwise than we would is a boot error that names it', async () => {
      await pika(broker.url, 'declare.py', 'brittle');
      await expect(application(broker.url, [BrittleHandlers])).rejects.toMatchObject({
        name: 'TopologyMismatchError',
        facts: { name: 'brittle', argument: 'durable', current: "'false'", wanted: "'true'" },
      });
    });
  });
});
