// What becomes of a delivery is carried out once: a request when its answer has arrived, not before (whoever dies in
// between has it delivered again), and what comes when its channel is gone is counted.
import { describe, expect, it } from '@jest/globals';
import { counters } from '../events/counters.js';
import { Delivery } from '../message/delivery.js';
import { ACK, DROP } from '../message/verdict.js';
import { Outcomes } from './settlement.js';

function carryingOut(alive = true) {
  const acked: Delivery[] = [];
  const counts = counters();
  const warnings: string[] = [];
  const room = {
    ...{ counters: counts, events: { hears: () => false } },
    logger: { warn: (text: string) => warnings.push(text) },
  };
  const unsettled = { ack: (one: Delivery) => (acked.push(one), alive), remove: () => undefined };
  const handlers = { decided: (_: Delivery, decision: unknown) => decision };
  const outcomes = new Outcomes(room as never, handlers as never, unsettled as never);
  const message = { exchange: '', routingKey: 'q', content: Buffer.alloc(0), properties: {} };
  const delivery = new Delivery(message as never, 'q', outcomes);
  return { outcomes, delivery, acked, counts, warnings };
}

describe('what becomes of a delivery', () => {
  it('that is a request waits for its answer', () => {
    const { outcomes, delivery, acked } = carryingOut();
    let arrived = (): void => undefined;
    delivery.run.answer = { after: (next) => (arrived = next) };
    outcomes.finish(delivery, ACK);
    expect(acked).toEqual([]);
    arrived();
    expect(acked).toEqual([delivery]);
  });

  it('is carried out once, whoever settles it first', () => {
    const { outcomes, delivery, acked, warnings } = carryingOut();
    outcomes.finish(delivery, ACK);
    outcomes.finish(delivery, DROP);
    delivery.ack();
    expect([acked, warnings.length]).toEqual([[delivery], 1]);
    const other = carryingOut();
    other.delivery.ack();
    other.outcomes.finish(other.delivery, ACK);
    expect(other.acked).toEqual([other.delivery]);
  });

  it('is counted as too late when its channel is gone', () => {
    const [late, onTime] = [carryingOut(false), carryingOut()];
    for (const { outcomes, delivery } of [late, onTime]) outcomes.finish(delivery, ACK);
    expect([late.counts.settledTooLate, onTime.counts.settledTooLate]).toEqual([1, 0]);
  });
});
