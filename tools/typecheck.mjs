// The last part of `npm run typecheck`: tools/ and bench/ once more, with a type for every parameter (noImplicitAny). The
// files in untyped.txt do not have them yet. The list only gets shorter: no file may be added, and one that has its types
// must leave it.
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';
import { root } from './run.mjs';

const list = 'tools/untyped.txt';
const untyped = new Set(readFileSync(join(root, list), 'utf8').trim().split('\n'));
const { config } = ts.readConfigFile(join(root, 'tsconfig.tools.json'), ts.sys.readFile);
const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const program = ts.createProgram(fileNames, { ...options, noImplicitAny: true });
const wrong = [];
/** @type {Set<string>} */
const excused = new Set();
for (const found of ts.getPreEmitDiagnostics(program)) {
  const path = found.file && relative(root, found.file.fileName).split(sep).join('/');
  if (path !== undefined && untyped.has(path)) excused.add(path);
  else wrong.push(found);
}
const host = {
  getCurrentDirectory: () => root,
  getCanonicalFileName: String,
  getNewLine: () => '\n',
};
if (wrong.length > 0) console.error(ts.formatDiagnostics(wrong, host));
const typed = [...untyped].filter((path) => !excused.has(path));
for (const path of typed) console.error(`${path} has its types: take it off ${list}`);
if (wrong.length + typed.length > 0) process.exitCode = 1;
