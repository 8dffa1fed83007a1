// What a package contains: JavaScript as ESM and as CommonJS, without comments and source maps, and for each the
// declarations that an entry point leads to, with comments. TypeScript compiles a library once, as ESM; from what it wrote,
// CommonJS needs no types any more. Why so: CONTRIBUTING.md, "Packages and releases".
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Turns what TypeScript wrote into `staged`/esm for the library in `folder` into what its package contains.
 *
 * @param {string} folder
 * @param {string} staged
 */
export async function finish(folder, staged) {
  const { default: ts } = await import('typescript');
  const [esm, cjs] = [join(staged, 'esm'), join(staged, 'cjs')];
  removeUnreached(ts, esm, entriesOf(folder));
  cpSync(esm, cjs, { recursive: true });
  for (const path of filesOf(esm, '.js')) {
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, printed(ts, text, ts.ModuleKind.ESNext));
    writeFileSync(path.replace(esm, cjs), printed(ts, text, ts.ModuleKind.CommonJS));
  }
  writeFileSync(join(cjs, 'package.json'), '{ "type": "commonjs" }\n');
}

function printed(ts, text, module) {
  const target = ts.ScriptTarget.ES2022;
  return ts.transpileModule(text, { compilerOptions: { module, target, removeComments: true } }).outputText;
}

/** Removes the declarations that no entry point leads to: nobody can name what they declare. */
function removeUnreached(ts, folder, entries) {
  const reached = new Set();
  const follow = (path) => {
    if (reached.has(path)) return;
    reached.add(path);
    const { importedFiles } = ts.preProcessFile(readFileSync(path, 'utf8'), true, true);
    for (const { fileName } of importedFiles) {
      if (fileName.startsWith('.')) follow(join(dirname(path), fileName.replace(/\.js$/, '.d.ts')));
    }
  };
  for (const entry of entries) follow(join(folder, entry));
  for (const path of filesOf(folder, '.d.ts')) if (!reached.has(path)) rmSync(path);
}

/** The declarations of the entry points that package.json names, relative to the folder of a format. */
function entriesOf(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return Object.values(exports).flatMap((each) =>
    typeof each === 'string' ? [] : [each.import.types.replace('./dist/esm/', '')],
  );
}

const filesOf = (folder, end) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => join(folder, name));
