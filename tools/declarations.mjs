// The declarations of a package without what nobody can name: what the entry points export stays, what that names in its
// turn, and so on. All else is taken out of the files, and files in which nothing is left go.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @typedef {typeof import('typescript')} TypeScript */
/** @typedef {import('typescript').Node} Node */
/** @typedef {import('typescript').Statement} Statement */
/** @typedef {import('typescript').SourceFile} SourceFile */

/**
 * A name that comes from elsewhere: the file, if it is one of the package, the name there, and the part of a statement
 * that says so. Without a name it is all of the file.
 *
 * @typedef {{ path: string | undefined, name: string | undefined, element: Node }} Link
 */

/**
 * A file by the names in it: those that it declares, those that it imports, those that it exports in lists, and the files
 * that it exports all of; and what of it is needed.
 *
 * @typedef {object} Declarations
 * @property {SourceFile} file
 * @property {Map<string, Statement[]>} declared
 * @property {Map<string, Link>} imported
 * @property {Map<string, Link>} listed
 * @property {string[]} whole
 * @property {Set<Node>} needed
 */

/**
 * Takes out of `files` what `entries`, which are among them, do not lead to.
 *
 * @param {TypeScript} ts
 * @param {readonly string[]} files
 * @param {readonly string[]} entries
 */
export function removeUnreached(ts, files, entries) {
  const reached = new Reached(ts);
  for (const entry of entries) reached.needAll(entry);
  for (const path of files) {
    const left = reached.textOf(path);
    if (left === undefined) rmSync(path);
    else writeFileSync(path, left);
  }
}

/**
 * All that `entry` leads to, in one file: most of a short file of a package is its name and its imports. Undefined where
 * it takes more than to put declarations one after the other: where other packages are imported, or names occur twice.
 *
 * @param {TypeScript} ts
 * @param {string} entry
 */
export function inOneFile(ts, entry) {
  const reached = new Reached(ts);
  reached.needAll(entry);
  return reached.inOne(entry);
}

class Reached {
  /** @type {Map<string, Declarations>} */
  #files = new Map();
  /** @type {TypeScript} */
  #ts;

  /** @param {TypeScript} ts */
  constructor(ts) {
    this.#ts = ts;
  }

  /** @param {string} path */
  needAll(path) {
    const { declared, listed, whole } = this.#read(path);
    for (const name of listed.keys()) this.#need(path, name);
    for (const [name, statements] of declared) if (statements.some(isExported)) this.#need(path, name);
    for (const other of whole) this.needAll(other);
  }

  /**
   * What is needed of a file.
   *
   * @param {string} path
   * @returns {string | undefined}
   */
  textOf(path) {
    const found = this.#files.get(path);
    if (found === undefined || found.needed.size === 0) return undefined;
    const { file, needed } = found;
    const left = file.statements.map((statement) => {
      const list = this.#listOf(statement);
      if (list === undefined) return needed.has(statement) ? statement.getFullText() : '';
      // An empty list says that the file is a module.
      const elements = list.elements.filter((each) => needed.has(each));
      if (elements.length === list.elements.length) return statement.getFullText();
      if (elements.length === 0) return '';
      const [start, end] = [list.getStart() - statement.pos, list.end - statement.pos];
      const given = statement.getFullText();
      const shorter = elements.map((each) => each.getText()).join(', ');
      return `${given.slice(0, start)}{ ${shorter} }${given.slice(end)}`;
    });
    return `${left.join('').trimStart()}\n`;
  }

  /**
   * What is needed of all files, one after the other, with a list at the end of what `entry` exports.
   *
   * @param {string} entry
   * @returns {string | undefined}
   */
  inOne(entry) {
    const ts = this.#ts;
    /** @type {Map<string, SourceFile>} */
    const names = new Map();
    const texts = [];
    for (const { file, needed } of this.#files.values())
      for (const statement of file.statements) {
        if (isLink(ts, statement)) {
          if (!this.#isOfPackage(file, statement, file.fileName === entry)) return undefined;
        } else if (needed.has(statement)) {
          const declared = namesOf(ts, statement);
          const isKnown = declared.some((name) => (names.get(name) ?? file) !== file);
          const text = statement.getText();
          if (declared.length === 0 || isKnown || text.includes('import(')) return undefined;
          for (const name of declared) names.set(name, file);
          const comments = statement.getFullText().slice(0, -text.length).trim();
          texts.push(...(comments ? [comments] : []), text.replace(/^export /, ''));
        }
      }
    return `${texts.join('\n')}\nexport {\n    ${this.#exportsOf(entry).join(',\n    ')},\n};\n`;
  }

  /**
   * Whether an import or export is of the package, and gives no other name to what it names; the entry may give one.
   *
   * @param {SourceFile} file
   * @param {import('typescript').ImportDeclaration | import('typescript').ExportDeclaration} statement
   * @param {boolean} isEntry
   */
  #isOfPackage(file, statement, isEntry) {
    const { moduleSpecifier } = statement;
    if (moduleSpecifier && fileOf(this.#ts, file, moduleSpecifier) === undefined) return false;
    const list = this.#listOf(statement);
    return list !== undefined && (isEntry || list.elements.every(({ propertyName }) => !propertyName));
  }

  /**
   * What an entry exports, as elements of a list.
   *
   * @param {string} entry
   */
  #exportsOf(entry) {
    const { declared, listed } = this.#read(entry);
    const own = [...declared].filter(([, statements]) => statements.some(isExported)).map(([name]) => name);
    const others = [...listed.values()].map(({ element }) => {
      const isTypes = this.#ts.isExportSpecifier(element) && element.parent.parent.isTypeOnly;
      return `${isTypes ? 'type ' : ''}${element.getText()}`;
    });
    return [...own, ...others];
  }

  /**
   * @param {string} path
   * @param {string} name
   */
  #need(path, name) {
    const found = this.#read(path);
    const link = found.listed.get(name);
    if (link === undefined && !found.declared.has(name))
      for (const other of found.whole) this.#need(other, name);
    else if (link?.path === undefined) this.#needHere(found, link?.name ?? name, link);
    else this.#follow(found, link);
  }

  /**
   * What a name within a file stands for.
   *
   * @param {Declarations} found
   * @param {string} name
   * @param {Link} [link] by which it is exported
   */
  #needHere(found, name, link) {
    if (link) found.needed.add(link.element);
    for (const statement of found.declared.get(name) ?? []) this.#needStatement(found, statement);
    const imported = found.imported.get(name);
    if (imported) this.#follow(found, imported);
  }

  /** @param {Declarations} found @param {Link} link */
  #follow({ needed }, { path, name, element }) {
    if (needed.has(element)) return;
    needed.add(element);
    if (path === undefined) return;
    if (name === undefined) this.needAll(path);
    else this.#need(path, name);
  }

  /** @param {Declarations} found @param {Statement} statement */
  #needStatement(found, statement) {
    if (found.needed.has(statement)) return;
    found.needed.add(statement);
    const ts = this.#ts;
    /** @param {Node} node */
    const visit = (node) => {
      if (ts.isIdentifier(node) && isUse(ts, node)) this.#needHere(found, node.text);
      if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
        const path = fileOf(ts, found.file, node.argument.literal);
        if (path !== undefined) this.needAll(path);
      }
      ts.forEachChild(node, visit);
    };
    visit(statement);
  }

  /**
   * @param {string} path
   * @returns {Declarations}
   */
  #read(path) {
    const known = this.#files.get(path);
    if (known) return known;
    const ts = this.#ts;
    const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
    /** @type {Declarations} */
    const found = {
      file,
      declared: new Map(),
      imported: new Map(),
      listed: new Map(),
      whole: [],
      needed: new Set(),
    };
    this.#files.set(path, found);
    for (const statement of file.statements) this.#sort(found, statement);
    for (const statement of file.statements)
      if (!isLink(ts, statement) && namesOf(ts, statement).length === 0)
        this.#needStatement(found, statement);
    return found;
  }

  /**
   * Puts a statement where its names are looked for.
   *
   * @param {Declarations} found
   * @param {Statement} statement
   */
  #sort(found, statement) {
    const ts = this.#ts;
    if (isLink(ts, statement)) {
      const path = statement.moduleSpecifier && fileOf(ts, found.file, statement.moduleSpecifier);
      const list = this.#listOf(statement);
      const links = ts.isImportDeclaration(statement) ? found.imported : found.listed;
      for (const element of list?.elements ?? [])
        links.set(element.name.text, { path, name: (element.propertyName ?? element.name).text, element });
      if (list === undefined) this.#sortWhole(found, statement, path);
      return;
    }
    for (const name of namesOf(ts, statement))
      found.declared.set(name, [...(found.declared.get(name) ?? []), statement]);
  }

  /**
   * An import or export of all of a file, under a name or without.
   *
   * @param {Declarations} found
   * @param {import('typescript').ImportDeclaration | import('typescript').ExportDeclaration} statement
   * @param {string | undefined} path
   */
  #sortWhole(found, statement, path) {
    const ts = this.#ts;
    const clause = ts.isImportDeclaration(statement) ? statement.importClause : undefined;
    const names = [clause?.name, clause?.namedBindings].flatMap((each) => {
      if (each === undefined) return [];
      if (ts.isNamedImports(each)) return each.elements.map(({ name }) => name.text);
      return [ts.isIdentifier(each) ? each.text : each.name.text];
    });
    for (const name of names) found.imported.set(name, { path, name: undefined, element: statement });
    if (names.length > 0) return;
    found.needed.add(statement);
    if (path === undefined) return;
    if (ts.isExportDeclaration(statement) && !statement.exportClause) found.whole.push(path);
    else this.needAll(path);
  }

  /**
   * The list of names in an import or export that has nothing else.
   *
   * @param {Statement} statement
   */
  #listOf(statement) {
    const ts = this.#ts;
    if (ts.isExportDeclaration(statement))
      return statement.exportClause && ts.isNamedExports(statement.exportClause)
        ? statement.exportClause
        : undefined;
    if (!ts.isImportDeclaration(statement) || statement.importClause?.name) return undefined;
    const { namedBindings } = statement.importClause ?? {};
    return namedBindings && ts.isNamedImports(namedBindings) ? namedBindings : undefined;
  }
}

/**
 * @param {TypeScript} ts
 * @param {Statement} statement
 * @returns {statement is import('typescript').ImportDeclaration | import('typescript').ExportDeclaration}
 */
const isLink = (ts, statement) => ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);

/** @param {Statement} statement */
const isExported = (statement) => statement.getText().startsWith('export ');

/**
 * Whether an identifier stands for something that is declared elsewhere, rather than naming a member or a parameter.
 *
 * @param {TypeScript} ts
 * @param {import('typescript').Identifier} node
 */
function isUse(ts, node) {
  const { parent } = node;
  if (ts.isQualifiedName(parent)) return parent.right !== node;
  if (ts.isBindingElement(parent) && parent.propertyName === node) return false;
  return !('name' in parent && parent.name === node);
}

/**
 * The names that a statement declares; none for `declare module 'x'`, which adds to another package and stays.
 *
 * @param {TypeScript} ts
 * @param {Statement} statement
 * @returns {string[]}
 */
function namesOf(ts, statement) {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  const isNamed =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    (ts.isModuleDeclaration(statement) &&
      ts.isIdentifier(statement.name) &&
      statement.name.text !== 'global');
  return isNamed && statement.name ? [statement.name.text] : [];
}

/**
 * The file of declarations that `specifier` names, if it is one of the package.
 *
 * @param {TypeScript} ts
 * @param {SourceFile} from
 * @param {Node} specifier
 */
function fileOf(ts, from, specifier) {
  if (!ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return undefined;
  return join(dirname(from.fileName), specifier.text.replace(/\.js$/, '.d.ts'));
}
