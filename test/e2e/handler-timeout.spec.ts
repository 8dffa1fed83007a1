// A handler that runs longer than its timeout: its signal aborts, the message goes the way of a throw, and
// what a handler does that ignores all this is reported and not taken for success.

import { describe, expect, it } from '@jest/globals';
import { Retry, type Delivery, type HandlerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, logged, rejection, taken, warren, type Warren } from '../support/warren.js';

/** Something a test lets go when it wants. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

const aborted = ({ signal }: Delivery): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

onEachBroker('a handler that runs longer than its timeout', (broker) => {
  it('sees its signal abort, and the message is tried again', async () => {
    const attempts = new Collector<number>();
    const rabbit = await warren(broker.url)
      .consume(
        'slow',
        (delivery) => {
          attempts.push(delivery.attempt);
          return delivery.attempt === 1 ? aborted(delivery) : undefined;
        },
        { timeout: 50, retry: { attempts: 2, delays: 20, jitter: false } },
      )
      .open();
    await rabbit.broker.send('slow', 1);
    expect(await attempts.take(2)).toEqual([1, 2]);
    const { verdict } = await eventOf(rabbit, 'handled');
    expect(verdict).toMatchObject({ kind: 'retry', error: { code: 'WARREN_HANDLER_TIMEOUT' } });
  });

  it.each([
    ['returns', (): Promise<void> => Promise.resolve(), /deaf returned after its timeout of 50 ms/],
    [
      'throws',
      (): Promise<void> => Promise.reject(new Error('late')),
      /deaf failed \(Error: late\) after its/,
    ],
  ])(
    'is reported when it ignores that and %s in the end; the message was a dead letter before',
    async (how, end, line) => {
      const { opened, open } = gate();
      const queue = `deaf.${how}`;
      const rabbit = await warren(broker.url)
        .consume(queue, () => opened.then(end), { timeout: 50, retry: false })
        .open();
      await rabbit.broker.send(queue, 1);
      const dead = await taken(broker, `${queue}.dead`);
      expect(dead.properties.headers).toMatchObject({
        'x-exception-type': 'HandlerTimeoutError',
        'x-warren-reason': 'attempts-exhausted',
      });
      await logged(rabbit, `${queue} ran longer than its timeout of 50 ms`);
      open();
      const found = await until(
        () => rabbit.lines.find((text) => text.includes('after its timeout')),
        'the report',
      );
      expect(found.replace(queue, 'deaf')).toMatch(line);
      const handled = rabbit.events.all.filter(({ kind }) => kind === 'handled');
      expect(handled).toEqual([
        expect.objectContaining({
          verdict: expect.objectContaining({
            kind: 'dead-letter',
            error: expect.objectContaining({ code: 'WARREN_HANDLER_TIMEOUT' }),
          }),
        }),
      ]);
      expect(await count(broker, `${queue}.dead`)).toBe(0);
    },
  );

  it('cannot ack by hand what has gone on meanwhile: nothing is done, and the log says so', async () => {
    const { opened, open } = gate();
    const rabbit = await warren(broker.url)
      .consume('by-hand', (delivery) => opened.then(() => delivery.ack()), {
        ack: 'manual',
        timeout: 50,
        retry: false,
      })
      .open();
    await rabbit.broker.send('by-hand', 1);
    await taken(broker, 'by-hand.dead');
    open();
    await logged(
      rabbit,
      "by-hand: ack() on a message of queue 'by-hand' that was already settled (dead-letter)",
    );
    await logged(rabbit, 'by-hand returned after its timeout');
  });

  it('of batches loses the whole list to the retries, but what it settled itself before', async () => {
    const { opened, open } = gate();
    const seen = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .batch(
        'lists',
        (list) => {
          list[0].ack();
          seen.push(list.map(({ payload }) => payload));
          return opened;
        },
        { batch: { size: 3, wait: '1m' }, timeout: 50, retry: false },
      )
      .open();
    for (const n of [1, 2, 3]) await rabbit.broker.send('lists', n);
    const dead = [await taken(broker, 'lists.dead'), await taken(broker, 'lists.dead')];
    expect(dead.map(({ content }) => content.toString()).sort()).toEqual(['2', '3']);
    expect(dead[0].properties.headers).toMatchObject({ 'x-exception-type': 'HandlerTimeoutError' });
    open();
    await logged(rabbit, 'lists returned after its timeout of 50 ms; the result was not used');
    expect(await count(broker, 'lists.dead')).toBe(0);
    expect(seen.size).toBe(1);
  });

  describe('of requests', () => {
    it('leaves its caller with the error at once, and its late answer is not sent', async () => {
      const { opened, open } = gate();
      const rabbit = await warren(broker.url)
        .rpc('price', () => opened.then(() => 'late'), { timeout: 50 })
        .open();
      const error = await rejection(rabbit.broker.request('price', 1, { timeout: '8s' }));
      expect(error).toMatchObject({ name: 'RpcRemoteError' });
      open();
      await logged(rabbit, 'price returned after its timeout of 50 ms; the result was not used');
      expect(rabbit.events.all.some(({ kind }) => kind === 'reply-ignored')).toBe(false);
    });
  });

  it('is refused at boot when the broker would take the message back before, and warned of when it might', async () => {
    const slow = (options: HandlerOptions): Warren =>
      warren(broker.url, { consumerTimeout: '1m' }).consume('long', () => 1, options);
    expect(() => slow({ timeout: '1m' })).toThrow(
      /@Consume long may hold a message for 1m, but the broker requeues it after 1m/,
    );
    const rabbit = await slow({ timeout: '20s', prefetch: 4, concurrency: 1 }).open();
    await logged(rabbit, 'long: 4 runs of up to 20s one after the other (prefetch 4, concurrency 1)');
  });

  it('says so in an attempt whose Retry asks for a wait that no broker has', async () => {
    const rabbit = await warren(broker.url)
      .consume('for-ever', () => Promise.reject(Retry({ after: '30d' })), { retry: false })
      .open();
    await rabbit.broker.send('for-ever', 1);
    const { headers } = (await taken(broker, 'for-ever.dead')).properties;
    expect(headers).toMatchObject({
      'x-exception-type': 'ConfigError',
      'x-exception-message': expect.stringMatching(
        /Retry\(\{ after \}\) must be a duration, but is '30d'.*at most 2147483647 ms/,
      ),
    });
  });
});
