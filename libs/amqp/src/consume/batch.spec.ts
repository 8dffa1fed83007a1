// When a list of deliveries is handed out: full, or so long after its first one.
import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../runtime/clock.js';
import type { Delivery } from '../message/delivery.js';
import { Batcher } from './batch.js';
import type { Budget } from './executor.js';

function batching(size: number, wait: number, budget?: Budget<Delivery>) {
  const timers = new Set<{ readonly ms: number; readonly call: () => void }>();
  let set = 0;
  const clock = {
    after: (ms: number, call: () => void) => {
      const timer = { ms, call };
      timers.add(timer);
      set++;
      return () => void timers.delete(timer);
    },
  } as unknown as Clock;
  const lists: number[][] = [];
  const batcher = new Batcher(size, wait, clock, (list) => lists.push(list as unknown as number[]), budget);
  const add = (...numbers: number[]): void =>
    numbers.forEach((number) => batcher.add(number as unknown as Delivery));
  return { batcher, add, lists, timers, timersSet: () => set };
}

describe('a batch', () => {
  it('is handed out when it is full, never fuller', () => {
    const { add, lists } = batching(3, 1_000);
    add(1, 2);
    expect(lists).toEqual([]);
    add(3, 4, 5, 6, 7);
    expect(lists).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it('is handed out before it weighs more than its budget', () => {
    const budget = { limit: 10, weigh: (delivery: unknown) => delivery as number };
    const { add, lists, batcher } = batching(4, 1_000, budget);
    add(5, 5, 1, 30, 2, 2, 2, 2);
    expect(lists).toEqual([[5, 5], [1], [30], [2, 2, 2, 2]]);
    expect(batcher.take()).toEqual([]);
  });

  it('waits from its first message on, whatever comes after it', () => {
    const { add, lists, timers, timersSet } = batching(10, 1_000);
    add(1, 2, 3);
    expect([timersSet(), [...timers].map(({ ms }) => ms)]).toEqual([1, [1_000]]);
    for (const { call } of timers) call();
    expect(lists).toEqual([[1, 2, 3]]);
  });

  it('that was full leaves no timer, which would cut the next one short', () => {
    const { batcher, add, timers, lists } = batching(2, 1_000);
    add(1, 2);
    expect([timers.size, lists]).toEqual([0, [[1, 2]]]);
    add(3);
    expect(batcher.take()).toEqual([3]);
    expect(timers.size).toBe(0);
  });
});
