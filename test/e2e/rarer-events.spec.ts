// Events of what goes wrong rarely: a handler that ignores its timeout, a message that comes back, a full publish buffer.

import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { eventOf, rejection, warren } from '../support/warren.js';

onEachBroker('rarer events', (broker) => {
  it('a handler that ignores its timeout is told when it ends, with how long it took', async () => {
    let finish = (): void => undefined;
    const rabbit = await warren(broker.url)
      .consume('late', () => new Promise<void>((resolve) => (finish = resolve)), {
        timeout: '30ms',
        retry: false,
      })
      .open();
    await rabbit.broker.send('late', 1);
    const handled = await eventOf(rabbit, 'handled');
    expect(handled.verdict).toMatchObject({ kind: 'dead-letter' });
    finish();
    const late = await eventOf(rabbit, 'handler-late');
    expect(late).toMatchObject({ handler: 'late', queue: 'late', timeout: 30, delivery: handled.delivery });
    expect(late.ms).toBeGreaterThanOrEqual(30);
  });

  it('a handler that ends in time is not late, and one that throws afterwards is', async () => {
    const ends: ((error?: Error) => void)[] = [];
    const rabbit = await warren(broker.url)
      .consume(
        'later',
        () =>
          new Promise<void>((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve()))),
        { timeout: '50ms', retry: false },
      )
      .open();
    await rabbit.broker.send('later', 1);
    await eventOf(rabbit, 'handled');
    ends[0](new Error('too late'));
    expect((await eventOf(rabbit, 'handler-late')).queue).toBe('later');
    expect(rabbit.events.all.filter(({ kind }) => kind === 'handler-late')).toHaveLength(1);
  });

  it('a message that comes back is told, whether anybody minds or not', async () => {
    const rabbit = await warren(broker.url).open();
    await rabbit.broker.publish('nobody.listens', 1);
    expect(await eventOf(rabbit, 'returned')).toMatchObject({
      exchange: 'events',
      routingKey: 'nobody.listens',
    });
    const error = await rejection(rabbit.broker.send('no.such.queue', 1, { messageId: 'seven' }));
    expect(error.name).toBe('UnroutableError');
    expect(await eventOf(rabbit, 'returned')).toEqual({
      kind: 'returned',
      exchange: '',
      routingKey: 'no.such.queue',
      messageId: 'seven',
    });
  });

  it('a full publish buffer is told once, however many messages do not fit', async () => {
    const rabbit = warren('amqp://127.0.0.1:1', { publish: { buffer: { messages: 2, bytes: 1_000 } } });
    const sending = [1, 2, 3, 4, 5].map((n) => rejection(rabbit.broker.send('full', n)));
    expect(await eventOf(rabbit, 'publish-buffer-full')).toEqual({
      kind: 'publish-buffer-full',
      waiting: 2,
      bytes: 2,
    });
    await rabbit.broker.close();
    const names = (await Promise.all(sending)).map(({ name }) => name);
    expect(names.filter((name) => name === 'PublishBufferFullError')).toHaveLength(3);
    expect(rabbit.events.all.filter(({ kind }) => kind === 'publish-buffer-full')).toHaveLength(1);
  });
});
