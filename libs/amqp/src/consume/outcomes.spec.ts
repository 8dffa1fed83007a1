// What becomes of a delivery is carried out once: a request when its answer has arrived, not before (whoever dies in
// between has it delivered again), and what comes when its channel is gone is counted.
import { describe, expect, it } from '@jest/globals';
import { counters } from '../events/events.js';
import { Delivery, ACK, DROP } from '../message/delivery.js';
import { Settlement } from './settlement.js';

function carryingOut(alive = true) {
  const acked: Delivery[] = [];
  const counts = counters();
  const warnings: string[] = [];
  const context = {
    ...{ counters: counts, events: { hasListeners: () => false } },
    logger: { warn: (text: string) => warnings.push(text) },
  };
  const unacked = { ack: (one: Delivery) => (acked.push(one), alive), remove: () => undefined };
  const handlers = { decided: (_: Delivery, decision: unknown) => decision };
  const settlement = new Settlement(context as never, handlers as never, unacked as never);
  const message = { exchange: '', routingKey: 'q', content: Buffer.alloc(0), properties: {} };
  const delivery = new Delivery(message as never, 'q', settlement);
  return { outcomes: settlement, delivery, acked, counts, warnings };
}

describe('what becomes of a delivery', () => {
  it('that is a request waits for its answer', () => {
    const { outcomes: settlement, delivery, acked } = carryingOut();
    let arrived = (): void => undefined;
    delivery.run.answer = { after: (next) => (arrived = next) };
    settlement.finish(delivery, ACK);
    expect(acked).toEqual([]);
    arrived();
    expect(acked).toEqual([delivery]);
  });

  it('is carried out once, whoever settles it first', () => {
    const { outcomes: settlement, delivery, acked, warnings } = carryingOut();
    settlement.finish(delivery, ACK);
    settlement.finish(delivery, DROP);
    delivery.ack();
    expect([acked, warnings.length]).toEqual([[delivery], 1]);
    const other = carryingOut();
    other.delivery.ack();
    other.outcomes.finish(other.delivery, ACK);
    expect(other.acked).toEqual([other.delivery]);
  });

  it('is counted as too late when its channel is gone', () => {
    const [late, onTime] = [carryingOut(false), carryingOut()];
    for (const { outcomes: settlement, delivery } of [late, onTime]) settlement.finish(delivery, ACK);
    expect([late.counts.staleSettlements, onTime.counts.staleSettlements]).toEqual([1, 0]);
  });
});
