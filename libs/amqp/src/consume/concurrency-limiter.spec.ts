import { describe, expect, it } from '@jest/globals';
import { settings } from '../options/settings.js';
import { decodingBudget, ConcurrencyLimiter } from './executor.js';

describe('ConcurrencyLimiter', () => {
  it('runs at most so many, in order, and tells when it is idle', async () => {
    const ends: (() => void)[] = [];
    const began: number[] = [];
    const work = new ConcurrencyLimiter<number>(
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

  it('runs what weighs no more together than the budget, in order; one alone may weigh more', async () => {
    const ends: (() => void)[] = [];
    const began: number[] = [];
    const run = (job: number): Promise<void> => (
      began.push(job),
      new Promise((resolve) => ends.push(resolve))
    );
    const work = new ConcurrencyLimiter<number>(10, run, { limit: 10, weigh: (job) => job });
    const end = async (): Promise<void> => {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    };
    [6, 4, 5, 1, 40, 2].forEach((job) => work.push(job));
    expect(began).toEqual([6, 4]);
    await end();
    expect(began).toEqual([6, 4, 5, 1]);
    await end();
    await end();
    expect(began).toEqual([6, 4, 5, 1]);
    await end();
    expect(began).toEqual([6, 4, 5, 1, 40]);
    await end();
    expect(began).toEqual([6, 4, 5, 1, 40, 2]);
  });

  it('counts a compressed body with what it may unfold to', () => {
    const { weigh } = decodingBudget(settings({ maxUnfoldedBytes: 4_000_000 }));
    const weight = (bytes: number, contentEncoding?: string): number =>
      weigh({ message: { content: Buffer.alloc(bytes), properties: { contentEncoding } } } as never);
    expect(weight(1_000)).toBe(1_000);
    expect(weight(1_000, 'utf-8')).toBe(1_000);
    expect(weight(1_000, 'unknown')).toBe(1_000);
    expect(weight(1_000, 'gzip')).toBe(1_048_576);
    expect(weight(100_000, 'br')).toBe(4_000_000);
  });
});
