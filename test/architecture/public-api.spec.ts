// What a package exports is a promise. The reports in public-api/ are that promise: a name that comes or goes, a parameter
// or a type that changes shows up in the review as a changed line. After a change that is meant: `UPDATE_PUBLIC_API=1 npm test -- --only architecture/public-api`.
import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { apiReport } from './api-report.js';
import { type Source, root, sample } from './sources.js';

const moduleOf = (node: ts.ExportDeclaration): string => (node.moduleSpecifier as ts.StringLiteral).text;

/** An entry point only re-exports, by name. Another package may be re-exported as a whole: it has its own list. */
function exportRule(entry: Source): string[] {
  return entry.ast.statements.flatMap((statement) => {
    if (ts.isImportDeclaration(statement) && statement.importClause === undefined) return [];
    if (!ts.isExportDeclaration(statement))
      return [`${entry.path} holds more than exports: ${firstLine(statement)}`];
    const own = !statement.exportClause && moduleOf(statement).startsWith('.');
    return own ? [`${entry.path} exports everything: ${firstLine(statement)}`] : [];
  });
}

const firstLine = (node: ts.Node): string => node.getText().split('\n')[0] ?? '';

/** Entry points of a library, by the name of their list. */
function entryPoints(library: string): [list: string, path: string][] {
  const folder = join(root, 'libs', library);
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { exports: object };
  return Object.keys(exports)
    .filter((each) => !each.endsWith('.json'))
    .map((each) => {
      const path = each === '.' ? 'src/index.ts' : `src/${each.slice(2)}/index.ts`;
      return [each === '.' ? library : `${library}-${each.slice(2)}`, `libs/${library}/${path}`];
    });
}

const all = readdirSync(join(root, 'libs')).flatMap(entryPoints);

describe('public API', () => {
  it.each(all)('%s exports what its report says', (list, path) => {
    const file = join(root, 'test/architecture/public-api', `${list}.txt`);
    const now = apiReport(sample(path, readFileSync(join(root, path), 'utf8')));
    if (process.env.UPDATE_PUBLIC_API) writeFileSync(file, now);
    expect(now).toBe(existsSync(file) ? readFileSync(file, 'utf8') : '');
  });

  it.each(all)('%s only passes on, by name', (_list, path) => {
    expect(exportRule(sample(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  it('no list is left of an entry point that is gone', () => {
    const lists = readdirSync(join(root, 'test/architecture/public-api')).map((file) =>
      file.replace('.txt', ''),
    );
    expect(lists.sort()).toEqual(all.map(([list]) => list).sort());
  });

  it('shows signatures, without bodies, comments and private members, and the types that they name', () => {
    const files: Record<string, string> = {
      'x.ts': `import type { Given } from './y.js';
/** Says. */
export class A { private b = 1; #c = 2; constructor(private readonly d: string) {} get(given: Given): string { return this.d; } }
export function f(a: string): void;
export function f(a: unknown): void { void a; }
export const size = 3;
export const maker = (name: string): A => new A(name);`,
      'y.ts': 'export interface Given { readonly n?: number }',
    };
    const read = (path: string): Source | undefined =>
      files[path] === undefined ? undefined : sample(path, files[path]);
    const entry = sample('index.ts', `export { f, maker, size, A as B } from './x.js';\nexport * from 'z';`);
    expect(apiReport(entry, read)).toMatchInlineSnapshot(`
      "export * from 'z';

      // as B
      export class A {
          constructor(private readonly d: string) { }
          get(given: Given): string { }
      }

      export function f(a: string): void;

      export const maker = (name: string): A => new A(name);

      export const size = 3;

      // Not exported, and named above.

      export interface Given {
          readonly n?: number;
      }
      "
    `);
    files['y.ts'] = 'export interface Given { readonly n?: string }';
    expect(apiReport(entry, read)).toContain('n?: string');
  });

  it('another package may be re-exported as a whole, and an entry point may load what it needs', () => {
    const entry = sample('index.ts', `import 'reflect-metadata';\nexport * from '@warren/amqp';`);
    expect(exportRule(entry)).toEqual([]);
    expect(apiReport(entry)).toBe("export * from '@warren/amqp';\n");
  });

  it('an entry point that exports everything, or does something itself, is found', () => {
    expect(exportRule(sample('index.ts', `export * from './x.js';\nexport const a = 1;`))).toHaveLength(2);
  });
});
