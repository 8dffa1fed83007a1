import { describe, expect, it } from '@jest/globals';
import { InFlight } from './concurrency-limiter.js';

describe('InFlight', () => {
  it('runs at most so many, in order, and tells when it is idle', async () => {
    const ends: (() => void)[] = [];
    const began: number[] = [];
    const work = new InFlight<number>(
      2,
      (job) => (began.push(job), new Promise((resolve) => ends.push(resolve))),
    );
    [1, 2, 3, 4, 5].forEach((job) => work.push(job));
    expect([began, work.count, work.waiting]).toEqual([[1, 2], 2, 3]);
    work.forget((job) => job === 4);
    ends[0]();
    await new Promise((resolve) => setImmediate(resolve));
    expect(began).toEqual([1, 2, 3]);
    expect(work.stop()).toEqual([5]);
    const idle = work.idle();
    ends.forEach((end) => end());
    await idle;
    expect([work.count, began]).toEqual([0, [1, 2, 3]]);
  });
});
