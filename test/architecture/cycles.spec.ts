// No import cycles, types included: where two files need each other, a third concept is missing. Inside one folder of the
// embedded broker, and of the tests, two things may still know each other's type (an exchange and its bindings).
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

const counts = ({ from, file, erased }: Import): string[] => {
  if (file === undefined) return [];
  const known = erased && dirname(from) === dirname(file) && !strict.test(from);
  return known ? [] : [file];
};

/** Sources without any cycle of types. */
const strict = /^libs\/(amqp|nestjs)\//;

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

  it('a cycle of types is found, inside one folder only where it is not allowed', () => {
    const types = (one: string, two: string): Source[] => [
      sample(`${one}/one.ts`, `import type { Two } from '../${two}/two.js';`),
      sample(
        `${two}/two.ts`,
        `let one: import('../${one}/one.js').One; import { type A } from '../${one}/one.js';`,
      ),
    ];
    expect(cycleRule(types('a', 'b'))).toHaveLength(1);
    expect(cycleRule(types('a', 'a'))).toEqual([]);
    const library = [
      sample('libs/amqp/src/a/one.ts', `import type { Two } from './two.js';`),
      sample('libs/amqp/src/a/two.ts', `import type { One } from './one.js';`),
    ];
    expect(cycleRule(library)).toHaveLength(1);
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
