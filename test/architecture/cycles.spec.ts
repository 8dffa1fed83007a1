// No import cycles, types included: where two files need each other, a third concept is missing.
import { basename } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { type Source, imports, sample, sources } from './sources.js';

/** One sentence per cycle: the way around it. */
function cycleRule(files: readonly Source[]): string[] {
  const edges = new Map(
    files.map((source) => [source.path, imports(source).flatMap(({ file }) => file ?? [])]),
  );
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

  it.each([
    ['in two folders', 'libs/amqp/src/a', 'libs/amqp/src/b'],
    ['in one folder', 'libs/embedded/src/a', 'libs/embedded/src/a'],
  ])('a cycle of types %s is found', (_, one, two) => {
    const types = [
      sample(`${one}/one.ts`, `import type { Two } from '../${basename(two)}/two.js';`),
      sample(`${two}/two.ts`, `let one: import('../${basename(one)}/one.js').One;`),
    ];
    expect(cycleRule(types)).toHaveLength(1);
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
