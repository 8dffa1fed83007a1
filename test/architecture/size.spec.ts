// Sizes that one can look over: a file of at most 400 lines, a function of at most 50, a class of at most 20 public
// members. And nothing that only makes them: no file of less than 40 lines that one other imports, no literal spread into
// another one to save lines.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { type Source, imports, librarySources, lineOf, nodes, sample, shippedSources } from './sources.js';

const limits = { file: 400, function: 50, members: 20, splinter: 40 };

function fileRule(files: readonly Source[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = linesOf(text);
    return lines > limits.file ? [`${path} has ${lines} lines, at most ${limits.file} are allowed`] : [];
  });
}

const linesOf = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

/** An index lists what is public: its imports say nothing about who shares a file. */
function splinterRule(files: readonly Source[]): string[] {
  const importers = new Map<string, Set<string>>();
  for (const { file, from } of files.filter(({ path }) => !isEntry(path)).flatMap(imports))
    if (file !== undefined) importers.set(file, (importers.get(file) ?? new Set()).add(from));
  return files.flatMap(({ path, text }) => {
    const [only, ...others] = importers.get(path) ?? [];
    if (only === undefined || others.length > 0 || linesOf(text) >= limits.splinter) return [];
    return [`${path} has ${linesOf(text)} lines and only ${only} imports it: it belongs there`];
  });
}

const isEntry = (path: string): boolean => /(^|\/)index\.ts$/.test(path);

function functionRule(files: readonly Source[]): string[] {
  return files.flatMap((source) =>
    nodes(source).flatMap((node) => {
      if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return [];
      const first = lineOf(source, node);
      const lines = source.ast.getLineAndCharacterOfPosition(node.end).line + 2 - first;
      if (lines <= limits.function) return [];
      return [
        `${source.path}:${first} ${nameOf(node)} has ${lines} lines, at most ${limits.function} are allowed`,
      ];
    }),
  );
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const name = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return name === undefined ? 'a function' : name.getText();
}

function memberRule(files: readonly Source[]): string[] {
  return files.flatMap((source) =>
    nodes(source).flatMap((node) => {
      if (!ts.isClassDeclaration(node)) return [];
      const names = new Set(node.members.filter(isPublic).map((member) => member.name?.getText()));
      if (names.size <= limits.members) return [];
      const name = node.name?.text ?? 'a class';
      return [
        `${source.path}:${lineOf(source, node)} ${name} has ${names.size} public members, at most ${limits.members}`,
      ];
    }),
  );
}

function isPublic(member: ts.ClassElement): boolean {
  if (member.name === undefined || ts.isPrivateIdentifier(member.name)) return false;
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return (ts.getCombinedModifierFlags(member) & hidden) === 0;
}

function spreadRule(files: readonly Source[]): string[] {
  return files.flatMap((source) =>
    nodes(source)
      .filter(ts.isSpreadAssignment)
      .filter(({ expression }) => ts.isObjectLiteralExpression(expression))
      .map((node) => `${source.path}:${lineOf(source, node)} spreads a literal into a literal`),
  );
}

describe('size', () => {
  it('no file of the libraries, the applications and the tools is too long', () => {
    expect(fileRule(shippedSources())).toEqual([]);
  });

  it('no short file of the libraries is there for one other file only', () => {
    expect(splinterRule(librarySources())).toEqual([]);
  });

  it('no literal is spread into a literal', () => {
    expect(spreadRule(shippedSources())).toEqual([]);
    const golf = sample('a.ts', 'const x = { ...{ a, b }, c };');
    expect(spreadRule([golf])).toEqual(['a.ts:1 spreads a literal into a literal']);
    expect(spreadRule([sample('a.ts', 'const x = { ...a, ...(b && { c }) };')])).toEqual([]);
  });

  it('no function is too long', () => {
    expect(functionRule(shippedSources())).toEqual([]);
  });

  it('no class of the libraries shows too much', () => {
    expect(memberRule(librarySources())).toEqual([]);
  });

  it('a file of 401 lines is too long, one of 400 is not', () => {
    expect(fileRule([sample('a.ts', '\n'.repeat(401))])).toEqual([
      'a.ts has 401 lines, at most 400 are allowed',
    ]);
    expect(fileRule([sample('a.ts', '\n'.repeat(400))])).toEqual([]);
  });

  it('a file of 39 lines that one other imports is a splinter; with 40 lines or a second importer it is not', () => {
    const use = (path: string): Source => sample(path, `import { x } from './x.js';`);
    const short = sample('x.ts', '\n'.repeat(39));
    expect(splinterRule([short, use('a.ts'), use('index.ts')])).toEqual([
      'x.ts has 39 lines and only a.ts imports it: it belongs there',
    ]);
    expect(splinterRule([short, use('a.ts'), use('b.ts')])).toEqual([]);
    expect(splinterRule([sample('x.ts', '\n'.repeat(40)), use('a.ts')])).toEqual([]);
    expect(splinterRule([short, use('index.ts')])).toEqual([]);
  });

  it('functions, methods, constructors and arrows of 51 lines are too long', () => {
    const body = `{${'\n'.repeat(50)}}`;
    const bad = [
      `function f() ${body}`,
      `class C { m() ${body} }`,
      `class C { constructor() ${body} }`,
      `const g = () => ${body};`,
    ];
    expect(bad.flatMap((text) => functionRule([sample('a.ts', text)]))).toEqual(
      ['f', 'm', 'constructor', 'g'].map((name) => `a.ts:1 ${name} has 51 lines, at most 50 are allowed`),
    );
    expect(functionRule([sample('a.ts', `function f() {${'\n'.repeat(49)}}`)])).toEqual([]);
  });

  it('a class with 21 public members shows too much; private ones and overloads do not count', () => {
    const many = Array.from({ length: 21 }, (_, i) => `m${i}() {}`);
    expect(memberRule([sample('a.ts', `class C { ${many.join(' ')} }`)])).toHaveLength(1);
    const hidden = [...many.slice(0, 20), '#a = 1;', 'private b = 2;', 'm0(): void;'];
    expect(memberRule([sample('a.ts', `class C { ${hidden.join(' ')} }`)])).toEqual([]);
  });
});
