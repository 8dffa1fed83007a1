// Several handlers on one queue: one consumer, and each message goes to the one that wants it most.

import { describe, expect, it } from '@jest/globals';
import { nestPattern, type HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { eventOf, logged, rejection, taken, warren, type Warren } from '../support/warren.js';

const events = { name: 'dispatch.events', type: 'topic' } as const;

onEachBroker('handlers that share a queue', (broker) => {
  const handled = new Collector<string>('calls of handlers');

  const shared = (queue: string, handlers: Record<string, HandlerOptions>): Warren => {
    const rabbit = warren(broker.url);
    for (const [id, options] of Object.entries(handlers)) {
      rabbit.broker.register({
        kind: 'consume',
        id,
        patterns: [queue],
        options,
        handle: () => handled.push(id),
      });
    }
    return rabbit;
  };

  it('one consumer serves them all', async () => {
    const rabbit = await shared('one', {
      first: { bindings: [{ exchange: events, key: 'one.a' }] },
      second: { bindings: [{ exchange: events, key: 'one.b' }] },
    }).open();
    const channel = await (await broker.connect()).createChannel();
    expect((await channel.checkQueue('one')).consumerCount).toBe(1);
    expect(rabbit.broker.status().consumers).toHaveLength(1);
  });

  it('each message goes to the handler with the most specific pattern, # and * anywhere', async () => {
    const rabbit = await shared('keys', {
      exact: { bindings: [{ exchange: events, key: 'order.eu.created' }] },
      star: { bindings: [{ exchange: events, key: 'order.*.created' }] },
      middle: { bindings: [{ exchange: events, key: 'order.#.deleted' }] },
      head: { bindings: [{ exchange: events, key: '#.error' }] },
      rest: { bindings: [{ exchange: events, key: 'order.#' }] },
    }).open();
    const expected: [string, string][] = [
      ['order.eu.created', 'exact'],
      ['order.us.created', 'star'],
      ['order.a.b.c.deleted', 'middle'],
      ['order.deleted', 'middle'],
      ['error', 'head'],
      ['some.other.error', 'head'],
      ['order.paid', 'rest'],
      ['order', 'rest'],
    ];
    for (const [key, handler] of expected) {
      await rabbit.broker.publish(key, key, { exchange: events.name });
      expect([key, await handled.one()]).toEqual([key, handler]);
    }
  });

  it('the exchange decides where keys are the same', async () => {
    const rabbit = await shared('exchanges', {
      topic: { bindings: [{ exchange: events, key: 'same' }] },
      direct: { bindings: [{ exchange: { name: 'dispatch.direct', type: 'direct' }, key: 'same' }] },
      fanout: { bindings: [{ exchange: { name: 'dispatch.fanout', type: 'fanout' } }] },
      sent: {},
    }).open();
    const publish = async (exchange: string, key: string): Promise<string> => {
      await rabbit.broker.publish(key, 1, { exchange });
      return handled.one();
    };
    expect(await publish(events.name, 'same')).toBe('topic');
    expect(await publish('dispatch.direct', 'same')).toBe('direct');
    expect(await publish('dispatch.fanout', 'anything')).toBe('fanout');
    expect(await publish('', 'exchanges')).toBe('sent');
  });

  it('a message that came straight to the queue is for no other handler, whatever its headers say', async () => {
    const rabbit = await shared('forged', {
      topic: { bindings: [{ exchange: events, key: 'pay' }] },
      sent: {},
    }).open();
    const headers = {
      'x-warren-exchange': events.name,
      'x-warren-routing-key': 'pay',
      'x-warren-attempt': 3,
    };
    await rabbit.broker.send('forged', 1, { headers });
    expect(await handled.one()).toBe('sent');
    const { delivery } = await eventOf(rabbit, 'handled');
    expect(delivery).toMatchObject({ exchange: '', routingKey: 'forged', attempt: 1 });
  });

  it('a codec whose wire names the handler in the body decides before keys do', async () => {
    const rabbit = await shared('named', {
      quote: { codec: nestPattern('quote') },
      list: { codec: nestPattern({ cmd: 'list' }) },
      rest: {},
    }).open();
    const send = async (body: unknown): Promise<string> => {
      await rabbit.broker.send('named', body);
      return handled.one();
    };
    expect(await send({ pattern: 'quote', data: 1 })).toBe('quote');
    expect(await send({ pattern: { cmd: 'list' }, data: 1 })).toBe('list');
    expect(await send({ pattern: 'other', data: 1 })).toBe('rest');
    expect(await send('{ no JSON')).toBe('rest');
  });

  it('such a handler gets nothing that is for another, also when it is alone', async () => {
    const rabbit = await shared('alone', { quote: { codec: nestPattern('quote') } }).open();
    await rabbit.broker.send('alone', { pattern: 'other', data: 1 });
    await logged(rabbit, "no handler of queue 'alone' matches");
    await rabbit.broker.send('alone', { pattern: 'quote', data: 1 });
    expect(await handled.one()).toBe('quote');
  });

  it('a pattern of a direct exchange is a key like any other', async () => {
    const rabbit = await shared('literal', {
      star: { bindings: [{ exchange: { name: 'dispatch.direct', type: 'direct' }, key: 'a.*' }] },
      plain: { bindings: [{ exchange: { name: 'dispatch.direct', type: 'direct' }, key: 'a.b' }] },
    }).open();
    await rabbit.broker.publish('a.b', 1, { exchange: 'dispatch.direct' });
    expect(await handled.one()).toBe('plain');
    await rabbit.broker.publish('a.*', 1, { exchange: 'dispatch.direct' });
    expect(await handled.one()).toBe('star');
  });

  it('headers decide for a headers exchange, more of them before fewer, all before any', async () => {
    const exchange = { name: 'dispatch.headers', type: 'headers' } as const;
    const rabbit = await shared('headers', {
      both: { bindings: [{ exchange, match: { all: { format: 'pdf', type: 'report' } } }] },
      format: { bindings: [{ exchange, match: { all: { format: 'pdf' } } }] },
      either: { bindings: [{ exchange, match: { any: { type: 'report', urgent: true } } }] },
      present: { bindings: [{ exchange, match: { all: { traced: null } } }] },
    }).open();
    const publish = async (headers: Record<string, unknown>): Promise<string> => {
      await rabbit.broker.publish('', 1, { exchange: exchange.name, headers });
      return handled.one();
    };
    expect(await publish({ format: 'pdf', type: 'report' })).toBe('both');
    expect(await publish({ format: 'pdf', type: 'log' })).toBe('format');
    expect(await publish({ format: 'zip', type: 'report' })).toBe('either');
    expect(await publish({ urgent: true })).toBe('either');
    expect(await publish({ traced: 'whatever' })).toBe('present');
  });

  it('the exchanges that every vhost has are known by their names', async () => {
    const rabbit = await shared('builtin', {
      fanout: { bindings: [{ exchange: 'amq.fanout' }] },
      direct: { bindings: [{ exchange: 'amq.direct', key: 'a.#' }] },
      headers: { bindings: [{ exchange: 'amq.headers', match: { all: { x: 1 } } }] },
    }).open();
    await rabbit.broker.publish('any.key', 1, { exchange: 'amq.fanout' });
    expect(await handled.one()).toBe('fanout');
    await rabbit.broker.publish('a.#', 1, { exchange: 'amq.direct' });
    expect(await handled.one()).toBe('direct');
    await rabbit.broker.publish('', 1, { exchange: 'amq.headers', headers: { x: 1 } });
    expect(await handled.one()).toBe('headers');
  });

  it('an exchange given by name and bound without a key gives its handler every key', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertExchange('dispatch.foreign', 'fanout', { durable: true });
    const rabbit = await shared('foreign', {
      foreign: { bindings: [{ exchange: 'dispatch.foreign' }] },
      own: { bindings: [{ exchange: events, key: 'foreign' }] },
    }).open();
    await rabbit.broker.publish('any.key', 1, { exchange: 'dispatch.foreign' });
    expect(await handled.one()).toBe('foreign');
  });

  it('a message that none of them wants is dead-lettered, and the log says which there are', async () => {
    const rabbit = await shared('strict', {
      created: { bindings: [{ exchange: events, key: 'strict.created' }] },
      deleted: { bindings: [{ exchange: events, key: 'strict.deleted' }] },
    }).open();
    const before = handled.size;
    await rabbit.broker.send('strict', 'stray');
    const dead = await taken(broker, 'strict.dead');
    expect(dead.content.toString()).toBe('stray');
    expect(dead.properties.headers).toMatchObject({ 'x-warren-reason': 'unmatched', 'x-warren-attempt': 0 });
    await logged(rabbit, "matches 'strict' of the default exchange; its handlers are created, deleted");
    expect(rabbit.events.all).toContainEqual(
      expect.objectContaining({
        kind: 'handled',
        verdict: expect.objectContaining({ reason: 'unmatched' }) as unknown,
      }),
    );
    expect(handled.size).toBe(before);
  });

  it('a retried message comes back to the same handler', async () => {
    const calls = new Collector<string>();
    const rabbit = warren(broker.url);
    for (const id of ['a', 'b']) {
      rabbit.broker.register({
        kind: 'consume',
        id,
        patterns: ['again'],
        options: {
          bindings: [{ exchange: events, key: `again.${id}` }],
          retry: { delays: 10, jitter: false },
        },
        handle: (input) => {
          const { attempt } = input as { attempt: number };
          calls.push(`${id}${attempt}`);
          if (attempt < 3) throw new Error('again');
        },
      });
    }
    await rabbit.open();
    await rabbit.broker.publish('again.b', 1, { exchange: events.name });
    expect(await calls.take(3)).toEqual(['b1', 'b2', 'b3']);
  });

  describe('what cannot be is refused before anything is sent, naming both', () => {
    const cases: [string, Record<string, HandlerOptions>, RegExp][] = [
      [
        'two that want the same key',
        {
          one: { bindings: [{ exchange: events, key: 'k' }] },
          two: { bindings: [{ exchange: events, keys: ['x', 'k'] }] },
        },
        /one and two both handle 'k' of exchange 'dispatch.events' from queue/,
      ],
      [
        'two for one pattern of a wire that names it in the body',
        { one: { codec: nestPattern({ a: 1, b: 2 }) }, two: { codec: nestPattern({ b: 2, a: 1 }) } },
        /one and two both handle every message/,
      ],
      ['two without bindings', { one: {}, two: {} }, /one and two both handle every message/],
      [
        'two on one fanout exchange, whatever their keys',
        {
          one: { bindings: [{ exchange: { name: 'f', type: 'fanout' }, key: 'a' }] },
          two: { bindings: [{ exchange: { name: 'f', type: 'fanout' }, key: 'b' }] },
        },
        /one and two both handle/,
      ],
      [
        'different prefetch',
        { one: { prefetch: 1, bindings: [{ exchange: events, key: 'a' }] }, two: { prefetch: 2 } },
        /one and two share queue '.*' but prefetch is 1 for the first and 2 for the second/,
      ],
      [
        'a batch beside another',
        { one: { batch: { size: 2 } }, two: {} },
        /one and two share .* batch handler cannot share/,
      ],
      ['different ack modes', { one: { ack: 'manual' }, two: {} }, /one and two share .* ack is "manual"/],
      [
        'different queue types',
        { one: { queueType: 'quorum' }, two: {} },
        /@Consume one and @Consume two want queue/,
      ],
    ];
    it.each(cases)('%s', async (_name, handlers, message) => {
      const rabbit = shared('conflict', handlers);
      const error = await rejection(rabbit.open());
      expect(error).toMatchObject({ code: 'WARREN_CONFIG', message: expect.stringMatching(message) });
      expect(rabbit.events.all.map(({ kind }) => kind)).toEqual(['closing', 'closed']);
    });
  });
});
