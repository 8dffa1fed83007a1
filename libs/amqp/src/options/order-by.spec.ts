import { describe, expect, it } from '@jest/globals';
import { keyOf } from './order-by.js';

describe('orderBy', () => {
  it('that returns a promise is refused, and its rejection does not end the process', async () => {
    const rejected: unknown[] = [];
    const note = (reason: unknown): void => void rejected.push(reason);
    process.on('unhandledRejection', note);
    const key = keyOf((() => Promise.reject(new Error('later'))) as never);
    expect(() => key({} as never)).toThrow('neither a string nor a number, but a promise');
    // Rejections that nobody handles are told after the microtasks.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(rejected).toEqual([]);
  });
});
