// What cannot be sent on goes back to its queue after a while, and whoever listens is told.
import { describe, expect, it } from '@jest/globals';
import { Delivery } from '../model/delivery.js';
import { SILENT } from '../model/logger.js';
import type { BrokerEvent } from '../observe/events.js';
import { Events } from '../observe/listeners.js';
import { sendOn, type SettleRoom } from './settle.js';

describe('settling', () => {
  it('a dead letter that cannot be sent on is told with its error, and the message goes back later', async () => {
    const events = new Events(SILENT, 'test');
    const told: BrokerEvent[] = [];
    events.on((event) => void told.push(event));
    const waits: (() => void)[] = [];
    const error = new Error('no way out');
    const room = {
      outlet: { propertyRoom: 10_000, sendTo: () => Promise.reject(error) },
      clock: { wall: () => 0, after: (_ms: number, wake: () => void) => (waits.push(wake), () => undefined) },
      logger: SILENT,
      events,
      plan: { queue: { name: 'orders', durable: true, arguments: {} } },
      deadQueue: 'orders.dead',
    } as unknown as SettleRoom;
    const message = { content: Buffer.from('1'), properties: {}, exchange: '', routingKey: 'orders' };
    const sink = { settle() {}, warn() {} };
    const delivery = new Delivery(message as never, 'orders', sink);
    let requeued = 0;
    const origin = { alive: () => true, ack: () => true, requeue: () => (requeued++, true) };

    const verdict = { kind: 'dead-letter', reason: 'rejected', error: new Error('x') } as const;
    const settled = sendOn(delivery, verdict, origin, room);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([{ kind: 'not-sent-on', queue: 'orders', delivery, error }]);
    expect(requeued).toBe(0);
    waits[0]();
    expect([await settled, requeued]).toEqual([true, 1]);
  });
});
