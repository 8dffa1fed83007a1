// Events of what goes wrong rarely: a handler that ignores its timeout, a message that comes back, a full waiting room.

import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { eventOf, warren } from '../support/warren.js';

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
});
