import { describe, expect, it } from '@jest/globals';
import { Fifo } from './fifo.js';

describe('a queue in memory', () => {
  it('gives in the order in which it got, whatever is taken out between', () => {
    const fifo = new Fifo<number>();
    const model: number[] = [];
    for (let step = 0; step < 20_000; step++) {
      if (step % 5_000 === 4_999) {
        fifo.drop((value) => value % 3 === 0);
        model.splice(0, Infinity, ...model.filter((value) => value % 3 !== 0));
      } else if (step % 3 < 2) {
        fifo.push(step);
        model.push(step);
      } else expect(fifo.shift()).toBe(model.shift());
      expect(fifo.size).toBe(model.length);
    }
    expect(fifo.take()).toEqual(model);
    expect([fifo.size, fifo.shift()]).toEqual([0, undefined]);
  });

  it('needs no longer for each of many', () => {
    const fifo = new Fifo<number>();
    for (let n = 0; n < 1_000_000; n++) fifo.push(n);
    const began = performance.now();
    let wrong = 0;
    for (let n = 0; n < 1_000_000; n++) if (fifo.shift() !== n) wrong++;
    expect(wrong).toBe(0);
    // With Array.shift it is minutes.
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
