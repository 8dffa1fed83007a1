// What has yet to be run, told from values.
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { of } from 'rxjs';
import { isGeneratorFunction, itemsIn, unrun } from './items.js';

function* plain(): Generator<unknown> {
  yield 1;
  yield Promise.resolve(2);
}
async function* later(): AsyncGenerator<number> {
  yield await Promise.resolve(1);
}

describe('what a handler returns', () => {
  it('is items when it iterates by itself', async () => {
    const items = itemsIn(plain());
    const seen: unknown[] = [];
    for await (const item of items ?? []) seen.push(item);
    expect(seen).toEqual([1, 2]);
    for (const value of [later(), Readable.from([1]), new Set([1]).values()])
      expect(itemsIn(value)).toBeDefined();
    for (const value of [[1], 'text', new Map(), { next: 1 }, null, undefined, () => 1]) {
      expect(itemsIn(value)).toBeUndefined();
    }
  });

  it('has yet to be run when it is a function, items, or an Observable', () => {
    expect([() => 1, plain, plain(), later(), of(1)].map(unrun)).toEqual([
      'a function',
      'a function',
      'a generator or another iterator',
      'a generator or another iterator',
      'an Observable',
    ]);
    for (const value of [undefined, null, 0, 'text', [1], { subscribe: true }, new Map(), new Error('x')]) {
      expect(unrun(value)).toBeUndefined();
    }
  });

  it('comes from a generator function or not', () => {
    expect([plain, later].every(isGeneratorFunction)).toBe(true);
    expect([() => 1, async () => 1, 'GeneratorFunction', undefined].some(isGeneratorFunction)).toBe(false);
  });
});
