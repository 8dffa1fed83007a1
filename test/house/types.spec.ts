// No `any` in the libraries: it turns the compiler off for everybody who uses what it stands in.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { type Source, librarySources, lineOf, nodes, sample } from './sources.js';

function anyRule(files: readonly Source[]): string[] {
  return files.flatMap((source) =>
    nodes(source)
      .filter((node) => node.kind === ts.SyntaxKind.AnyKeyword)
      .map((node) => `${source.path}:${lineOf(source, node)} says any`),
  );
}

describe('types', () => {
  it('no library source says any', () => {
    expect(anyRule(librarySources())).toEqual([]);
  });

  it('any is found as annotation, cast and argument, and not in words or strings', () => {
    const bad = ['let a: any;', 'f(x as any);', 'const m = new Map<string, any>();'].join('\n');
    expect(anyRule([sample('a.ts', bad)])).toEqual(['a.ts:1 says any', 'a.ts:2 says any', 'a.ts:3 says any']);
    expect(anyRule([sample('a.ts', `// any\nlet any = 'any';\nlet many: unknown;`)])).toEqual([]);
  });
});
