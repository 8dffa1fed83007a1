// The architecture rules look at source text, not at running code. This is what they all start from: the files of the
// tree, parsed once, with their imports. A rule takes such files and returns sentences about what is wrong, so
// that a test can show it a bad sample as easily as the tree itself.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export interface Source {
  /** From the root of the tree, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly ast: ts.SourceFile;
}

export interface Import {
  readonly from: string;
  /** As written. */
  readonly name: string;
  /** Path of the file meant, when the import is relative. */
  readonly file: string | undefined;
  /** Whether it is about types only, and gone when the program runs. */
  readonly erased: boolean;
  readonly line: number;
}

const foreign = new Set(['node_modules', 'dist', '.dist', '.git', 'coverage']);

/** Paths of all files of the tree that are ours, sorted. */
export function files(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !foreign.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? files(path) : [relative(root, path).split(sep).join('/')];
    })
    .sort();
}

/** Parses a piece of text as if it stood at `path`: for samples, and for real files. */
export function sample(path: string, text: string): Source {
  return { path, text, ast: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) };
}

export const isTest = (path: string): boolean => path.startsWith('test/') || path.endsWith('.spec.ts');

/** The sources that `wanted` accepts, parsed. */
export function sources(wanted: (path: string) => boolean): Source[] {
  return files()
    .filter((path) => /\.(ts|mts|mjs)$/.test(path) && wanted(path))
    .map((path) => sample(path, readFileSync(join(root, path), 'utf8')));
}

export const librarySources = (): Source[] =>
  sources((path) => /^libs\/[^/]+\/src\//.test(path) && !isTest(path));

export const shippedSources = (): Source[] =>
  sources((path) => /^(libs\/[^/]+\/src|apps|tools)\//.test(path) && !isTest(path));

/** Everything that a file names as a module: `import`, `export from`, `import('x')` as value and as type. */
export function imports(source: Source): Import[] {
  return nodes(source).flatMap((node) => {
    const name = moduleName(node);
    if (name === undefined) return [];
    const file = name.startsWith('.') ? join(dirname(source.path), name).replace(/\.js$/, '.ts') : undefined;
    return [{ from: source.path, name, file, erased: isErased(node), line: lineOf(source, node) }];
  });
}

function isErased(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false;
  const { isTypeOnly, name, namedBindings } = node.importClause;
  if (isTypeOnly) return true;
  const listed =
    namedBindings !== undefined && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
  return name === undefined && listed.length > 0 && listed.every((each) => each.isTypeOnly);
}

function moduleName(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literal(node.moduleSpecifier);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return literal(node.argument.literal);
  if (!ts.isCallExpression(node)) return undefined;
  const called = node.expression;
  const loads =
    called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === 'require');
  return loads ? literal(node.arguments[0]) : undefined;
}

const literal = (node: ts.Node | undefined): string | undefined =>
  node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;

/** Every node of a file, from the top down. */
export function nodes(source: Source): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(source.ast);
  return found;
}

export const lineOf = (source: Source, node: ts.Node): number =>
  source.ast.getLineAndCharacterOfPosition(node.getStart(source.ast)).line + 1;
