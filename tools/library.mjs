// What a package contains: JavaScript as ESM and as CommonJS, without comments and source maps, and for each the
// declarations that an entry point leads to, with comments. TypeScript compiles a library once, as ESM; from what it wrote,
// CommonJS needs no types any more. Why so: CONTRIBUTING.md, "Packages and releases".
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { inOneFile, removeUnreached } from './declarations.mjs';
import { inBothFormats } from './module-formats.mjs';

const COMMONJS = '{ "type": "commonjs" }\n';
/** What tells other tools that CommonJS was written as ESM: an import of the default must not give them all of it. */
const IS_MODULE = "Object.defineProperty(module.exports, '__esModule', { value: true });\n";

/**
 * Turns what TypeScript wrote into `staged`/esm for the library in `folder` into what its package contains.
 *
 * @param {string} folder
 * @param {string} staged
 * @param {{ modules?: string }} [options] a folder for the single modules, when all of them shall become one file
 */
export async function finish(folder, staged, { modules } = {}) {
  const { default: ts } = await import('typescript');
  const [esm, cjs] = [join(staged, 'esm'), join(staged, 'cjs')];
  const entries = entriesOf(folder);
  writeDeclarations(
    ts,
    esm,
    entries.map((entry) => join(esm, entry)),
  );
  if (modules !== undefined) {
    await writeOneFile(ts, staged, modules, basename(folder));
    return;
  }
  cpSync(esm, cjs, { recursive: true });
  const shown = entries.map((entry) => join(esm, entry.replace(/\.d\.ts$/, '.js')));
  for (const path of filesOf(esm, '.js')) {
    const other = path.replace(esm, cjs);
    const text = bare(ts, readFileSync(path, 'utf8'));
    if (text === 'export {};\n') {
      // Types only: nobody loads it.
      for (const each of [path, other]) rmSync(each);
      continue;
    }
    const formats = inBothFormats(ts, text);
    writeFileSync(path, withTwoSpaces(ts, formats.esm, path));
    writeFileSync(other, withTwoSpaces(ts, formats.cjs, path) + (shown.includes(path) ? IS_MODULE : ''));
  }
  writeFileSync(join(cjs, 'package.json'), COMMONJS);
  // The Nest CLI requires them; nobody imports them.
  rmSync(join(esm, 'schematics'), { recursive: true, force: true });
}

/**
 * Writes all modules of a library with one entry point as one CommonJS file. ESM passes on what it exports, so an application
 * that has both formats has one copy.
 *
 * @param {typeof import('typescript')} ts
 * @param {string} staged
 * @param {string} modules
 * @param {string} name of the file
 */
async function writeOneFile(ts, staged, modules, name) {
  const { rolldown } = await import('rolldown');
  const [esm, cjs] = [join(staged, 'esm'), join(staged, 'cjs')];
  cpSync(join(esm, 'index.d.ts'), join(cjs, 'index.d.ts'));
  rmSync(modules, { recursive: true, force: true });
  for (const path of filesOf(esm, '.js')) {
    const target = path.replace(esm, modules);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bare(ts, readFileSync(path, 'utf8')));
    rmSync(path);
  }
  // From its own folder, since the name of each module stands above it.
  const made = await rolldown({
    cwd: modules,
    input: './index.js',
    platform: 'node',
    external: (id) => !/^[./]/.test(id),
  });
  const { output } = await made.write({
    file: join(cjs, `${name}.js`),
    format: 'cjs',
    codeSplitting: false,
    keepNames: true,
  });
  await made.close();
  const names = output[0].exports.sort();
  // In two steps: where one is a mere `module.exports = require()`, an import searches the large file for its exports, which
  // takes longer than loading it.
  writeFileSync(
    join(cjs, 'index.js'),
    `'use strict';\nconst ${name} = require('./${name}.js');\nmodule.exports = ${name};\n`,
  );
  writeFileSync(
    join(esm, 'index.js'),
    `import ${name} from '../cjs/index.js';\nexport const {\n  ${names.join(',\n  ')},\n} = ${name};\n`,
  );
  writeFileSync(join(cjs, 'package.json'), COMMONJS);
}

/**
 * Leaves of the declarations what the entry points lead to. Where one file can hold it, both formats share that one.
 * TypeScript takes it for CommonJS, which declarations for ESM may pass on; the other way round is an error.
 *
 * @param {typeof import('typescript')} ts
 * @param {string} esm
 * @param {readonly string[]} entries
 */
function writeDeclarations(ts, esm, entries) {
  const [entry = '', ...others] = entries;
  const whole = others.length === 0 ? inOneFile(ts, entry) : undefined;
  if (whole === undefined) {
    removeUnreached(ts, filesOf(esm, '.d.ts'), entries);
    for (const path of filesOf(esm, '.d.ts'))
      writeFileSync(path, withTwoSpaces(ts, readFileSync(path, 'utf8'), path));
    return;
  }
  for (const path of filesOf(esm, '.d.ts')) rmSync(path);
  const types = join(dirname(esm), 'types');
  mkdirSync(types);
  writeFileSync(join(types, 'package.json'), COMMONJS);
  writeFileSync(join(types, basename(entry)), withTwoSpaces(ts, whole, entry));
  writeFileSync(entry, `export * from '../types/${basename(entry, '.d.ts')}.js';\n`);
}

/**
 * ESM without comments.
 *
 * @param {typeof import('typescript')} ts
 * @param {string} text
 */
function bare(ts, text) {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    removeComments: true,
  };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

/**
 * What TypeScript wrote with four spaces for each level, with two. Lines within a text stay as they are.
 *
 * @param {typeof import('typescript')} ts
 * @param {string} text
 * @param {string} path where it stands
 */
export function withTwoSpaces(ts, text, path) {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, false);
  /** @type {Set<number>} */
  const within = new Set();
  /** @param {import('typescript').Node} node */
  const visit = (node) => {
    if (ts.isTemplateLiteralToken(node) || ts.isStringLiteral(node)) {
      const { line: last } = file.getLineAndCharacterOfPosition(node.end);
      for (let { line } = file.getLineAndCharacterOfPosition(node.getStart(file)); line < last; line++)
        within.add(line + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  const half = (/** @type {string} */ spaces) => ' '.repeat(spaces.length / 2);
  return text
    .split('\n')
    .map((line, index) => (within.has(index) ? line : line.replace(/^(?: {4})+/, half)))
    .join('\n');
}

/**
 * The declarations of the entry points that package.json names, relative to the folder of a format.
 *
 * @param {string} folder
 */
function entriesOf(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return Object.values(exports).flatMap((each) =>
    typeof each === 'string' ? [] : [each.import.types.replace('./dist/esm/', '')],
  );
}

/** @param {string} folder @param {string} end */
const filesOf = (folder, end) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => join(folder, name));
