// What a user can import says what it is: every name that an entry point exports has a doc comment where it is declared,
// and so has every option, which is what an editor shows to somebody who writes it.
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { type Source, librarySources, root, sample } from './sources.js';

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
  const found = declaredIn(file, name);
  if (found.length > 0) return found;
  const next = exportsOf(file).find(([each]) => each === name);
  return next && declaration(file, next[1], name, files);
}

/** Sentences for the options of `entry` without a doc comment: members of `...Options`, and of the types that these name. */
function optionsRule(entry: Source, files: ReadonlyMap<string, Source>): string[] {
  const wrong: string[] = [];
  const seen = new Set<ts.Node>();
  const read = (at: Source, from: string | undefined, name: string): void => {
    const found = from === undefined ? declaredIn(at, name) : declaration(at, from, name, files);
    if (!Array.isArray(found)) return;
    for (const node of found as ts.Statement[]) {
      if (seen.has(node) || !(ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))) continue;
      seen.add(node);
      const source = files.get(node.getSourceFile().fileName)!;
      ts.forEachChild(node, (each) => look(each, source, name));
    }
  };
  const look = (node: ts.Node, source: Source, path: string): void => {
    const member = ts.isPropertySignature(node) || ts.isMethodSignature(node);
    const here = member ? `${path}.${node.name.getText()}` : path;
    if (member && ts.getJSDocCommentsAndTags(node).length === 0) {
      wrong.push(`${source.path}: ${here} has no doc comment`);
    }
    // What is passed to a function is not written by hand.
    if (ts.isFunctionTypeNode(node) || ts.isMethodSignature(node)) return;
    if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
      const name = (ts.isTypeReferenceNode(node) ? node.typeName : node.expression).getText();
      read(source, importedFrom(source, name), name);
    }
    ts.forEachChild(node, (each) => look(each, source, here));
  };
  for (const [name, from] of exportsOf(entry)) if (/Options?$/.test(name)) read(entry, from, name);
  return wrong;
}

const declaredIn = (file: Source, name: string): ts.Statement[] =>
  file.ast.statements.filter((statement) => namesOf(statement).includes(name));

function importedFrom(file: Source, name: string): string | undefined {
  for (const statement of file.ast.statements) {
    if (!ts.isImportDeclaration(statement)) continue;
    const named = statement.importClause?.namedBindings;
    if (named && ts.isNamedImports(named) && named.elements.some((each) => each.name.text === name))
      return (statement.moduleSpecifier as ts.StringLiteral).text;
  }
  return undefined;
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((each) => each.name.getText());
  }
  const named = statement as ts.Statement & { readonly name?: ts.Node };
  return named.name === undefined ? [] : [named.name.getText()];
}

/** Members of an interface, or of a class what plugins may use of it. */
function membersOf(file: Source, name: string): string[] {
  const found = declaredIn(file, name)[0] as ts.InterfaceDeclaration | ts.ClassDeclaration;
  const all: readonly (ts.TypeElement | ts.ClassElement)[] = found.members;
  return all.flatMap((member) => {
    const comments = ts.getJSDocCommentsAndTags(member).map((each) => ts.getTextOfJSDocComment(each.comment));
    if (!member.name || ts.isPrivateIdentifier(member.name) || /^For the pipeline/.test(comments.join()))
      return [];
    const { modifiers } = member as ts.PropertySignature;
    return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
      ? []
      : [member.name.getText()];
  });
}

const byPath = (files: readonly Source[]): ReadonlyMap<string, Source> =>
  new Map(files.map((source) => [source.path, source]));

describe('documented', () => {
  const files = byPath(librarySources());
  const entries = [...files.values()].filter(({ path }) => path.endsWith('/index.ts'));

  it.each(entries.map(({ path }) => path))('every name that %s exports has a doc comment', (path) => {
    expect(documentedRule(files.get(path)!, files)).toEqual([]);
  });

  it.each(entries.map(({ path }) => path))('every option of %s has a doc comment', (path) => {
    expect(optionsRule(files.get(path)!, files)).toEqual([]);
  });

  it('docs/plugins.md names every member of what plugins are and of what they are given', () => {
    const page = readFileSync(join(root, 'docs/plugins.md'), 'utf8').replace(/```.*?```/gs, '');
    const words = new Set(page.match(/`[^`]+`/g)?.flatMap((code) => code.match(/\w+/g)));
    const plugin = files.get('libs/amqp/src/plugins/plugin.ts')!;
    const interfaces = plugin.ast.statements.filter(ts.isInterfaceDeclaration).map(({ name }) => name.text);
    const members = interfaces.flatMap((name) => membersOf(plugin, name).map((each) => `${name}.${each}`));
    // How a handler settles, and what the library itself notes about a delivery.
    const others = new Set(['ack', 'reject', 'retry', 'run', 'call']);
    const delivery = membersOf(files.get('libs/amqp/src/message/delivery.ts')!, 'Delivery')
      .filter((each) => !others.has(each))
      .map((each) => `Delivery.${each}`);
    expect(members.length).toBeGreaterThan(45);
    expect(delivery.length).toBeGreaterThan(12);
    expect([...members, ...delivery].filter((each) => !words.has(each.split('.')[1]))).toEqual([]);
  });

  it('an option without a comment is found, in types that options name too', () => {
    const entry = sample('index.ts', `export { type AOptions, type Other } from './x.js';`);
    const all = byPath([
      entry,
      sample(
        'x.ts',
        `import type { B } from './y.js';
        interface Most { readonly most?: number }
        export interface AOptions extends Omit<Most, 'least'> {
          /** Said. */ readonly said: { readonly inside: B };
          readonly not?: () => void;
        }
        export interface Other { readonly b: number }`,
      ),
      sample(
        'y.ts',
        `export type B = {
        /** C. */ readonly c: B } | { readonly d: string };`,
      ),
    ]);
    expect(optionsRule(entry, all)).toEqual([
      'x.ts: Most.most has no doc comment',
      'x.ts: AOptions.said.inside has no doc comment',
      'y.ts: B.d has no doc comment',
      'x.ts: AOptions.not has no doc comment',
    ]);
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
