// What a handler gets, and what becomes of the message when it returns.

import { describe, expect, it } from '@jest/globals';
import type { BrokerEvent, Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { warren } from '../support/warren.js';

onEachBroker('consuming', (broker) => {
  it('hands a payload to the handler and acks when it returns', async () => {
    const got = new Collector<Delivery>();
    const { broker: client, events } = await warren(broker.url).consume('orders', got.push).open();

    const receipt = await client.send('orders', { id: 7 });
    const [delivery] = await got.take(1);

    expect(receipt.routed).toBe(true);
    expect(delivery.payload).toEqual({ id: 7 });
    expect(delivery.attempt).toBe(1);
    expect(delivery.message.properties).toMatchObject({
      messageId: receipt.messageId,
      contentType: 'application/json',
      deliveryMode: 2,
      appId: 'test',
    });
    await expect(settledAs(events)).resolves.toBe('ack');
  });

  describe('payloads', () => {
    const values: [string, unknown][] = [
      ['undefined', undefined],
      ['null', null],
      ['zero', 0],
      ['an empty string', ''],
      ['false', false],
      ['text', 'grüße'],
      ['a list', [1, 'two', null]],
      ['an object', { deep: { er: [1] } }],
      ['a Buffer', Buffer.from([0, 255, 10])],
      ['an empty Buffer', Buffer.alloc(0)],
    ];
    it.each(values)('%s survives the trip as it is', async (_name, value) => {
      const got = new Collector<Delivery>();
      const { broker: client } = await warren(broker.url).consume('values', got.push).open();
      await client.send('values', value);
      const [delivery] = await got.take(1);
      expect(delivery.payload).toEqual(value);
    });
  });

  it('runs no more handlers at once than concurrency allows, though prefetch would', async () => {
    let running = 0;
    let most = 0;
    const done = new Collector<number>();
    const { broker: client } = await warren(broker.url)
      .consume(
        'slow',
        async (delivery) => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          done.push(delivery.payload as number);
        },
        { prefetch: 10, concurrency: 2 },
      )
      .open();
    await Promise.all([1, 2, 3, 4, 5, 6].map((n) => client.send('slow', n)));
    expect(await done.take(6)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(most).toBe(2);
  });
});

async function settledAs(events: Collector<BrokerEvent>): Promise<string> {
  for (;;) {
    const event = await events.one();
    if (event.kind === 'handled') return event.verdict.kind;
  }
}
