import { describe, expect, it } from '@jest/globals';
import { IdMap, type Listed } from './id-map.js';

class Thing implements Listed {
  after: this | undefined;
  constructor(
    readonly id: string,
    readonly n = 0,
  ) {}
}

describe('a directory', () => {
  it('finds what is in it, and nothing else, however it grows and shrinks', () => {
    const directory = new IdMap<Thing>();
    const expected = new Map<string, Thing>();
    let seed = 3;
    const next = (below: number): number => {
      seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let step = 0; step < 20_000; step++) {
      const id = `prefix.${next(step < 10_000 ? 3_000 : 20).toString(36)}`;
      const there = expected.get(id);
      if (there) {
        directory.remove(there);
        expected.delete(id);
      } else {
        const thing = new Thing(id, step);
        directory.add(thing);
        expected.set(id, thing);
      }
      expect(directory.get(id)).toBe(expected.get(id));
      expect(directory.size).toBe(expected.size);
    }
    expect(new Set(directory.values())).toEqual(new Set(expected.values()));
    for (const thing of directory.values()) directory.remove(thing);
    expect([directory.size, directory.values()]).toEqual([0, []]);
  });

  it('finds the youngest of several with one id, and lets go of each by itself', () => {
    const directory = new IdMap<Thing>();
    const [first, second] = [new Thing('a', 1), new Thing('a', 2)];
    directory.add(first);
    directory.add(second);
    // More than there are rows: everything is put elsewhere.
    for (let n = 0; n < 200; n++) directory.add(new Thing(`other ${n}`));
    expect(directory.get('a')).toBe(second);
    directory.remove(second);
    expect(directory.get('a')).toBe(first);
    directory.remove(second);
    expect(directory.get('a')).toBe(first);
    directory.remove(first);
    expect(directory.get('a')).toBeUndefined();
  });
});
