// What becomes of a message when its handler fails: it waits and comes back, or ends in the dead-letter
// queue with the facts of the failure, or is forgotten because somebody said so.

import { describe, expect, it } from '@jest/globals';
import { Drop, Reject, Retry, type Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { count, eventOf, logged, taken, warren } from '../support/warren.js';

const quick = { attempts: 3, delays: [20, 40] as const, jitter: false };

class Transient extends Error {}
class Permanent extends Error {}

onEachBroker('a handler that fails', (broker) => {
  describe('given a handler that throws', () => {
    it('gets the message again after each wait and, after the last attempt, sees it dead-lettered', async () => {
      const attempts: number[] = [];
      const rabbit = await warren(broker.url)
        .consume(
          'tries',
          (delivery) => {
            attempts.push(delivery.attempt);
            throw new TypeError(`no luck ${delivery.attempt}`);
          },
          { retry: quick },
        )
        .open();

      const { messageId } = await rabbit.broker.send(
        'tries',
        { id: 1 },
        { headers: { tenant: 'eu' }, type: 'order' },
      );
      const dead = await taken(broker, 'tries.dead');

      expect(attempts).toEqual([1, 2, 3]);
      expect(JSON.parse(dead.content.toString())).toEqual({ id: 1 });
      expect(dead.properties).toMatchObject({
        messageId,
        type: 'order',
        contentType: 'application/json',
        deliveryMode: 2,
      });
      expect(dead.properties.headers).toMatchObject({
        tenant: 'eu',
        'x-exception-type': 'TypeError',
        'x-exception-message': 'no luck 3',
        'x-exception-stacktrace': expect.stringContaining('failure.spec'),
        'x-original-exchange': '',
        'x-original-routingKey': 'tries',
        'x-warren-attempt': 2,
        'x-warren-queue': 'tries',
        'x-warren-handler': 'tries',
        'x-warren-reason': 'attempts-exhausted',
        'x-warren-failed-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      });
      await logged(rabbit, 'attempt 2 in 20ms');
      await logged(rabbit, "dead-lettered to 'tries.dead' (attempts-exhausted)");
    });

    it('waits at least as long as the policy says', async () => {
      const times: number[] = [];
      const done = new Collector<number>();
      const rabbit = await warren(broker.url)
        .consume(
          'patient',
          (delivery) => {
            times.push(performance.now());
            if (delivery.attempt === 1) throw new Error('later');
            done.push(delivery.attempt);
          },
          { retry: { attempts: 2, delays: '300ms', jitter: false } },
        )
        .open();
      await rabbit.broker.send('patient', 1);
      await done.one();
      expect(times[1] - times[0]).toBeGreaterThan(290);
    });

    it('does not let a long wait hold up a short one', async () => {
      const done = new Collector<unknown>();
      const rabbit = await warren(broker.url)
        .consume('mixed', (delivery) => {
          if (delivery.attempt > 1) return done.push(delivery.payload);
          throw Retry({ after: delivery.payload === 'slow' ? 3_000 : 50 });
        })
        .open();
      await rabbit.broker.send('mixed', 'slow');
      await rabbit.broker.send('mixed', 'fast');
      expect(await done.take(2)).toEqual(['fast', 'slow']);
    });

    it('keeps exchange and routing key of the first publish across retries', async () => {
      const seen = new Collector<Delivery>();
      const rabbit = await warren(broker.url)
        .subscribe(
          'order.*.created',
          (delivery) => {
            seen.push(delivery);
            if (delivery.attempt < 3) throw new Error('again');
          },
          { retry: quick, id: 'orders' },
        )
        .open();
      await rabbit.broker.publish('order.eu.created', { id: 1 });
      const deliveries = await seen.take(3);
      for (const delivery of deliveries) {
        expect([delivery.exchange, delivery.routingKey]).toEqual(['events', 'order.eu.created']);
      }
    });

    it('gives a subscriber its retries alone: other queues of the exchange see the message once', async () => {
      const [failing, healthy] = [new Collector<number>(), new Collector<number>()];
      const rabbit = await warren(broker.url)
        .subscribe(
          'a',
          (delivery) => {
            failing.push(delivery.attempt);
            if (delivery.attempt < 3) throw new Error('again');
          },
          { id: 'failing', retry: quick },
        )
        .subscribe('a', (delivery) => healthy.push(delivery.attempt), { id: 'healthy' })
        .open();
      await rabbit.broker.publish('a', 1);
      expect(await failing.take(3)).toEqual([1, 2, 3]);
      expect(healthy.all).toEqual([1]);
    });

    it('dead-letters at once with retry: false', async () => {
      const attempts: number[] = [];
      const rabbit = await warren(broker.url)
        .consume('once', ({ attempt }) => (attempts.push(attempt), Promise.reject(new Error('no'))), {
          retry: false,
        })
        .open();
      await rabbit.broker.send('once', 1);
      const dead = await taken(broker, 'once.dead');
      expect(dead.properties.headers?.['x-warren-reason']).toBe('attempts-exhausted');
      expect(attempts).toEqual([1]);
    });

    it('drops what fails for good, and says so, when there is no dead-letter queue', async () => {
      const rabbit = await warren(broker.url)
        .consume('lossy', () => Promise.reject(new Error('no')), { retry: false, deadLetter: false })
        .open();
      await rabbit.broker.send('lossy', 1);
      await logged(rabbit, 'dropped, because the handler has no dead-letter queue');
      expect((await eventOf(rabbit, 'settled')).onTime).toBe(true);
      expect(await count(broker, 'lossy')).toBe(0);
    });
  });

  describe('given a policy for classes of errors', () => {
    it('tries only those of `on` again', async () => {
      const attempts: number[] = [];
      const rabbit = await warren(broker.url)
        .consume(
          'on',
          (delivery) => {
            attempts.push(delivery.attempt);
            throw delivery.attempt === 1 ? new Transient('x') : new Error('other');
          },
          { retry: { ...quick, on: [Transient] } },
        )
        .open();
      await rabbit.broker.send('on', 1);
      const dead = await taken(broker, 'on.dead');
      expect(dead.properties.headers?.['x-warren-reason']).toBe('not-retryable');
      expect(attempts).toEqual([1, 2]);
    });

    it('dead-letters those of `not` at once', async () => {
      const rabbit = await warren(broker.url)
        .consume('not', () => Promise.reject(new Permanent('gone')), {
          retry: { ...quick, not: [Permanent] },
        })
        .open();
      await rabbit.broker.send('not', 1);
      const dead = await taken(broker, 'not.dead');
      expect(dead.properties.headers).toMatchObject({
        'x-warren-reason': 'not-retryable',
        'x-warren-attempt': 0,
      });
    });
  });

  describe('given a handler that says the outcome itself', () => {
    it.each([
      ['thrown', (signal: Error) => Promise.reject(signal)],
      ['returned', (signal: Error) => Promise.resolve(signal)],
    ])('Retry, Reject and Drop do the same when %s', async (how, say) => {
      const [retried, dropped, rejected] = ['retried', 'dropped', 'rejected'].map((name) => `${how}.${name}`);
      const attempts = new Collector<number>();
      const rabbit = await warren(broker.url)
        .consume(
          retried,
          (delivery) => {
            attempts.push(delivery.attempt);
            return delivery.attempt < 3 ? say(Retry({ after: 20 })) : undefined;
          },
          { retry: { attempts: 1 } },
        )
        .consume(dropped, () => say(Drop()))
        .consume(rejected, () => say(Reject('no such customer')))
        .open();
      await rabbit.broker.send(retried, 1);
      expect(await attempts.take(3)).toEqual([1, 2, 3]);

      await rabbit.broker.send(rejected, 1);
      const dead = await taken(broker, `${rejected}.dead`);
      expect(dead.properties.headers).toMatchObject({
        'x-warren-reason': 'rejected',
        'x-exception-type': 'Reject',
        'x-exception-message': 'no such customer',
      });

      await rabbit.broker.send(dropped, 1);
      for (;;) {
        const { verdict } = await eventOf(rabbit, 'handled');
        if (verdict.kind === 'drop') break;
      }
      expect(await count(broker, `${dropped}.dead`)).toBe(0);
    });

    it('bounds Retry without a policy, so that nothing loops for ever', async () => {
      const attempts: number[] = [];
      const rabbit = await warren(broker.url)
        .consume(
          'endless',
          (delivery) => {
            attempts.push(delivery.attempt);
            throw Retry({ after: 10 });
          },
          { retry: false },
        )
        .open();
      await rabbit.broker.send('endless', 1);
      await taken(broker, 'endless.dead');
      expect(attempts).toEqual([1, 2, 3, 4, 5]);
    });
  });

  it('sends neither x-death nor CC and BCC on with a retry or dead letter', async () => {
    const seen = new Collector<Delivery>();
    const rabbit = await warren(broker.url)
      .consume(
        'clean',
        (delivery) => {
          seen.push(delivery);
          throw new Error('no');
        },
        { retry: { attempts: 2, delays: 20, jitter: false } },
      )
      .open();
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('victim');
    channel.sendToQueue('clean', Buffer.from('1'), {
      CC: ['victim'],
      BCC: ['victim'],
      headers: { 'x-death': [{ queue: 'clean', count: 3 }], 'x-first-death-queue': 'clean', kept: true },
    });
    const [, second] = await seen.take(2);
    for (const name of ['x-death', 'CC', 'BCC', 'x-warren-due'])
      expect(second.headers).not.toHaveProperty([name]);
    const dead = await taken(broker, 'clean.dead');
    expect(Object.keys(dead.properties.headers ?? {})).toEqual(expect.arrayContaining(['kept']));
    for (const name of ['x-death', 'CC', 'BCC', 'x-first-death-queue']) {
      expect(dead.properties.headers).not.toHaveProperty([name]);
    }
    // The one copy that the sender himself asked for, and none of ours.
    expect(await count(broker, 'victim')).toBe(1);
    expect(rabbit.lines.join()).not.toContain('could not be forwarded');
  });

  it('caps message and stack, so that a giant error still fits a frame', async () => {
    const rabbit = await warren(broker.url)
      .consume(
        'giant',
        () => {
          const error = new Error('é'.repeat(300_000), { cause: new Error('the cause') });
          error.stack = 'x'.repeat(500_000);
          throw error;
        },
        { retry: false },
      )
      .open();
    await rabbit.broker.send('giant', 1);
    const { headers } = (await taken(broker, 'giant.dead')).properties;
    expect(Buffer.byteLength(headers?.['x-exception-message'] as string)).toBeLessThan(1_100);
    expect(Buffer.byteLength(headers?.['x-exception-stacktrace'] as string)).toBeLessThan(8_100);
  });

  describe('given things thrown that are no proper errors', () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('do not look');
        },
        getPrototypeOf: () => {
          throw new Error('do not look');
        },
      },
    );
    const odd: [string, unknown][] = [
      ['a string', 'just text'],
      ['undefined', undefined],
      ['null', null],
      ['a number', 42],
      ['a symbol', Symbol('s')],
      ['a frozen error', Object.freeze(new Error('frozen'))],
      [
        'an object whose toJSON throws',
        {
          toJSON: () => {
            throw new Error('no');
          },
        },
      ],
      ['an object whose toJSON gives nothing', { toJSON: () => undefined }],
      ['an error whose message is an object', Object.assign(new Error('x'), { message: { no: 'text' } })],
      ['an error whose name is no text', Object.assign(new Error('x'), { name: 5 })],
      [
        'an error whose stack throws',
        Object.defineProperty(new Error('x'), 'stack', {
          get() {
            throw new Error('no');
          },
        }),
      ],
      ['a Proxy that throws on every access', hostile],
      ['a function', () => 1],
    ];
    it.each(odd)('%s is counted as a failure, tried again and dead-lettered', async (name, thrown) => {
      const queue = `odd.${odd.findIndex(([each]) => each === name)}`;
      const attempts: number[] = [];
      const rabbit = await warren(broker.url)
        .consume(
          queue,
          (delivery) => {
            attempts.push(delivery.attempt);
            throw thrown;
          },
          { retry: { attempts: 2, delays: 10, jitter: false } },
        )
        .open();
      await rabbit.broker.send(queue, 1);
      const dead = await taken(broker, `${queue}.dead`);
      expect(attempts).toEqual([1, 2]);
      expect(dead.properties.headers?.['x-warren-reason']).toBe('attempts-exhausted');
      expect(typeof dead.properties.headers?.['x-exception-message']).toBe('string');
    });
  });
});
