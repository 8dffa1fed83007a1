// The dead-letter client on a queue of dead letters: looking leaves everything as it was, a replay goes to the
// queue of the failure and loses nothing whatever interrupts it, and what is dropped is saved before.

import { describe, expect, it, jest } from '@jest/globals';
import { DeadLetters, Reject, Retry, type DeadLetter } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, rejection, warren } from '../support/warren.js';
import { afterTheBankCameBack } from '../../docs/examples/dead-letters.js';
import { fill, idsOf, kinds, ready } from './dead-letters.js';

onEachBroker('the dead-letter client', (broker) => {
  const client = (): DeadLetters => new DeadLetters({ url: broker.url });
  const read = async (queue: string, options = {}): Promise<DeadLetter[]> => {
    const letters: DeadLetter[] = [];
    for await (const letter of client().peek(queue, options)) letters.push(letter);
    return letters;
  };

  describe.each(kinds)('given a $kind dead-letter queue', ({ kind, args }) => {
    it('shows the first letters and leaves number and order of all as they were, however often it looks', async () => {
      const queue = `look-${kind}`;
      const ids = await fill(broker, queue, 300, args);
      for (const limit of [120, 7, 300]) {
        const letters = await read(queue, { limit });
        expect(letters.map(({ id }) => id)).toEqual(ids.slice(0, limit));
        await ready(broker, `${queue}.dead`, 300);
      }
      for (const letter of (await read(queue)).slice(0, 3))
        expect(letter.looks).toBe(kind === 'classic' ? 0 : 3);
      expect(await idsOf(broker, `${queue}.dead`)).toEqual(ids);
    });

    it('a loop that is left early gives back what it took, in its place', async () => {
      const queue = `leave-${kind}`;
      const ids = await fill(broker, queue, 50, args);
      for await (const letter of client().peek(queue)) if (letter.position === 5) break;
      await ready(broker, `${queue}.dead`, 50);
      expect(await idsOf(broker, `${queue}.dead`)).toEqual(ids);
    });

    it('replays in order, to the queue of the failure, with attempts anew, and empties the dead-letter queue', async () => {
      const queue = `replay-${kind}`;
      const ids = await fill(broker, queue, 250, args);
      await read(queue);
      const progress: number[] = [];
      const result = await client().replay(queue, { onProgress: ({ done }) => progress.push(done) });
      expect(result).toEqual({ done: 250, seen: 250, total: 250, unseen: 0, interrupted: false });
      expect(progress).toEqual([100, 200, 250]);
      const channel = await (await broker.connect()).createChannel();
      const first = await until(() => channel.get(queue, { noAck: true }), 'a message');
      expect(first.properties.headers).toEqual({
        tenant: 'eu',
        'x-warren-exchange': 'events',
        'x-warren-routing-key': 'order.0',
        'x-warren-queue': queue,
        'x-warren-replayed': 1,
      });
      expect(first.properties.messageId).toBe(ids[0]);
      expect(first.fields.redelivered).toBe(false);
      expect(await idsOf(broker, queue)).toEqual(ids.slice(1));
      expect(await count(broker, `${queue}.dead`)).toBe(0);
    });

    it('replays one class of errors and leaves the others in their order', async () => {
      const queue = `chosen-${kind}`;
      const ids = await fill(broker, queue, 600, args);
      // In one batch: as many acks as can be, right before the channel closes.
      const result = await client().replay(queue, { error: 'TypeError', batch: 500 });
      expect(result).toMatchObject({ done: 300, seen: 600 });
      expect(await idsOf(broker, queue)).toEqual(ids.filter((_, index) => index % 2 === 1));
      await ready(broker, `${queue}.dead`, 300);
      expect(await idsOf(broker, `${queue}.dead`)).toEqual(ids.filter((_, index) => index % 2 === 0));
    });

    it('drops some of many in small batches, and holds few letters before it knows whether it wants them', async () => {
      const queue = `many-${kind}`;
      const ids = await fill(broker, queue, 2_000, args);
      const isWanted = (index: number): boolean => index % 7 === 0 || (index > 900 && index < 1_000);
      const wanted = new Set(ids.filter((_, index) => isWanted(index)));
      // All of them were returned before.
      expect(await read(queue, { limit: 2_000 })).toHaveLength(2_000);
      await ready(broker, `${queue}.dead`, 2_000);
      const waiting: number[] = [];
      const work = {
        where: ({ id }: DeadLetter): boolean => wanted.has(String(id)),
        batch: 10,
        save: async () => void waiting.push(await count(broker, `${queue}.dead`)),
      };
      expect(await client().drop(queue, work)).toMatchObject({ done: wanted.size, seen: 2_000 });
      expect(waiting[0]).toBeGreaterThanOrEqual(1_800);
      await ready(broker, `${queue}.dead`, 2_000 - wanted.size);
      expect(await idsOf(broker, `${queue}.dead`)).toEqual(ids.filter((_, index) => !isWanted(index)));
    });

    it('stops after the batch in which it was aborted, and hands the rest back', async () => {
      const queue = `abort-${kind}`;
      const ids = await fill(broker, queue, 200, args);
      const stop = new AbortController();
      const result = await client().replay(queue, {
        batch: 20,
        signal: stop.signal,
        onProgress: ({ done }) => done === 60 && stop.abort(),
      });
      expect(result).toMatchObject({ done: 60, interrupted: true });
      await ready(broker, `${queue}.dead`, 140);
      expect(await idsOf(broker, queue)).toEqual(ids.slice(0, 60));
      expect(await idsOf(broker, `${queue}.dead`)).toEqual(ids.slice(60));
    });
  });

  it('what fails again during a replay comes back once, and is not replayed again by it', async () => {
    const runs = new Collector<string>('runs');
    const rabbit = await warren(broker.url)
      .consume('again', ({ message }) => {
        runs.push(String(message.properties.messageId));
        throw Reject('still wrong');
      })
      .open();
    for (let i = 0; i < 30; i++) await rabbit.broker.send('again', i);
    await ready(broker, 'again.dead', 30);
    expect(await client().replay('again', { batch: 5 })).toMatchObject({ done: 30, total: 30 });
    await ready(broker, 'again.dead', 30);
    expect(runs.size).toBe(60);
    const [letter] = await read('again');
    expect(letter).toMatchObject({ replayed: 1, attempts: 1, queue: 'again', reason: 'rejected' });
  });

  it('a replayed message reaches one queue, not all that are bound, and its handler sees exchange and key', async () => {
    const seen = new Collector<string>('deliveries');
    let failing = true;
    const rabbit = await warren(broker.url)
      .subscribe(
        'order.*',
        ({ exchange, routingKey, attempt }) => {
          if (failing) throw Reject('no');
          seen.push(`${exchange} ${routingKey} ${attempt}`);
        },
        { queue: 'one' },
      )
      .subscribe('order.#', ({ routingKey }) => seen.push(`other ${routingKey}`), { queue: 'two' })
      .open();
    await rabbit.broker.publish('order.eu', 1);
    await ready(broker, 'one.dead', 1);
    expect(await seen.one()).toBe('other order.eu');
    failing = false;
    await client().replay('one');
    expect(await seen.one()).toBe('events order.eu 1');
    expect(seen.size).toBe(2);
  });

  it('a replay to a queue that is not there ends with its name, and every letter is in its place', async () => {
    const ids = await fill(broker, 'gone', 30, {});
    const channel = await (await broker.connect()).createChannel();
    await channel.deleteQueue('gone');
    expect(await rejection(client().replay('gone', { batch: 10 }))).toMatchObject({
      code: 'WARREN_UNROUTABLE',
    });
    await ready(broker, 'gone.dead', 30);
    await channel.assertQueue('elsewhere', { durable: true });
    expect(await client().replay('gone', { to: 'elsewhere', limit: 12 })).toMatchObject({ done: 12 });
    expect(await idsOf(broker, 'elsewhere')).toEqual(ids.slice(0, 12));
    expect(await idsOf(broker, 'gone.dead')).toEqual(ids.slice(12));
  });

  it('drops what was saved, keeps what could not be saved, and chooses by id, handler and age', async () => {
    const ids = await fill(broker, 'drop', 40, {});
    const saved: DeadLetter[] = [];
    const full = new Error('no space left');
    const save = async (letters: readonly DeadLetter[]): Promise<void> => {
      if (saved.length >= 20) throw full;
      saved.push(...letters);
      await Promise.resolve();
    };
    expect(await rejection(client().drop('drop', { batch: 10, save }))).toBe(full);
    expect(saved.map(({ id }) => id)).toEqual(ids.slice(0, 20));
    await ready(broker, 'drop.dead', 20);
    expect(await client().drop('drop', { id: [ids[25], ids[30], 'nobody'] })).toMatchObject({ done: 2 });
    const where = ({ id }: DeadLetter): boolean => id === ids[39];
    expect(await client().drop('drop', { where })).toMatchObject({ done: 1, seen: 18 });
    expect(await client().drop('drop', { handler: 'Nobody.at all' })).toMatchObject({ done: 0, seen: 17 });
    expect(await client().drop('drop', { olderThan: '1h' })).toMatchObject({ done: 0, seen: 17 });
    expect(await client().drop('drop', { newerThan: '1h', handler: 'Orders.place' })).toMatchObject({
      done: 17,
    });
  });

  it('shows an error and a stack that are longer than a name may be', async () => {
    await fill(
      broker,
      'long',
      1,
      {},
      { 'x-exception-message': 'm'.repeat(900), 'x-exception-stacktrace': 's'.repeat(8_000) },
    );
    const [letter] = await read('long');
    expect([letter.errorMessage?.length, letter.errorStack?.length]).toEqual([900, 8_000]);
  });

  it('says how many lie behind the 10 000 letters that it can hold at once', async () => {
    const ids = await fill(broker, 'huge', 10_003, { 'x-queue-type': 'quorum' });
    const ends: object[] = [];
    const options = { id: ids[10_001], onEnd: (end: object): void => void ends.push(end) };
    expect(await read('huge', options)).toEqual([]);
    expect(ends).toEqual([{ seen: 10_000, unseen: 3 }]);
    await ready(broker, 'huge.dead', 10_003);
    expect((await read('huge')).map(({ id }) => id)).toEqual(ids.slice(0, 50));
  });

  it('takes few large letters at once before it knows whether it wants them', async () => {
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue('large.dead', { durable: true });
    for (let n = 0; n < 90; n++) {
      channel.sendToQueue('large.dead', Buffer.alloc(1024 * 1024), { messageId: String(n) });
      if (n % 10 === 9) await channel.waitForConfirms();
    }
    const waiting: number[] = [];
    const save = async (): Promise<void> => void waiting.push(await count(broker, 'large.dead'));
    const where = ({ position }: DeadLetter): boolean => position === 1 || position === 12;
    expect(await client().drop('large', { where, batch: 1, save })).toMatchObject({ done: 2, seen: 90 });
    expect(waiting[0]).toBeGreaterThanOrEqual(80);
    expect(waiting[1]).toBeGreaterThanOrEqual(15);
    await ready(broker, 'large.dead', 88);
    expect(await idsOf(broker, 'large.dead')).toEqual(
      Array.from({ length: 90 }, (_, n) => String(n)).filter((id) => id !== '0' && id !== '11'),
    );
  });

  it('the example of the guide replays what it says', async () => {
    await fill(broker, 'orders', 4, {}, { 'x-exception-type': 'BankAway' });
    const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    try {
      expect(await afterTheBankCameBack(broker.url)).toBe(4);
      expect(print.mock.calls[0]).toEqual([1, 'orders-0', 'Orders.place', 'BankAway']);
      expect(print.mock.calls).toHaveLength(3);
    } finally {
      print.mockRestore();
    }
  });

  it('messages of others, with nothing in their headers or with nonsense, are shown and replayed', async () => {
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue('odd', { durable: true });
    await channel.assertQueue('odd.dead', { durable: true });
    const headers = {
      'x-warren-attempt': 'many',
      'x-warren-queue': 7,
      'x-warren-failed-at': 'soon',
      cc: ['x'],
    };
    channel.sendToQueue('odd.dead', Buffer.from([0, 255]), { headers });
    channel.sendToQueue('odd.dead', Buffer.from('bare'), { CC: 'two', expiration: '3600000' });
    await channel.waitForConfirms();
    const letters = await read('odd.dead');
    expect(letters).toMatchObject([
      { queue: 'odd', attempts: 1, id: undefined, error: undefined, failedAt: undefined, replayed: 0 },
      { queue: 'odd', attempts: 1 },
    ]);
    expect(await client().replay('odd')).toMatchObject({ done: 2 });
    expect(await count(broker, 'odd')).toBe(2);
  });

  describe('given letters that the broker made', () => {
    // What a sender may write to have a replay go elsewhere, or be somebody else's fault.
    const forged = {
      'x-warren-queue': 'payments',
      'x-warren-reason': 'rejected',
      'x-warren-attempt': 3,
      'x-warren-handler': 'Payments.pay',
      'x-warren-exchange': 'payments',
      'x-warren-routing-key': 'pay',
      'x-original-exchange': 'payments',
      'x-original-routingKey': 'pay',
      'x-exception-type': 'Nothing',
    };

    it('shows the facts of the broker, and replays to their own queue without what their sender forged', async () => {
      const runs = new Collector<string>('runs');
      const dropping = await warren(broker.url, { consumers: false })
        .subscribe('order.*', () => 1, { queue: 'dropped', messageTtl: '1s' })
        .open();
      await dropping.broker.publish('order.eu', 7, {
        headers: { ...forged, tenant: 'eu' },
        messageId: 'seven',
      });
      const channel = await (await broker.connect()).createChannel();
      await channel.assertQueue('payments', { durable: true });
      await ready(broker, 'dropped.dead', 1);
      const [letter] = await read('dropped');
      expect(letter).toMatchObject({
        ...{ id: 'seven', queue: 'dropped', reason: 'expired', byBroker: true, attempts: 1 },
        ...{ exchange: 'events', routingKey: 'order.eu', error: undefined, handler: undefined },
      });
      expect(Date.now() - (letter.failedAt?.getTime() ?? 0)).toBeLessThan(60_000);
      expect(await read('dropped', { handler: 'Payments.pay' })).toEqual([]);
      expect(client().ownQueue('dropped')).toBe('dropped');
      await warren(broker.url)
        .subscribe(
          'order.*',
          ({ exchange, routingKey, headers }) => {
            runs.push([exchange, routingKey, headers.tenant, headers['x-warren-queue']].join(' '));
          },
          { queue: 'dropped', messageTtl: '1s' },
        )
        .open();
      expect(await client().replay('dropped')).toMatchObject({ done: 1 });
      expect(await runs.one()).toBe('events order.eu eu dropped');
      expect(await count(broker, 'payments')).toBe(0);
    });

    it('knows what came back from a wait before it was dropped', async () => {
      const rabbit = await warren(broker.url)
        .subscribe(
          'late.*',
          ({ attempt }) => {
            if (attempt === 1) throw Retry({ after: 20 });
            return new Promise<void>(() => undefined);
          },
          { queue: 'late', queueType: 'quorum', arguments: { 'x-delivery-limit': 0 }, prefetch: 1 },
        )
        .open();
      await rabbit.broker.publish('late.eu', 1);
      await until(() => rabbit.events.all.some(({ kind }) => kind === 'settled'), 'the retry');
      await until(() => rabbit.broker.status().consumers[0].inFlight === 1, 'the second attempt');
      await broker.closeConnections();
      await ready(broker, 'late.dead', 1);
      expect(await read('late')).toMatchObject([
        { reason: 'delivery_limit', exchange: 'events', routingKey: 'late.eu', attempts: 2, looks: 0 },
      ]);
    });
  });

  it('refuses letters that failed in another queue until it is told where they go', async () => {
    await fill(broker, 'moved', 2, {}, { 'x-warren-queue': 'payments' });
    expect(await rejection(client().replay('moved'))).toMatchObject({
      message: expect.stringContaining("failed in queue 'payments', not in 'moved'"),
    });
    await ready(broker, 'moved.dead', 2);
    expect(await client().replay('moved', { to: 'moved' })).toMatchObject({ done: 2 });
  });

  it('ends a replay at a letter that failed in another queue: what is behind it stays', async () => {
    const before = await fill(broker, 'mixed', 2, {});
    await fill(broker, 'mixed', 1, {}, { 'x-warren-queue': 'payments' });
    await fill(broker, 'mixed', 2, {});
    expect(await rejection(client().replay('mixed'))).toMatchObject({
      message: expect.stringContaining("message 3 of 'mixed.dead' failed in queue 'payments'"),
    });
    await ready(broker, 'mixed.dead', 3);
    expect(await idsOf(broker, 'mixed')).toEqual(before);
  });

  it('wants to be told where letters of a queue with a name of its own go', async () => {
    const any = new DeadLetters({ url: broker.url, exact: true });
    expect(any.ownQueue('failures')).toBeUndefined();
    expect(await rejection(any.replay('failures'))).toMatchObject({ code: 'WARREN_CONFIG' });
  });

  it('says that a queue is missing or exclusively used, and refuses a replay to itself', async () => {
    expect(await rejection(client().count('nobody'))).toMatchObject({ code: 'WARREN_TOPOLOGY_MISSING' });
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('taken.dead', { durable: true });
    channel.sendToQueue('taken.dead', Buffer.from('x'));
    await until(async () => (await channel.checkQueue('taken.dead')).messageCount === 1, 'the message');
    await channel.assertQueue('locked.dead', { exclusive: true });
    expect(await rejection(read('locked'))).toMatchObject({ code: 'WARREN_QUEUE_LOCKED' });
    await channel.consume('taken.dead', () => undefined, { exclusive: true, noAck: false });
    channel.sendToQueue('taken.dead', Buffer.from('y'));
    await channel.prefetch(1);
    expect(await rejection(client().replay('taken', { to: 'taken.dead' }))).toMatchObject({
      code: 'WARREN_CONFIG',
    });
  });
});
