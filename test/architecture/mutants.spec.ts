// The list of mutants fits the tree: a slip whose place is gone, or whose tests are, would be tried in vain.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { root } from './sources.js';

interface Mutant {
  readonly id: string;
  readonly area: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly promise: string;
  readonly tests: readonly string[];
}

const { mutants } = (await import(join(root, 'test', 'mutants', 'index.mjs'))) as {
  mutants: readonly Mutant[];
};
const specs = ['libs', 'test'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.spec.ts') && !path.includes('node_modules'))
    .map((path) => join(folder, path)),
);

describe('the list of mutants', () => {
  it('names each once, with the promise that it breaks', () => {
    expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
    expect(mutants.filter(({ promise, from, to }) => !promise || from === to)).toEqual([]);
  });

  it.each(mutants)('$id has its place in $file', ({ file, from }) => {
    expect(existsSync(join(root, file))).toBe(true);
    expect(readFileSync(join(root, file), 'utf8').split(from)).toHaveLength(2);
  });

  it.each(mutants)('$id has its tests', ({ tests }) => {
    for (const pattern of tests)
      expect(specs.filter((path) => new RegExp(pattern).test(path))).not.toEqual([]);
  });
});
