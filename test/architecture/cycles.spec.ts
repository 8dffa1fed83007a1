// No import cycles: where two files need each other's words, there is a third word missing. Between rooms this
// includes types; inside one room two things may know each other's shape (an exchange and its bindings).
import { dirname } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { type Import, type Source, imports, sample, sources } from './sources.js';

/** One sentence per cycle: the way around it. */
function cycleRule(files: readonly Source[]): string[] {
  const edges = new Map(files.map((source) => [source.path, imports(source).flatMap(counts)]));
  const finished = new Set<string>();
  const found = new Map<string, string>();
  const walk = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) {
      const cycle = way.slice(way.indexOf(path));
      found.set([...cycle].sort().join(), [...cycle, path].join(' -> '));
      return;
    }
    if (finished.has(path)) return;
    for (const next of edges.get(path) ?? []) walk(next, [...way, path]);
    finished.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return [...found.values()];
}

const counts = ({ from, file, erased }: Import): string[] =>
  file === undefined || (erased && dirname(from) === dirname(file)) ? [] : [file];

describe('cycles', () => {
  it('no file imports itself by way of others', () => {
    expect(cycleRule(sources((path) => /^(libs|apps|test|tools)\//.test(path)))).toEqual([]);
  });

  it('a cycle of three files is found', () => {
    const cycle = [
      sample('a/one.ts', `import { type Two, two } from './two.js';`),
      sample('a/two.ts', `export * from './three.js';`),
      sample('a/three.ts', `const one = await import('./one.js');`),
    ];
    expect(cycleRule(cycle)).toEqual(['a/one.ts -> a/two.ts -> a/three.ts -> a/one.ts']);
  });

  it('a cycle of types is found between rooms, and allowed inside one', () => {
    const types = (one: string, two: string): Source[] => [
      sample(`${one}/one.ts`, `import type { Two } from '../${two}/two.js';`),
      sample(
        `${two}/two.ts`,
        `let one: import('../${one}/one.js').One; import { type A } from '../${one}/one.js';`,
      ),
    ];
    expect(cycleRule(types('a', 'b'))).toHaveLength(1);
    expect(cycleRule(types('a', 'a'))).toEqual([]);
  });

  it('two ways to one file are no cycle', () => {
    const diamond = [
      sample('a/top.ts', `import './left.js'; import './right.js';`),
      sample('a/left.ts', `import './end.js';`),
      sample('a/right.ts', `import './end.js';`),
      sample('a/end.ts', ''),
    ];
    expect(cycleRule(diamond)).toEqual([]);
  });
});
