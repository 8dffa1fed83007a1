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

/** With exactOptionalPropertyTypes, `url: process.env.URL` is an error unless the option takes undefined. */
function optionsRule(files: readonly Source[]): string[] {
  return files.flatMap((source) =>
    nodes(source)
      .filter((node) => ts.isInterfaceDeclaration(node))
      .filter(({ name }) => name.text.endsWith('Options'))
      .flatMap(({ name, members }) =>
        members
          .filter((member) => ts.isPropertySignature(member) && member.questionToken !== undefined)
          .filter((member) => !/\bundefined$/.test((member as ts.PropertySignature).type?.getText() ?? ''))
          .map(
            (member) =>
              `${source.path}: ${name.text}.${member.name?.getText() ?? ''} does not take undefined`,
          ),
      ),
  );
}

describe('types', () => {
  it('options take undefined for what is left out', () => {
    const places =
      /amqp\/src\/options\/[\w-]*options|topology\/declarations|nestjs\/src\/(module-options|decorators|testing)/;
    const published = librarySources().filter(({ path }) => places.test(path));
    expect(published.length).toBeGreaterThan(8);
    expect(optionsRule(published)).toEqual([]);
    const bad = 'interface AOptions { readonly a?: string; b?: number | undefined; c: string }';
    expect(optionsRule([sample('a.ts', bad)])).toEqual(['a.ts: AOptions.a does not take undefined']);
  });

  it('no library source says any', () => {
    expect(anyRule(librarySources())).toEqual([]);
  });

  it('any is found as annotation, cast and argument, and not in words or strings', () => {
    const bad = ['let a: any;', 'f(x as any);', 'const m = new Map<string, any>();'].join('\n');
    expect(anyRule([sample('a.ts', bad)])).toEqual(['a.ts:1 says any', 'a.ts:2 says any', 'a.ts:3 says any']);
    expect(anyRule([sample('a.ts', `// any\nlet any = 'any';\nlet many: unknown;`)])).toEqual([]);
  });
});
