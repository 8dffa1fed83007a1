// What a package exports is a promise. The lists in public-api/ are that promise: a name that comes or goes shows up in
// the review as a changed line. After a change that is meant: `UPDATE_PUBLIC_API=1 npm test -- --only architecture/public-api`.
import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { type Source, root, sample } from './sources.js';

/** Names that an entry point exports, sorted; types are marked, and so is another package that is passed on as a whole. */
function names(entry: Source): string[] {
  const found = entry.ast.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement)) return [];
    if (!statement.exportClause) return [`* of ${moduleOf(statement)}`];
    if (!ts.isNamedExports(statement.exportClause)) return [statement.exportClause.name.text];
    return statement.exportClause.elements.map(
      (each) => `${statement.isTypeOnly || each.isTypeOnly ? 'type ' : ''}${each.name.text}`,
    );
  });
  return found.sort((a, b) => plain(a).localeCompare(plain(b), 'en'));
}

const moduleOf = (node: ts.ExportDeclaration): string => (node.moduleSpecifier as ts.StringLiteral).text;

const plain = (name: string): string => name.replace('type ', '');

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
  it.each(all)('%s exports what its list says', (list, path) => {
    const file = join(root, 'test/architecture/public-api', `${list}.txt`);
    const now = names(sample(path, readFileSync(join(root, path), 'utf8')));
    if (process.env.UPDATE_PUBLIC_API) writeFileSync(file, now.join('\n') + '\n');
    const promised = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
    expect(now).toEqual(promised);
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

  it('a new name changes the list, and types are told from values', () => {
    const entry = sample(
      'index.ts',
      `export { b, type a } from './x.js';\nexport type { C as D } from './y.js';`,
    );
    expect(names(entry)).toEqual(['type a', 'b', 'type D']);
  });

  it('another package may be re-exported as a whole, and an entry point may load what it needs', () => {
    const entry = sample('index.ts', `import 'reflect-metadata';\nexport * from '@warren/amqp';`);
    expect(exportRule(entry)).toEqual([]);
    expect(names(entry)).toEqual(['* of @warren/amqp']);
  });

  it('an entry point that exports everything, or does something itself, is found', () => {
    expect(exportRule(sample('index.ts', `export * from './x.js';\nexport const a = 1;`))).toHaveLength(2);
  });
});
