// What the page says that changed in a body: both texts can be told from it, in as few changes as there can be.
import { expect, it } from '@jest/globals';
import { diffLines } from '../src/data/diff.js';

const short = (before: string, after: string): string[] =>
  diffLines(before, after).map(({ kind, text }) => `${{ same: ' ', out: '-', in: '+' }[kind]}${text}`);

it('shows lines that were taken out and put in', () => {
  expect(short('a', 'a')).toEqual([' a']);
  expect(short('a\nb\nc', 'a\nx\nc')).toEqual([' a', '-b', '+x', ' c']);
  expect(short('a\nb\nc\nd', 'a\nc\ne\nd')).toEqual([' a', '-b', ' c', '+e', ' d']);
  expect(short('a', 'a\na')).toEqual([' a', '+a']);
  expect(short('', 'a')).toEqual(['-', '+a']);
});

it('leaves both texts to be told, in the fewest changes, for 300 pairs of texts', () => {
  let seed = 7;
  const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const text = (): string[] => Array.from({ length: next(12) + 1 }, () => 'abc'[next(3)]);
  for (let round = 0; round < 300; round++) {
    const [before, after] = [text(), text()];
    const lines = diffLines(before.join('\n'), after.join('\n'));
    const without = (kind: string): string[] =>
      lines.filter((each) => each.kind !== kind).map((each) => each.text);
    expect(without('in')).toEqual(before);
    expect(without('out')).toEqual(after);
    const same = lines.filter(({ kind }) => kind === 'same').length;
    expect(same).toBe(longest(before, after));
  }
});

it('replaces what changed everywhere, and does so at once', () => {
  const many = (letter: string): string =>
    Array.from({ length: 20_000 }, (_, i) => `${letter}${i}`).join('\n');
  const lines = diffLines(`first\n${many('a')}\nlast`, `first\n${many('b')}\nlast`);
  expect(lines).toHaveLength(40_002);
  expect([lines[0], lines[1], lines[20_001], lines[40_001]].map(({ kind }) => kind)).toEqual([
    'same',
    'out',
    'in',
    'same',
  ]);
});

/** Lines that both have in the same order, at most: by the table of all beginnings. */
function longest(one: readonly string[], other: readonly string[]): number {
  const table = Array.from({ length: one.length + 1 }, () => new Array<number>(other.length + 1).fill(0));
  one.forEach((line, x) =>
    other.forEach((each, y) => {
      table[x + 1][y + 1] = line === each ? table[x][y] + 1 : Math.max(table[x][y + 1], table[x + 1][y]);
    }),
  );
  return table[one.length][other.length];
}
