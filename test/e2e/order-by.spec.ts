// orderBy: messages with the same key one after the other, others at the same time; and what becomes of the order when
// something fails, ends or breaks.

import { describe, expect, it } from '@jest/globals';
import type { Delivery, HandlerOptions, OrderBy } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, rejection, taken, warren, type Warren } from '../support/warren.js';

const byCustomer: OrderBy = { header: 'customer' };

/** A handler whose runs end when the test says so. */
class ManualHandler {
  readonly begun = new Collector<string>('runs');
  readonly ended = new Collector<string>('ends of runs');
  private readonly waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();

  readonly handle = async ({ payload }: Delivery): Promise<void> => {
    const name = String(payload);
    const end = new Promise<void>((resolve, reject) => this.waiting.set(name, { resolve, reject }));
    this.begun.push(name);
    await end;
    this.ended.push(name);
  };

  end(...names: string[]): void {
    for (const name of names) this.waiting.get(name)?.resolve();
  }

  fail(name: string): void {
    this.waiting.get(name)?.reject(new Error(`${name} failed`));
  }
}

onEachBroker('orderBy', (broker) => {
  /** Sends texts like 'a1': the key is the letter; without one there is no key. */
  const send = async (rabbit: Warren, queue: string, ...names: string[]): Promise<void> => {
    for (const name of names) {
      const customer = /^[a-z]/.exec(name)?.[0];
      await rabbit.broker.send(queue, name, { headers: customer ? { customer } : {} });
    }
  };
  const opened = (queue: string, manual: ManualHandler, options: HandlerOptions = {}): Promise<Warren> =>
    // A run that a failed test never ends must not keep the next one waiting.
    warren(broker.url, { shutdown: 500 })
      .consume(queue, manual.handle, { orderBy: byCustomer, ...options })
      .open();
  const arrived = (rabbit: Warren, messages: number): Promise<unknown> =>
    until(
      () => rabbit.broker.status().consumers[0].inFlight === messages,
      `${messages} messages to be there`,
    );

  it('messages of one key run one after the other as they arrived, those of others meanwhile', async () => {
    const manual = new ManualHandler();
    const rabbit = await opened('pairs', manual);
    await logged(rabbit, 'prefetch 32  in order by header customer');
    await send(rabbit, 'pairs', 'a1', 'a2', 'b1', 'a3', 'b2');
    expect(await manual.begun.take(2)).toEqual(['a1', 'b1']);
    await arrived(rabbit, 5);
    expect(manual.begun.size).toBe(2);
    manual.end('b1');
    expect(await manual.begun.one()).toBe('b2');
    manual.end('a1');
    expect(await manual.begun.one()).toBe('a2');
    manual.end('a2', 'b2');
    expect(await manual.begun.one()).toBe('a3');
    manual.end('a3');
    await arrived(rabbit, 0);
  });

  it('a busy key takes one of the places that `concurrency` gives, not all', async () => {
    const manual = new ManualHandler();
    const rabbit = await opened('busy', manual, { concurrency: 2 });
    await send(rabbit, 'busy', 'a1', 'a2', 'a3', 'a4', 'b1', 'c1');
    expect(await manual.begun.take(2)).toEqual(['a1', 'b1']);
    await arrived(rabbit, 6);
    expect(manual.begun.size).toBe(2);
    manual.end('b1');
    expect(await manual.begun.one()).toBe('c1');
    manual.end('a1', 'c1');
    for (const name of ['a2', 'a3', 'a4']) {
      expect(await manual.begun.one()).toBe(name);
      manual.end(name);
    }
  });

  it('a message without a key waits for nobody', async () => {
    const manual = new ManualHandler();
    const rabbit = await opened('keyless', manual);
    await send(rabbit, 'keyless', 'a1', '1', '2', 'a2');
    expect(await manual.begun.take(3)).toEqual(['a1', '1', '2']);
    manual.end('1', '2', 'a1');
    expect(await manual.begun.one()).toBe('a2');
    manual.end('a2');
  });

  it('the key may be the routing key, or what a function makes of the message as it arrives', async () => {
    const exchange = { name: 'order-by.events', type: 'topic' } as const;
    const cases: [string, OrderBy][] = [
      ['by-key', 'routingKey'],
      ['by-function', ({ routingKey, message }) => `${routingKey}${message.properties.messageId?.[0]}`],
    ];
    for (const [queue, orderBy] of cases) {
      const manual = new ManualHandler();
      const rabbit = await opened(queue, manual, { orderBy, bindings: [{ exchange, key: `${queue}.*` }] });
      const publish = (key: string, name: string): Promise<unknown> =>
        rabbit.broker.publish(`${queue}.${key}`, name, { exchange: exchange.name, messageId: `x${name}` });
      await publish('x', 'x1');
      await publish('x', 'x2');
      await publish('y', 'y1');
      expect(await manual.begun.take(2)).toEqual(['x1', 'y1']);
      manual.end('x1');
      expect(await manual.begun.one()).toBe('x2');
      manual.end('x2', 'y1');
      await rabbit.broker.close();
    }
  });

  it('a number is a key as well as the text that looks like it', async () => {
    const manual = new ManualHandler();
    const rabbit = await opened('numbers', manual);
    await rabbit.broker.send('numbers', 'first', { headers: { customer: 7 } });
    await rabbit.broker.send('numbers', 'second', { headers: { customer: '7' } });
    expect(await manual.begun.one()).toBe('first');
    await arrived(rabbit, 2);
    expect(manual.begun.size).toBe(1);
    manual.end('first');
    expect(await manual.begun.one()).toBe('second');
    manual.end('second');
  });

  it('handlers that share a queue share the order, whichever of them a message is for', async () => {
    const manual = new ManualHandler();
    const exchange = { name: 'order-by.events', type: 'topic' } as const;
    const rabbit = warren(broker.url);
    for (const id of ['created', 'paid'])
      rabbit.broker.register({
        kind: 'consume',
        id,
        patterns: ['shared'],
        options: { orderBy: { header: 'customer' }, bindings: [{ exchange, key: `shared.${id}` }] },
        handle: (delivery) => manual.handle(delivery as Delivery),
      });
    await rabbit.open();
    const publish = (key: string, name: string): Promise<unknown> =>
      rabbit.broker.publish(`shared.${key}`, name, {
        exchange: exchange.name,
        headers: { customer: name[0] },
      });
    await publish('created', 'a1');
    await publish('paid', 'a2');
    await publish('paid', 'b1');
    expect(await manual.begun.take(2)).toEqual(['a1', 'b1']);
    manual.end('a1', 'b1');
    expect(await manual.begun.one()).toBe('a2');
    manual.end('a2');
  });

  it('never two of one key at once and never out of order, whatever takes how long', async () => {
    const running = new Map<string, number>();
    const seen = new Map<string, number[]>();
    const wrong: string[] = [];
    let most = 0;
    const rabbit = await warren(broker.url)
      .consume(
        'random',
        async ({ payload, headers }) => {
          const key = String(headers.customer);
          if (running.get(key)) wrong.push(`two of ${key}`);
          running.set(key, 1);
          most = Math.max(most, [...running.values()].filter(Boolean).length);
          for (let turns = Math.floor(Math.random() * 20); turns > 0; turns--) await immediate();
          seen.set(key, [...(seen.get(key) ?? []), payload as number]);
          running.set(key, 0);
        },
        { orderBy: byCustomer, prefetch: 50, concurrency: 8 },
      )
      .open();
    const numbers = Array.from({ length: 400 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) => rabbit.broker.send('random', n, { headers: { customer: `k${n % 13}` } })),
    );
    await until(() => [...seen.values()].flat().length === 400, 'all to be handled');
    expect(wrong).toEqual([]);
    for (const list of seen.values()) expect(list).toEqual([...list].sort((one, other) => one - other));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  describe('when something fails', () => {
    it('the next of its key goes on at once, and the failed one comes after those that wait', async () => {
      const manual = new ManualHandler();
      const rabbit = await opened('overtaken', manual, { retry: { attempts: 2, delays: 50, jitter: false } });
      await send(rabbit, 'overtaken', 'a1', 'a2');
      expect(await manual.begun.one()).toBe('a1');
      manual.fail('a1');
      expect(await manual.begun.one()).toBe('a2');
      await until(() => count(broker, 'overtaken').then((n) => n === 0), 'the queue to be empty');
      await logged(rabbit, 'attempt 2 in');
      // Comes back while a2 runs, and waits for it like any other.
      await arrived(rabbit, 2);
      expect(manual.begun.size).toBe(2);
      manual.end('a2');
      expect(await manual.begun.one()).toBe('a1');
      manual.end('a1');
      await arrived(rabbit, 0);
    });

    it('a dead letter lets the next of its key go on', async () => {
      const manual = new ManualHandler();
      const rabbit = await opened('dead', manual, { retry: false });
      await send(rabbit, 'dead', 'a1', 'a2');
      await manual.begun.one();
      manual.fail('a1');
      expect(await manual.begun.one()).toBe('a2');
      expect((await taken(broker, 'dead.dead')).content.toString()).toBe('a1');
      manual.end('a2');
    });

    it('a timeout lets it go on too, also when the handler does not stop', async () => {
      const manual = new ManualHandler();
      const rabbit = await opened('slow', manual, { retry: false, timeout: 50 });
      await send(rabbit, 'slow', 'a1', 'a2');
      expect(await manual.begun.take(2)).toEqual(['a1', 'a2']);
      manual.end('a2', 'a1');
      await logged(rabbit, 'slow returned after its timeout');
    });

    it('a message whose key cannot be told is dead-lettered unread, and the others go on', async () => {
      const manual = new ManualHandler();
      const rabbit = await opened('unkeyed', manual, {
        orderBy: ({ headers }) => (headers.customer as string).toUpperCase(),
      });
      await send(rabbit, 'unkeyed', 'a1', '1', 'b1');
      expect(await manual.begun.take(2)).toEqual(['a1', 'b1']);
      const dead = await taken(broker, 'unkeyed.dead');
      expect(dead.content.toString()).toBe('1');
      expect(dead.properties.headers).toMatchObject({ 'x-warren-reason': 'undecodable' });
      await logged(rabbit, 'orderBy threw: TypeError');
      manual.end('a1', 'b1');
    });

    it('so is one whose header is neither text nor number', async () => {
      const manual = new ManualHandler();
      const rabbit = await opened('list', manual);
      await rabbit.broker.send('list', 1, { headers: { customer: ['a'] } });
      expect((await taken(broker, 'list.dead')).content.toString()).toBe('1');
      await logged(rabbit, "the header 'customer' is neither a string nor a number, but an array");
      expect(manual.begun.size).toBe(0);
    });
  });

  it('a shutdown waits for the one that runs and hands back the others of its key, in their order', async () => {
    const [manual, next] = [new ManualHandler(), new ManualHandler()];
    const rabbit = await opened('ending', manual);
    await send(rabbit, 'ending', 'a1', 'a2', 'a3', 'a4');
    await manual.begun.one();
    await arrived(rabbit, 4);
    const closed = rabbit.broker.close();
    manual.end('a1');
    await closed;
    expect(manual.begun.all).toEqual(['a1']);
    await opened('ending', next);
    for (const name of ['a2', 'a3', 'a4']) {
      expect(await next.begun.one()).toBe(name);
      next.end(name);
    }
  });

  it('after a loss of the connection a message that is delivered again waits for its own first run', async () => {
    const manual = new ManualHandler();
    const rabbit = await opened('lost', manual);
    await send(rabbit, 'lost', 'a1', 'a2', 'b1');
    expect(await manual.begun.take(2)).toEqual(['a1', 'b1']);
    await arrived(rabbit, 3);
    await broker.closeConnections();
    await eventOf(rabbit, 'consumer-lost');
    await arrived(rabbit, 3);
    expect(manual.begun.size).toBe(2);
    manual.end('a1');
    expect(await manual.ended.one()).toBe('a1');
    expect(await manual.begun.one()).toBe('a1');
    manual.end('a1');
    expect(await manual.begun.one()).toBe('a2');
    manual.end('a2', 'b1');
    expect(await manual.begun.one()).toBe('b1');
    manual.end('b1');
    await arrived(rabbit, 0);
  });

  describe('what cannot be is refused before anything is sent', () => {
    const cases: [string, HandlerOptions, RegExp][] = [
      ['a batch', { orderBy: byCustomer, batch: { size: 2 } }, /a batch runs as one/],
      ['no acks', { orderBy: byCustomer, ack: 'none' }, /orderBy requires acks/],
      ['another word', { orderBy: 'key' as 'routingKey' }, /'orderBy' must be 'routingKey'/],
      [
        'a header without a name',
        { orderBy: { header: '' } },
        /'orderBy\.header' must be a non-empty string/,
      ],
    ];
    it.each(cases)('%s', async (_name, options, message) => {
      const rabbit = warren(broker.url);
      const error = await rejection(
        (async () => rabbit.consume('refused', () => undefined, options).open())(),
      );
      expect(error).toMatchObject({ code: 'WARREN_CONFIG', message: expect.stringMatching(message) });
    });

    it('handlers of one queue that want different orders', async () => {
      const rabbit = warren(broker.url);
      for (const [id, orderBy] of Object.entries({ one: byCustomer, two: 'routingKey' } as const))
        rabbit.broker.register({
          kind: 'consume',
          id,
          patterns: ['mixed'],
          options: { orderBy, bindings: [{ exchange: { name: 'm' }, key: id }] },
          handle: () => undefined,
        });
      expect((await rejection(rabbit.open())).message).toMatch(/one and two share .* orderBy differs/);
    });
  });
});

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
