// Promises of the consuming side that no broker shows by itself: what happens before what, and what is left out.

import { describe, expect, it } from '@jest/globals';
import { Delivery, ACK, type Verdict } from '../../message/delivery.js';
import { SILENT } from '../../runtime/logger.js';
import { Events } from '../../events/emitter.js';
import type { LiveChannel } from '../../connection/channel.js';
import { Batcher } from '../../consume/batch.js';
import { Settlement, forward, type SettlementDeps, Unacked } from '../../consume/settlement.js';
import { deadMessage, retryMessage } from '../../consume/republish.js';

const sink = { settle() {}, warn() {} };

function delivery(deliveryTag = 1, properties: object = {}, redelivered = false): Delivery {
  const fields = { deliveryTag, redelivered, exchange: 'e', routingKey: 'k' };
  return new Delivery({ content: Buffer.from('1'), properties, ...fields }, 'orders', sink);
}

function channel(): { live: LiveChannel; acked: number[]; die: () => void } {
  const acked: number[] = [];
  const live = { alive: true, ack: (tag: number) => live.alive && acked.push(tag) > 0 };
  return { live: live as never, acked, die: () => (live.alive = false) };
}

const RETRY = { kind: 'retry', after: 1, attempt: 2, error: new Error('x') } as const;
const DEAD = { kind: 'dead-letter', reason: 'rejected', error: new Error('x') } as const;

describe('what is sent on', () => {
  it.each<[string, Verdict]>([
    ['a retry', RETRY],
    ['a dead letter', DEAD],
  ])('%s is acked when the broker has it, not before', async (_name, verdict) => {
    let confirm: () => void = () => undefined;
    const hangs = (): Promise<void> => new Promise((resolve) => (confirm = resolve));
    let acked = 0;
    const origin = { alive: () => true, ack: () => (acked++, true), requeue: () => true };
    const context = {
      forwarder: { maxPropertyBytes: 100_000, sendTo: hangs, sendLater: hangs, forwarded: hangs },
      clock: { now: () => 0, wall: () => 0 },
      plan: { queue: { name: 'orders', durable: true, arguments: {} }, back: { exchange: '' } },
      deadQueue: 'orders.dead',
      logger: SILENT,
    } as unknown as SettlementDeps;
    const settled = forward(delivery(), verdict as never, origin, context);
    await new Promise((resolve) => setImmediate(resolve));
    expect(acked).toBe(0);
    confirm();
    expect([await settled, acked]).toEqual([true, 1]);
  });

  it('leaves expiration and user behind: the one would end the wait, the other is checked by the broker', () => {
    const one = delivery(1, { expiration: '5000', userId: 'somebody', messageId: 'm', headers: { a: 1 } });
    const retried = retryMessage(one, RETRY, 100_000, { wall: () => 0, now: () => 0 } as never);
    const dead = deadMessage(one, DEAD, 'orders.dead', { now: 0, maxPropertyBytes: 100_000 });
    for (const message of [retried, dead]) {
      expect(message?.properties).toMatchObject({ messageId: 'm', headers: { a: 1 } });
      expect(Object.keys(message?.properties ?? {})).not.toEqual(expect.arrayContaining(['expiration']));
      expect(Object.keys(message?.properties ?? {})).not.toEqual(expect.arrayContaining(['userId']));
    }
  });
});

describe('outcomes', () => {
  const outcomes = (unsettled: Unacked, counters: object): Settlement =>
    new Settlement(
      { counters, events: new Events(SILENT, 'x'), logger: SILENT } as never,
      {} as never,
      unsettled,
    );

  it('a request is settled when its answer has arrived, not before', () => {
    const { live, acked } = channel();
    const unsettled = new Unacked(false);
    const one = delivery();
    unsettled.add(one, live);
    let arrived: () => void = () => undefined;
    one.run.answer = { whenOver: (next) => (arrived = next) };
    outcomes(unsettled, {}).finish(one, ACK);
    expect([acked, unsettled.size]).toEqual([[], 1]);
    arrived();
    expect([acked, unsettled.size]).toEqual([[1], 0]);
  });

  it('one that comes after its channel is gone is counted, and acks nothing', () => {
    const { live, acked, die } = channel();
    const counters = { staleSettlements: 0 };
    const unsettled = new Unacked(false);
    const [one, two] = [delivery(1), delivery(2)];
    for (const each of [one, two]) unsettled.add(each, live);
    outcomes(unsettled, counters).finish(one, ACK);
    die();
    outcomes(unsettled, counters).finish(two, ACK);
    expect([acked, counters.staleSettlements]).toEqual([[1], 1]);
  });
});

describe('unsettled deliveries', () => {
  it('who waits for none hears of the loss of the last ones', async () => {
    const { live } = channel();
    const unsettled = new Unacked(false);
    unsettled.add(delivery(), live);
    const none = unsettled.none();
    unsettled.removeAll(live);
    await none;
  });

  it('one that runs is settled where its message came again, once, and no other one is taken for it', () => {
    const [first, second] = [channel(), channel()];
    const unsettled = new Unacked(false);
    const [running, waiting] = [delivery(7, { messageId: 'a' }), delivery(8, { messageId: 'b' })];
    for (const each of [running, waiting]) unsettled.add(each, first.live);
    running.run.beganAt = 1;
    unsettled.removeAll(first.live, true);
    const back = (tag: number, messageId: string, redelivered = true): Delivery | undefined =>
      unsettled.takeBack(delivery(tag, { messageId }, redelivered).message, second.live);
    expect([back(1, 'a', false), back(2, 'b')]).toEqual([undefined, undefined]);
    expect(back(3, 'a')).toBe(running);
    expect(back(4, 'a')).toBeUndefined();
    expect(unsettled.ack(running)).toBe(true);
    expect([first.acked, second.acked]).toEqual([[], [3]]);
  });
});

describe('a batch', () => {
  it('waits from its first message on, and the next one from its own', () => {
    const timers = new Map<number, () => void>();
    let now = 0;
    const clock = {
      after: (ms: number, callback: () => void) => {
        const at = now + ms;
        timers.set(at, callback);
        return () => timers.delete(at);
      },
    };
    const move = (to: number): void => {
      now = to;
      for (const [at, callback] of timers) if (at <= to && timers.delete(at)) callback();
    };
    const lists: number[] = [];
    const batcher = new Batcher(3, 100, clock as never, (list) => lists.push(list.length));
    batcher.add(delivery());
    move(90);
    batcher.add(delivery());
    move(100);
    expect(lists).toEqual([2]);
    for (let n = 0; n < 3; n++) batcher.add(delivery());
    expect(lists).toEqual([2, 3]);
    move(150);
    batcher.add(delivery());
    move(210);
    expect(lists).toEqual([2, 3]);
    move(250);
    expect(lists).toEqual([2, 3, 1]);
  });
});
