// One module as ESM and as CommonJS, nearly word for word the same: exports stand in a list at the end, and CommonJS has
// `const { a } = require('x')` in place of `import { a } from 'x'`. npm packs the two one behind the other, and of the
// second only what differs costs bytes. TypeScript's own CommonJS, with `(0, x_1.a)(...)` at each use, takes twice as much,
// and is harder to read in a stack trace.

/** @typedef {typeof import('typescript')} TypeScript */
/** @typedef {import('typescript').Node} Node */
/** @typedef {{ from: number, to: number, esm: string, cjs: string }} Edit what stands there, in each format */
/** @typedef {{ name: string, local: string }} Name what others call it, and what the module does */

/**
 * What TypeScript wrote as ESM, without comments, in both formats. A module that does more than import and export by name
 * stays as TypeScript writes it. So does one with a dynamic import: Jest runs no `import()` in CommonJS.
 *
 * @param {TypeScript} ts
 * @param {string} text
 * @returns {{ esm: string, cjs: string }}
 */
export function inBothFormats(ts, text) {
  const file = ts.createSourceFile('module.js', text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  if (!isPlain(ts, file)) return { esm: text, cjs: byTypeScript(ts, text) };
  const { own, passedOn } = exportsOf(ts, file);
  const [esm, cjs] = /** @type {const} */ (['esm', 'cjs']).map((format) =>
    edited(
      text,
      file.statements.flatMap((each) => editOf(ts, each)),
      format,
    ),
  );
  const [start = ''] = /^#!.*\n/.exec(cjs) ?? [];
  return {
    esm: own.length === 0 ? esm : `${esm}export ${listed(own, ' as ')};\n`,
    cjs: `${start}'use strict';\n${cjs.slice(start.length)}module.exports = ${listed([...passedOn, ...own], ': ')};\n`,
  };
}

/** @param {TypeScript} ts @param {string} text */
function byTypeScript(ts, text) {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

/**
 * What becomes of a statement.
 *
 * @param {TypeScript} ts
 * @param {import('typescript').Statement} statement
 * @returns {Edit[]}
 */
function editOf(ts, statement) {
  const [from, to] = [statement.getStart(), statement.end];
  const given = statement.getText();
  if (ts.isImportDeclaration(statement) || (ts.isExportDeclaration(statement) && statement.moduleSpecifier)) {
    const list = ts.isImportDeclaration(statement)
      ? statement.importClause?.namedBindings
      : statement.exportClause;
    const bound = list && `const ${list.getText().replaceAll(' as ', ': ')} = `;
    return [{ from, to, esm: given, cjs: `${bound ?? ''}require(${statement.moduleSpecifier?.getText()});` }];
  }
  if (ts.isExportDeclaration(statement)) {
    // An empty list says that the file is a module.
    const isEmpty = bindings(ts, statement.exportClause).length === 0;
    return [{ from, to: to + 1, esm: isEmpty ? `${given}\n` : '', cjs: '' }];
  }
  const word = exportWord(ts, statement);
  return word ? [{ from, to: from + 'export '.length, esm: '', cjs: '' }] : [];
}

/** @param {string} text @param {readonly Edit[]} edits @param {'esm' | 'cjs'} format */
function edited(text, edits, format) {
  let result = '';
  let end = 0;
  for (const { from, to, [format]: wanted } of edits) {
    result += text.slice(end, from) + wanted;
    end = to;
  }
  return result + text.slice(end);
}

/** @param {readonly Name[]} names @param {string} between */
function listed(names, between) {
  const all = names.map(({ name, local }) => {
    if (name === local) return name;
    return between === ': ' ? `${name}: ${local}` : `${local}${between}${name}`;
  });
  const line = `{ ${all.join(', ')} }`;
  return line.length > 100 ? `{\n    ${all.join(',\n    ')},\n}` : all.length === 0 ? '{}' : line;
}

/**
 * The exports of a module: what it declares itself, and what it passes on.
 *
 * @param {TypeScript} ts
 * @param {import('typescript').SourceFile} file
 */
function exportsOf(ts, file) {
  /** @type {{ own: Name[], passedOn: Name[] }} */
  const found = { own: [], passedOn: [] };
  for (const each of file.statements) {
    if (ts.isExportDeclaration(each)) {
      const names = bindings(ts, each.exportClause);
      if (each.moduleSpecifier) found.passedOn.push(...names.map(({ name }) => ({ name, local: name })));
      else found.own.push(...names.map(({ name, source }) => ({ name, local: source })));
    } else if (exportWord(ts, each))
      found.own.push(...declared(ts, each).map((name) => ({ name, local: name })));
  }
  return found;
}

/**
 * Whether a module only imports and exports by name, binds each name once, and imports nothing later.
 *
 * @param {TypeScript} ts
 * @param {import('typescript').SourceFile} file
 */
function isPlain(ts, file) {
  const { own, passedOn } = exportsOf(ts, file);
  const imported = file.statements.flatMap((each) =>
    ts.isImportDeclaration(each) ? bindings(ts, each.importClause?.namedBindings) : [],
  );
  const names = file.statements.flatMap((each) => declared(ts, each));
  const bound = [...names, ...passedOn.map(({ name }) => name), ...imported.map(({ name }) => name)];
  if (new Set(bound).size < bound.length) return false;
  if (!own.every(({ local }) => bound.includes(local))) return false;
  if ([...own, ...passedOn].some(({ name }) => name === 'default')) return false;
  if (!file.statements.every((each) => isNamed(ts, each) && isFixed(ts, each, own))) return false;
  /** @type {(node: Node) => boolean} */
  const importsLater = (node) =>
    (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) ||
    (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) ||
    ts.forEachChild(node, importsLater) === true;
  return !importsLater(file);
}

/**
 * Whether what a statement exports has its last value when the module has run. A class with decorators has: it is a
 * variable that gets the decorated one at once.
 *
 * @param {TypeScript} ts
 * @param {import('typescript').Statement} statement
 * @param {readonly Name[]} exported
 */
function isFixed(ts, statement, exported) {
  if (!ts.isVariableStatement(statement)) return true;
  if (statement.declarationList.flags & ts.NodeFlags.Const) return true;
  return statement.declarationList.declarations.every(
    ({ name, initializer }) =>
      (initializer && ts.isClassExpression(initializer)) ||
      !exported.some(({ local }) => local === name.getText()),
  );
}

/**
 * Whether a statement, if it imports or exports, does so by name.
 *
 * @param {TypeScript} ts
 * @param {import('typescript').Statement} statement
 */
function isNamed(ts, statement) {
  if (ts.isExportAssignment(statement)) return false;
  if (ts.isExportDeclaration(statement))
    return statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause);
  if (!ts.isImportDeclaration(statement))
    return !exportWord(ts, statement) || declared(ts, statement).length > 0;
  const { importClause } = statement;
  if (importClause === undefined) return true;
  const { name, namedBindings } = importClause;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false;
  return bindings(ts, namedBindings).every(({ source }) => source !== 'default');
}

/**
 * @param {TypeScript} ts
 * @param {Node | undefined} list of an import or an export
 */
function bindings(ts, list) {
  if (list === undefined || !(ts.isNamedImports(list) || ts.isNamedExports(list))) return [];
  return list.elements.map(({ name, propertyName }) => ({
    name: name.text,
    source: (propertyName ?? name).text,
  }));
}

/**
 * The names that a statement declares; none for a pattern of names.
 *
 * @param {TypeScript} ts
 * @param {import('typescript').Statement} statement
 * @returns {string[]}
 */
function declared(ts, statement) {
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement))
    return statement.name ? [statement.name.text] : [];
  if (!ts.isVariableStatement(statement)) return [];
  const names = statement.declarationList.declarations.map(({ name }) => name);
  return names.every(ts.isIdentifier) ? names.map(({ text }) => text) : [];
}

/** @param {TypeScript} ts @param {import('typescript').Statement} statement */
const exportWord = (ts, statement) =>
  ts.canHaveModifiers(statement) &&
  ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
