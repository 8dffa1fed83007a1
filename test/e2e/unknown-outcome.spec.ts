// A publish whose confirm was lost with its connection: by default an error of its own, sent again on demand.

import { expect, it } from '@jest/globals';
import type { PublishReceipt } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count, rejection, taken, warren, type Warren } from '../support/warren.js';

onEachBroker('a publish whose confirm was lost', (broker) => {
  const through = async (queue: string, options: object = {}): Promise<{ tap: Tap; rabbit: Warren }> => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue(queue);
    const tap = await Tap.open(broker.url);
    const rabbit = await warren(tap.url, options).open();
    // The first one finds out what a publish needs.
    await rabbit.broker.send(queue, 'first');
    await taken(broker, queue);
    return { tap, rabbit };
  };

  it('is an error of its own, with its message id, and was not sent twice', async () => {
    const { tap, rabbit } = await through('unknown.once');
    tap.shut('answers');
    const sent = rejection(rabbit.broker.send('unknown.once', 1, { messageId: 'm1' }));
    await arrived(broker, 'unknown.once', 1);
    tap.reset();
    expect(await sent).toMatchObject({ code: 'WARREN_PUBLISH_UNKNOWN', messageId: 'm1' });
    await rabbit.broker.send('unknown.once', 2);
    expect(await count(broker, 'unknown.once')).toBe(2);
    expect(rabbit.broker.status().counters.resent).toBe(0);
    tap.cut();
  });

  it('with retryUnknown it is sent again under the same id, and the receipt says so', async () => {
    const { tap, rabbit } = await through('unknown.again');
    tap.shut('answers');
    const sent = rabbit.broker.send('unknown.again', 1, { messageId: 'm1', retryUnknown: true });
    await arrived(broker, 'unknown.again', 1);
    tap.reset();
    expect(await within(sent, 'the publish')).toEqual({ routed: true, messageId: 'm1', resent: 1 });
    const ids = [await taken(broker, 'unknown.again'), await taken(broker, 'unknown.again')];
    expect(ids.map(({ properties }) => properties.messageId)).toEqual(['m1', 'm1']);
    expect(rabbit.broker.status().counters.resent).toBe(1);
    tap.cut();
  });

  it('with publish.retryUnknown all are, in their order, before those that waited', async () => {
    const { tap, rabbit } = await through('unknown.order', { publish: { retryUnknown: true } });
    tap.shut('answers');
    const send = (n: number): Promise<PublishReceipt> => rabbit.broker.send('unknown.order', n);
    const sent = [0, 1, 2, 3, 4].map(send);
    await arrived(broker, 'unknown.order', 5);
    tap.reset();
    await until(() => rabbit.broker.status().counters.connectionsLost === 1, 'the loss');
    sent.push(...[5, 6, 7].map(send));
    const receipts = await within(Promise.all(sent), 'all publishes');
    expect(receipts.map(({ resent }) => resent)).toEqual([1, 1, 1, 1, 1, undefined, undefined, undefined]);
    const bodies = [];
    for (let n = 0; n < 13; n++) bodies.push(Number((await taken(broker, 'unknown.order')).content));
    expect(bodies).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7]);
    tap.cut();
  });

  it('stays unknown when its time is over or the broker object closes before it can be sent again', async () => {
    const { tap, rabbit } = await through('unknown.late', { publish: { retryUnknown: true } });
    tap.shut('answers');
    const [short, long] = [
      rejection(rabbit.broker.send('unknown.late', 1, { timeout: 2_000 })),
      rejection(rabbit.broker.send('unknown.late', 2)),
    ];
    await arrived(broker, 'unknown.late', 2);
    tap.cut();
    await until(() => rabbit.broker.status().counters.connectionsLost === 1, 'the loss');
    const never = rejection(rabbit.broker.send('unknown.late', 3, { timeout: 300 }));
    expect((await short).code).toBe('WARREN_PUBLISH_UNKNOWN');
    expect(await never).toMatchObject({
      code: 'WARREN_PUBLISH_TIMEOUT',
      message: expect.stringContaining('there is no connection'),
    });
    await within(rabbit.broker.close(), 'close()');
    expect((await long).code).toBe('WARREN_PUBLISH_UNKNOWN');
  });
});

async function arrived(broker: TestBroker, queue: string, size: number): Promise<void> {
  await until(async () => (await count(broker, queue)) === size, `${size} messages in '${queue}'`);
}
