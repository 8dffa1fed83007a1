// A delivery is settled on the channel it came on, or by the run that goes on when it is delivered again.
import { describe, expect, it } from '@jest/globals';
import { Delivery } from '../message/delivery.js';
import type { ReceivedMessage } from '../message/message.js';
import type { LiveChannel } from '../connection/channel.js';
import { Unacked } from './settlement.js';

function channel() {
  const acked: number[] = [];
  const live = { alive: true, ack: (tag: number) => (acked.push(tag), true), requeue: () => true };
  return { live: live as unknown as LiveChannel, acked };
}

function message(deliveryTag: number, facts: Partial<ReceivedMessage> = {}): ReceivedMessage {
  const properties = { messageId: 'm' };
  return {
    ...{
      content: Buffer.from('1'),
      exchange: '',
      routingKey: 'q',
      redelivered: false,
      deliveryTag,
      properties,
    },
    ...facts,
  };
}

function delivery(deliveryTag: number): Delivery {
  return new Delivery(message(deliveryTag), 'q', { settle: () => undefined, warn: () => undefined });
}

describe('unsettled deliveries', () => {
  it('are acked where they came from, whatever was settled before them', () => {
    const unacked = new Unacked(false);
    const [one, other] = [channel(), channel()];
    const all = [1, 2, 3, 4, 5, 6].map(delivery);
    all.forEach((each, n) => unacked.add(each, (n % 2 === 0 ? one : other).live));
    for (const n of [0, 3, 5, 1, 4, 2]) {
      expect(unacked.ack(all[n])).toBe(true);
      unacked.remove(all[n]);
    }
    expect([one.acked, other.acked, unacked.size]).toEqual([[1, 5, 3], [4, 6, 2], 0]);
    expect(unacked.ack(all[0])).toBe(false);
  });

  it('of a channel that died are waited for no more, whether they run or not', async () => {
    const unacked = new Unacked(false);
    const [dead, living] = [channel(), channel()];
    const [waiting, running, other] = [1, 2, 3].map(delivery);
    unacked.add(waiting, dead.live);
    unacked.add(running, dead.live);
    unacked.add(other, living.live);
    running.run.beganAt = 1;
    let none = false;
    const empty = unacked.none().then(() => (none = true));
    unacked.removeAll(dead.live, true);
    expect([[...unacked.deliveries()], unacked.ack(running)]).toEqual([[other], false]);
    await Promise.resolve();
    expect(none).toBe(false);
    unacked.removeAll(living.live);
    await empty;
  });

  it('that still run are settled by their run when they are delivered again, and by no other message', () => {
    const unacked = new Unacked(false);
    const [dead, living] = [channel(), channel()];
    const [waiting, running] = [1, 2].map(delivery);
    unacked.add(waiting, dead.live);
    unacked.add(running, dead.live);
    running.run.beganAt = 1;
    unacked.removeAll(dead.live, true);
    const back = { redelivered: true };
    for (const facts of [
      { redelivered: false },
      { ...back, content: Buffer.from('2') },
      { ...back, routingKey: 'other' },
      { ...back, exchange: 'other' },
      { ...back, properties: { messageId: 'other' } },
      { ...back, properties: { messageId: 'm', correlationId: 'c' } },
      { ...back, properties: { messageId: 'm', replyTo: 'r' } },
      { ...back, properties: { messageId: 'm', timestamp: 1 } },
    ])
      expect(unacked.takeBack(message(7, facts), living.live)).toBeUndefined();
    expect(unacked.takeBack(message(8, back), living.live)).toBe(running);
    // The one that had not begun is another delivery now.
    expect(unacked.takeBack(message(9, back), living.live)).toBeUndefined();
    expect([unacked.ack(running), living.acked, dead.acked]).toEqual([true, [8], []]);
  });
});
