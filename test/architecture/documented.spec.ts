// What a user can import says what it is: every name that an entry point exports has a doc comment where it is declared.
import { describe, expect, it } from '@jest/globals';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { type Source, librarySources, sample } from './sources.js';

/** Sentences for the names of `entry` that are declared in `files` without a doc comment. */
function documentedRule(entry: Source, files: ReadonlyMap<string, Source>): string[] {
  return exportsOf(entry).flatMap(([name, from]) => {
    const found = declaration(entry, from, name, files);
    if (found === undefined) return [`${entry.path} exports ${name}, which is not declared in ${from}`];
    if (found === 'elsewhere' || found.some((node) => ts.getJSDocCommentsAndTags(node).length > 0)) return [];
    return [`${name} (exported by ${entry.path}) has no doc comment`];
  });
}

/** Name where it is declared, and the module it comes from. */
function exportsOf(file: Source): [name: string, from: string][] {
  return file.ast.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) return [];
    if (!statement.exportClause || !ts.isNamedExports(statement.exportClause)) return [];
    const from = (statement.moduleSpecifier as ts.StringLiteral).text;
    return statement.exportClause.elements.map((each): [string, string] => [
      (each.propertyName ?? each.name).text,
      from,
    ]);
  });
}

function declaration(
  at: Source,
  from: string,
  name: string,
  files: ReadonlyMap<string, Source>,
): readonly ts.Node[] | 'elsewhere' | undefined {
  if (!from.startsWith('.')) return 'elsewhere';
  const file = files.get(join(dirname(at.path), from).replace(/\.js$/, '.ts'));
  if (file === undefined) return undefined;
  const found = file.ast.statements.filter((statement) => namesOf(statement).includes(name));
  if (found.length > 0) return found;
  const next = exportsOf(file).find(([each]) => each === name);
  return next && declaration(file, next[1], name, files);
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((each) => each.name.getText());
  }
  const named = statement as ts.Statement & { readonly name?: ts.Node };
  return named.name === undefined ? [] : [named.name.getText()];
}

const byPath = (files: readonly Source[]): ReadonlyMap<string, Source> =>
  new Map(files.map((source) => [source.path, source]));

describe('documented', () => {
  const files = byPath(librarySources());
  const entries = [...files.values()].filter(({ path }) => path.endsWith('/index.ts'));

  it.each(entries.map(({ path }) => path))('every name that %s exports has a doc comment', (path) => {
    expect(documentedRule(files.get(path)!, files)).toEqual([]);
  });

  it('a name without a comment is found, through other files too', () => {
    const entry = sample('index.ts', `export { a, b as c, type D } from './x.js'; export { e } from 'else';`);
    const good = [
      sample('x.ts', `/** A. */ export const a = 1; export { b } from './y.js'; export interface D {}`),
    ];
    const all = byPath([entry, ...good, sample('y.ts', `export function b() {}`)]);
    expect(documentedRule(entry, all)).toEqual([
      'b (exported by index.ts) has no doc comment',
      'D (exported by index.ts) has no doc comment',
    ]);
  });
});
