// Edits of TypeScript sources: an import, an element in the metadata of a module, a statement of main.ts. The syntax tree
// says where; everything else of the file stays as it is.

import type * as TypeScript from 'typescript';
import type { Compiler } from './project.js';

/** An array in the metadata of a module. */
export type ModulePart = 'imports' | 'controllers' | 'providers';

/** What a file imports. */
export interface ImportedName {
  readonly name: string;
  readonly from: string;
}

const parse = (ts: Compiler, text: string): TypeScript.SourceFile =>
  ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true);

const inserted = (text: string, at: number, what: string): string =>
  `${text.slice(0, at)}${what}${text.slice(at)}`;

const lineBreak = (text: string): string => (text.includes('\r\n') ? '\r\n' : '\n');

/** The white space before a node on its line. */
function indentOf(text: string, node: TypeScript.Node): string {
  const start = text.lastIndexOf('\n', node.getStart() - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start))?.[0] ?? '';
}

/** The text with `import { name } from 'from'`, once. */
export function withImport(ts: Compiler, text: string, { name, from }: ImportedName): string {
  const file = parse(ts, text);
  const declarations = file.statements.filter(ts.isImportDeclaration);
  const lists = declarations.flatMap(({ importClause: clause, moduleSpecifier }) => {
    const names = clause?.namedBindings;
    const isNamed = (moduleSpecifier as TypeScript.StringLiteral).text === from && names;
    return isNamed && ts.isNamedImports(names) ? [{ clause, names }] : [];
  });
  for (const { clause, names } of lists) {
    const own = names.elements.find((element) => element.name.text === name);
    if (own) return withValue(text, clause, names, own);
  }
  for (const { clause, names } of lists) {
    const last = names.elements.at(-1);
    if (last && !clause.isTypeOnly) return inserted(text, last.end, `, ${name}`);
  }
  const last = declarations.at(-1);
  const quote = last?.moduleSpecifier.getText()[0] ?? "'";
  const line = `import { ${name} } from ${quote}${from}${quote};`;
  return last
    ? inserted(text, last.end, `${lineBreak(text)}${line}`)
    : inserted(text, 0, `${line}${lineBreak(text)}`);
}

/** The text in which this name is no longer imported as a type only; the others of its list are what they were. */
function withValue(
  text: string,
  clause: TypeScript.ImportClause,
  names: TypeScript.NamedImports,
  own: TypeScript.ImportSpecifier,
): string {
  const without = (at: number, end: number): string => `${text.slice(0, at)}${text.slice(end)}`;
  if (own.isTypeOnly) return without(own.getStart(), (own.propertyName ?? own.name).getStart());
  if (!clause.isTypeOnly) return text;
  // Only such a list can have `type` before its names.
  const list = names.elements
    .filter((each) => each !== own)
    .reduceRight((all, each) => inserted(all, each.getStart(), 'type '), text);
  return `${list.slice(0, clause.getStart())}${list.slice(names.getStart())}`;
}

/** The names of what a module lists there; undefined when the file has no module, or a list that is no array. */
export function listed(ts: Compiler, text: string, part: ModulePart): string[] | undefined {
  const metadata = metadataOf(ts, parse(ts, text));
  if (metadata === undefined) return undefined;
  const array = arrayOf(ts, metadata, part);
  if (array === 'none') return [];
  return array?.elements.map((element) => /^[\w$]+/.exec(element.getText())?.[0] ?? '');
}

/** The text with one more element in the metadata of its module; undefined when that cannot be edited. */
export function withElement(
  ts: Compiler,
  text: string,
  part: ModulePart,
  element: string,
): string | undefined {
  const metadata = metadataOf(ts, parse(ts, text));
  const array = metadata && arrayOf(ts, metadata, part);
  if (metadata === undefined || array === undefined) return undefined;
  const newLine = lineBreak(text);
  if (array === 'none') {
    const [first] = metadata.properties;
    const indent = first ? indentOf(text, first) : '  ';
    const after = first?.getFullText().includes('\n') ? '' : newLine;
    return inserted(text, metadata.getStart() + 1, `${newLine}${indent}${part}: [${element}],${after}`);
  }
  const indent = indentOf(text, array);
  const last = array.elements.at(-1);
  const isSpread = last !== undefined && indentOf(text, last) !== indent;
  if (isSpread) {
    const own = indentOf(text, last);
    return inserted(text, last.end, `,${newLine}${own}${indented(element, own)}`);
  }
  const inline = inserted(text, last?.end ?? array.getStart() + 1, `${last ? ', ' : ''}${element}`);
  // `  imports: [A, B],`
  const separators = last ? ': , ,' : ': ,';
  const width = `${indent}${part}${array.getText()}${element}${separators}`.length;
  // A comment would be lost.
  if ((!element.includes('\n') && width <= WIDTH) || /\/[/*]/.test(array.getText())) return inline;
  const lines = [...array.elements.map((each) => each.getText()), element]
    .map((each) => `${indent}  ${indented(each, `${indent}  `)},${newLine}`)
    .join('');
  return `${text.slice(0, array.getStart())}[${newLine}${lines}${indent}]${text.slice(array.end)}`;
}

/** What Prettier breaks lines at by default. */
const WIDTH = 80;

const indented = (element: string, indent: string): string => element.replace(/\n/g, `\n${indent}`);

/** The object in `@Module({ ... })`. */
function metadataOf(
  ts: Compiler,
  file: TypeScript.SourceFile,
): TypeScript.ObjectLiteralExpression | undefined {
  for (const statement of file.statements) {
    if (!ts.isClassDeclaration(statement)) continue;
    for (const { expression } of ts.getDecorators(statement) ?? []) {
      if (!ts.isCallExpression(expression) || expression.expression.getText() !== 'Module') continue;
      const [metadata] = expression.arguments;
      if (metadata && ts.isObjectLiteralExpression(metadata)) return metadata;
    }
  }
  return undefined;
}

function arrayOf(
  ts: Compiler,
  metadata: TypeScript.ObjectLiteralExpression,
  part: ModulePart,
): TypeScript.ArrayLiteralExpression | 'none' | undefined {
  const property = metadata.properties.find((each) => each.name?.getText() === part);
  if (property === undefined) return 'none';
  const isArray = ts.isPropertyAssignment(property) && ts.isArrayLiteralExpression(property.initializer);
  return isArray ? property.initializer : undefined;
}

/** What is said to start an application: `NestFactory.create(<module>)`. */
export interface Bootstrap {
  readonly module: string;
  /** Where the module is imported from; undefined when it is declared in this file. */
  readonly from: string | undefined;
  /** Its variable, in `const app = await NestFactory.create(...)`; undefined when it is used in another way. */
  readonly application: Application | undefined;
}

interface Application {
  readonly variable: string;
  /** Where the statement ends. */
  readonly end: number;
  readonly indent: string;
}

/** How a main.ts starts its application; undefined when it does so in another way. */
export function bootstrapOf(ts: Compiler, text: string): Bootstrap | undefined {
  const file = parse(ts, text);
  const imports = file.statements.filter(ts.isImportDeclaration);
  let found: Bootstrap | undefined;
  const visit = (node: TypeScript.Node): void => {
    const [module] =
      ts.isCallExpression(node) && /^NestFactory\.create/.test(node.expression.getText())
        ? node.arguments
        : [];
    if (!module || found) return ts.forEachChild(node, visit);
    const name = module.getText();
    const from = imports.find(({ importClause }) =>
      importClause
        ?.getText()
        .match(/[\w$]+/g)
        ?.includes(name),
    );
    found = {
      module: name,
      from: (from?.moduleSpecifier as TypeScript.StringLiteral | undefined)?.text,
      application: applicationOf(ts, text, node),
    };
  };
  visit(file);
  return found;
}

/** Where what this call resolves with is the value of a variable. */
function applicationOf(ts: Compiler, text: string, call: TypeScript.Node): Application | undefined {
  let [value, isAwaited] = [call.parent, false];
  for (; isAround(ts, value); value = value.parent) isAwaited ||= ts.isAwaitExpression(value);
  if (!isAwaited || !ts.isVariableDeclaration(value) || !ts.isIdentifier(value.name)) return undefined;
  const statement = value.parent.parent;
  if (!ts.isVariableStatement(statement)) return undefined;
  return { variable: value.name.text, end: statement.end, indent: indentOf(text, statement) };
}

const isAround = (ts: Compiler, node: TypeScript.Node): boolean =>
  ts.isAwaitExpression(node) ||
  ts.isParenthesizedExpression(node) ||
  ts.isAsExpression(node) ||
  ts.isSatisfiesExpression(node);

/** The text of a main.ts whose application ends gracefully on SIGTERM; undefined when it has to be written by hand. */
export function withShutdownHooks(ts: Compiler, text: string): string | undefined {
  if (text.includes('enableShutdownHooks')) return text;
  const application = bootstrapOf(ts, text)?.application;
  if (!application) return undefined;
  const { variable, end, indent } = application;
  return inserted(text, end, `${lineBreak(text)}${indent}${variable}.enableShutdownHooks();`);
}
