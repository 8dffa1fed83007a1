// What users of a package can write against: every exported declaration with its signature, without bodies, comments and
// private members; then the types that these name and that are not exported. Read from the sources, without a type
// checker: exported functions and methods state their types, which lint demands.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { type Source, root, sample } from './sources.js';

/** Reads a source by its path from the root; undefined when there is none. */
export type Read = (path: string) => Source | undefined;

/** Where a name is declared, after all re-exports. */
interface Found {
  readonly source: Source;
  readonly name: string;
  readonly declarations: readonly ts.Statement[];
}

const cache = new Map<string, Source | undefined>();

/** Reads from the tree. */
export const fromTree: Read = (path) => {
  if (!cache.has(path)) {
    const file = join(root, path);
    cache.set(path, existsSync(file) ? sample(path, readFileSync(file, 'utf8')) : undefined);
  }
  return cache.get(path);
};

/** The report of an entry point, one paragraph for each name, sorted by name. */
export function apiReport(entry: Source, read: Read = fromTree): string {
  const shown = new Map<string, string>();
  const named: Found[] = [];
  for (const { as, from, isType } of exportsOf(entry)) {
    if (as === undefined) {
      shown.set(`* ${from}`, `export * from '${from}';`);
      continue;
    }
    const found = resolve(entry, as, read);
    if (!found) {
      shown.set(as, `export { ${as} } from '${from}';`);
      continue;
    }
    const renamed = found.name === as ? '' : `// as ${as}\n`;
    const erased = isType && found.declarations.some(ts.isClassDeclaration) ? '// type only\n' : '';
    shown.set(as, renamed + erased + print(found));
    named.push(found);
  }
  const inside = referenced(named, read);
  const parts = [sorted(shown)];
  if (inside.size > 0) parts.push('// Not exported, and named above.', sorted(inside));
  return parts.join('\n\n') + '\n';
}

const sorted = (shown: ReadonlyMap<string, string>): string =>
  [...shown]
    .sort(([one], [other]) => one.localeCompare(other, 'en'))
    .map(([, text]) => text)
    .join('\n\n');

interface Exported {
  /** Undefined for `export *`. */
  readonly as: string | undefined;
  readonly from: string;
  readonly isType: boolean;
}

function exportsOf(entry: Source): readonly Exported[] {
  return entry.ast.statements.filter(ts.isExportDeclaration).flatMap((statement): readonly Exported[] => {
    const from = (statement.moduleSpecifier as ts.StringLiteral).text;
    const clause = statement.exportClause;
    if (!clause || !ts.isNamedExports(clause)) return [{ as: undefined, from, isType: false }];
    return clause.elements.map((each) => ({
      as: each.name.text,
      from,
      isType: statement.isTypeOnly || each.isTypeOnly,
    }));
  });
}

/** Follows re-exports and imports to where `name` is declared; undefined when that is in another package. */
function resolve(source: Source, name: string, read: Read): Found | undefined {
  const declarations = source.ast.statements.filter((statement) => namesOf(statement).includes(name));
  if (declarations.length > 0) return { source, name, declarations };
  for (const statement of source.ast.statements) {
    const specifier = specifierOf(statement, name);
    if (!specifier) continue;
    const from = (statement as ts.ImportDeclaration | ts.ExportDeclaration).moduleSpecifier;
    if (!from || !ts.isStringLiteral(from) || !from.text.startsWith('.')) return undefined;
    const file = join(dirname(source.path), from.text).replace(/\.js$/, '.ts');
    const next = read(file);
    return next && resolve(next, (specifier.propertyName ?? specifier.name).text, read);
  }
  return undefined;
}

function specifierOf(
  statement: ts.Statement,
  name: string,
): ts.ImportSpecifier | ts.ExportSpecifier | undefined {
  const bindings = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : ts.isExportDeclaration(statement)
      ? statement.exportClause
      : undefined;
  if (!bindings || !(ts.isNamedImports(bindings) || ts.isNamedExports(bindings))) return undefined;
  return [...bindings.elements].find((each) => each.name.text === name);
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  const isNamed =
    ts.isClassDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement);
  return isNamed && statement.name ? [statement.name.text] : [];
}

/** Declarations that signatures name and that are not among those, by name and file. */
function referenced(found: readonly Found[], read: Read): Map<string, string> {
  const idOf = ({ name, source }: Found): string => `${name} ${source.path}`;
  const known = new Set(found.map(idOf));
  const texts = new Map<string, string>();
  const waiting = [...found];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    for (const name of typesIn(next)) {
      const other = resolve(next.source, name, read);
      // A class that is not exported is opaque: nobody can make one or name it.
      if (!other || known.has(idOf(other)) || other.declarations.some(ts.isClassDeclaration)) continue;
      known.add(idOf(other));
      texts.set(idOf(other), print(other));
      waiting.push(other);
    }
  }
  return texts;
}

function typesIn({ declarations }: Found): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isTypeReferenceNode(node)) names.add(leftmost(node.typeName));
    if (ts.isTypeQueryNode(node)) names.add(leftmost(node.exprName));
    if (ts.isExpressionWithTypeArguments(node) && ts.isIdentifier(node.expression))
      names.add(node.expression.text);
    ts.forEachChild(node, visit);
  };
  for (const each of declarations.map(signature)) if (each) visit(each);
  return names;
}

const leftmost = (name: ts.EntityName): string => (ts.isIdentifier(name) ? name.text : leftmost(name.left));

const printer = ts.createPrinter({ removeComments: true });

function print({ source, declarations }: Found): string {
  const overloaded = declarations.filter(ts.isFunctionDeclaration).length > 1;
  return declarations
    .filter((each) => !(overloaded && ts.isFunctionDeclaration(each) && each.body))
    .map(signature)
    .map((each) => printer.printNode(ts.EmitHint.Unspecified, each, source.ast))
    .join('\n');
}

/** The declaration without what only its own file can see. */
function signature(declaration: ts.Statement): ts.Statement {
  const { transformed } = ts.transform(declaration, [
    (context) => (node) => strip(node, context) as ts.Statement,
  ]);
  return transformed[0];
}

function strip(node: ts.Node, context: ts.TransformationContext): ts.Node {
  const { factory } = context;
  const inner = (child: ts.Node): ts.Node | undefined =>
    ts.isClassElement(child) && isHidden(child) ? undefined : strip(child, context);
  const stripped = ts.visitEachChild(node, inner, context);
  if (ts.isBlock(stripped) && node.parent && ts.isFunctionLike(node.parent)) return factory.createBlock([]);
  if (ts.isPropertyDeclaration(stripped) && stripped.type)
    return factory.updatePropertyDeclaration(
      stripped,
      stripped.modifiers,
      stripped.name,
      stripped.questionToken ?? stripped.exclamationToken,
      stripped.type,
      undefined,
    );
  if (ts.isVariableDeclaration(stripped) && stripped.type)
    return factory.updateVariableDeclaration(stripped, stripped.name, undefined, stripped.type, undefined);
  return stripped;
}

/** Private, or the body behind overloads. */
function isHidden(member: ts.ClassElement): boolean {
  if (ts.isClassStaticBlockDeclaration(member)) return true;
  if (member.name && ts.isPrivateIdentifier(member.name)) return true;
  if ((ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0) return true;
  if (!ts.isMethodDeclaration(member) || !member.body || !ts.isClassDeclaration(member.parent)) return false;
  const name = member.name.getText();
  return member.parent.members.filter((other) => other.name?.getText() === name).length > 1;
}
