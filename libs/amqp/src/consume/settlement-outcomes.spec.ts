// The outcome of a delivery is carried out once: that of a request when its reply has arrived, not before (whoever dies in
// between has it delivered again), and what comes when its channel is gone is counted.
import { describe, expect, it } from '@jest/globals';
import { counters } from '../events/events.js';
import { Delivery, ACK, DROP } from '../message/delivery.js';
import { Settlement } from './settlement.js';

function carryingOut(alive = true, send = (): Promise<void> => Promise.resolve()) {
  const acked: Delivery[] = [];
  const counts = counters();
  const warnings: string[] = [];
  const errors: string[] = [];
  const told: unknown[] = [];
  const context = {
    counters: counts,
    events: { hasListeners: () => true, emit: (event: unknown) => told.push(event) },
    logger: {
      warn: (text: string) => warnings.push(text),
      error: (text: string) => errors.push(text),
    },
    forwarder: { maxPropertyBytes: 10_000, send, sendLater: send },
    plan: { queue: { name: 'q', durable: true, arguments: {} }, back: { kind: 'retry' } },
  };
  const removed: Delivery[] = [];
  const unacked = {
    ack: (one: Delivery) => (acked.push(one), alive),
    remove: (one: Delivery) => removed.push(one),
    origin: (one: Delivery) => ({
      alive: () => alive,
      ack: () => (acked.push(one), alive),
      requeue: () => alive,
    }),
  };
  const handlers = {
    decided: (_: Delivery, decision: unknown) => decision,
    deadQueueOf: () => undefined,
  };
  const settlement = new Settlement(context as never, handlers as never, unacked as never);
  const message = { exchange: '', routingKey: 'q', content: Buffer.alloc(0), properties: {} };
  const delivery = new Delivery(message as never, 'q', settlement);
  return { outcomes: settlement, delivery, acked, counts, warnings, errors, removed, told };
}

describe('settlement: the outcome of a delivery', () => {
  it('that is a request waits for its answer', () => {
    const { outcomes: settlement, delivery, acked } = carryingOut();
    let arrived = (): void => undefined;
    delivery.run.answer = { whenOver: (next) => (arrived = next) };
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

  it('is told to whoever listens, with what the handler decided', () => {
    const { delivery, acked, removed, told } = carryingOut();
    delivery.ack();
    expect(told).toEqual([{ kind: 'settled', queue: 'q', delivery, onTime: true }]);
    expect([acked, removed, delivery.decided]).toEqual([[delivery], [delivery], ACK]);
  });

  it('that goes back is not acked: it goes with its channel, in its order', () => {
    const { outcomes: settlement, delivery, acked, removed, told } = carryingOut();
    settlement.finish(delivery, { kind: 'requeue' } as never);
    expect([acked, removed, told.length]).toEqual([[], [delivery], 1]);
  });

  it('that stays open is left to its handler', () => {
    const { outcomes: settlement, delivery, acked, removed } = carryingOut();
    settlement.finish(delivery, { kind: 'open' } as never);
    expect([acked, removed]).toEqual([[], []]);
    delivery.ack();
    expect(acked).toEqual([delivery]);
  });

  it.each([
    ['was sent to the end of its queue', true, 'sends', true, 1],
    ['could not be sent stays', true, 'fails', false, 0],
    ['was on a channel that is gone by then', false, 'fails', true, 1],
  ] as const)('a suspect that %s', async (_, alive, how, gone, removals) => {
    const send = (): Promise<void> => (how === 'sends' ? Promise.resolve() : Promise.reject(new Error('no')));
    const { outcomes: settlement, delivery, removed } = carryingOut(alive, send);
    expect(await settlement.suspect(delivery, 1, false)).toBe(gone);
    expect(removed).toHaveLength(removals);
  });
});
