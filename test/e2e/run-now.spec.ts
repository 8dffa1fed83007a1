// Messages that wait for a retry or a delay, and are forwarded before they are due.
import { expect, it } from '@jest/globals';
import type { WaitingDetails } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, warren, type Warren } from '../support/warren.js';

onEachBroker('a waiting message that is to run now', (broker) => {
  const waiting = (rabbit: Warren, messageId: string): Promise<WaitingDetails> =>
    until(
      () => rabbit.broker.details().waiting.find((each) => each.messageId === messageId),
      `${messageId} to wait`,
    );

  it('runs at once, once, as the attempt that it is; the others wait on', async () => {
    const runs = new Collector<[string | undefined, number]>();
    const rabbit = await warren(broker.url, { service: 'n.retry' })
      .consume(
        'n.retry',
        ({ message, attempt }) => {
          runs.push([message.properties.messageId, attempt]);
          if (attempt === 1) throw new Error('not yet');
        },
        { retry: { attempts: 3, delays: ['2m'], jitter: false } },
      )
      .open();
    for (const messageId of ['one', 'two']) await rabbit.broker.send('n.retry', 1, { messageId });
    await runs.take(2);
    await rabbit.broker.send('n.retry', 1, { messageId: 'delayed', delay: '1m' });
    const [one, delayed] = [await waiting(rabbit, 'one'), await waiting(rabbit, 'delayed')];
    await waiting(rabbit, 'two');
    const { control } = rabbit.broker;
    const clicks = await Promise.all([control.runNow(one), control.runNow(one)]);
    expect(clicks).toEqual(['forwarded', 'forwarded']);
    expect(await runs.one()).toEqual(['one', 2]);
    expect(await control.runNow(delayed)).toBe('forwarded');
    // It fails, and is a retry then.
    expect(await runs.one()).toEqual(['delayed', 1]);
    await waiting(rabbit, 'delayed');
    expect(await control.runNow(one)).toBe('not-held');
    expect(
      rabbit.broker
        .details()
        .waiting.map(({ messageId }) => messageId)
        .sort(),
    ).toEqual(['delayed', 'two']);
    // Acked in their wait queues: they do not come back with the end of their consumer.
    await rabbit.broker.close();
    await until(async () => (await count(broker, 'n.retry.retry.120000')) === 2, 'the two that wait');
    expect([await count(broker, 'n.retry.delay.60000'), runs.size]).toEqual([0, 4]);
  });

  it('goes to its exchange when it was published with a delay', async () => {
    const seen = new Collector<unknown>();
    const rabbit = await warren(broker.url, { service: 'n.delay' })
      .subscribe('n.later', ({ payload }) => seen.push(payload), { queue: 'n.later' })
      .open();
    await rabbit.broker.publish('n.later', 7, { messageId: 'later', delay: '1m' });
    expect(await rabbit.broker.control.runNow(await waiting(rabbit, 'later'))).toBe('forwarded');
    expect(await seen.one()).toBe(7);
  });

  it('is with the orphans when its queue does not exist, as one that is due, and that is no success', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('n.gone');
    const rabbit = await warren(broker.url, { service: 'n.gone' }).open();
    await rabbit.broker.send('n.gone', 1, { messageId: 'lost', delay: '1m' });
    const lost = await waiting(rabbit, 'lost');
    await channel.deleteQueue('n.gone');
    expect(await rabbit.broker.control.runNow(lost)).toBe('pending');
    expect(await count(broker, 'warren.orphans')).toBe(1);
  });
});
