// What the build makes of the files that TypeScript wrote: each module in two formats that do the same, declarations
// without what nobody can name, and half the indentation.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { inOneFile, removeUnreached } from '../../tools/declarations.mjs';
import { withTwoSpaces } from '../../tools/library.mjs';
import { inBothFormats } from '../../tools/module-formats.mjs';

const inBoth = (...lines: string[]): { esm: string; cjs: string } =>
  inBothFormats(ts, lines.map((line) => `${line}\n`).join(''));

type Exports = Record<string, unknown>;

/** What a module in CommonJS exports, given what others do. */
function run(text: string, others: Record<string, Exports> = {}): { exports: Exports; required: string[] } {
  const required: string[] = [];
  const module = { exports: {} };
  const require = (name: string): unknown => {
    required.push(name);
    return others[name];
  };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const load = new Function('exports', 'require', 'module', text.replace(/^#!.*/, '')) as (
    ...parts: unknown[]
  ) => void;
  load(module.exports, require, module);
  return { exports: module.exports, required };
}

describe('a module in both formats', () => {
  it('has the same body, imports by name, and lists its exports at the end', () => {
    expect(inBoth("import { a, b as c } from './x.js';", 'export const d = a + c(1);')).toEqual({
      esm: "import { a, b as c } from './x.js';\nconst d = a + c(1);\nexport { d };\n",
      cjs: `'use strict';
const { a, b: c } = require('./x.js');
const d = a + c(1);
module.exports = { d };
`,
    });
  });

  it('exports functions, generators, classes, constants, decorated classes and renamed names', async () => {
    const { esm, cjs } = inBoth(
      'export function f() { return 1; }',
      'export async function* g() {}',
      'export class C { static who = this; }',
      'export const k = 2, l = 3;',
      'let D = class D {};',
      'D = Object.assign(D, { decorated: true });',
      'const inner = 4;',
      'export { D, inner as outer };',
    );
    const { exports } = run(cjs);
    const names = ['f', 'g', 'C', 'k', 'l', 'D', 'outer'];
    expect(Object.keys(exports)).toEqual(names);
    expect(exports).toMatchObject({ k: 2, l: 3, outer: 4 });
    expect(exports.D).toHaveProperty('decorated', true);
    const imported = (await import(`data:text/javascript,${encodeURIComponent(esm)}`)) as Exports;
    expect(Object.keys(imported).sort()).toEqual([...names].sort());
  });

  it('passes on what another exports, and loads what is imported for its effect', () => {
    const { esm, cjs } = inBoth("import 'first';", "export { a, b as c } from './x.js';");
    expect(esm).toBe("import 'first';\nexport { a, b as c } from './x.js';\n");
    expect(run(cjs, { './x.js': { a: 1, b: 2 } })).toEqual({
      exports: { a: 1, c: 2 },
      required: ['first', './x.js'],
    });
  });

  it('is still a module without exports, and still a program', () => {
    expect(inBoth('export {};')).toEqual({
      esm: 'export {};\n',
      cjs: "'use strict';\nmodule.exports = {};\n",
    });
    expect(inBoth('#!/usr/bin/env node', "import { a } from 'x';", 'a();').cjs).toMatch(
      /^#!\/usr\/bin\/env node\n'use strict';\nconst \{ a \} = require\('x'\);\na\(\);\n/,
    );
  });

  // Jest runs no `import()` in CommonJS without a flag, and lists of names cannot say the rest.
  it.each([
    ["export const a = () => import('x');", /\brequire\(/, /\bimport\(/],
    ["export * from 'x';", /__exportStar\(require\("x"\)/, /\bexport \*/],
    ["import * as x from 'x'; export const a = x.a;", /require\("x"\)/, /\bimport /],
    ["import x from 'x'; export const a = x;", /require\("x"\)/, /\bimport /],
    ['export default 1;', /exports\.default = 1/, /\bexport /],
    ['export let a = 1; export const add = () => a++;', /exports\.a\b/, /\bexport /],
    ['export const { a } = { a: 1 };', /exports\.a\b/, /\bexport /],
    ["import { a } from 'x'; export { a } from 'x'; a();", /exports, "a"/, /\bexport /],
  ])('is as TypeScript writes it when it is more than that: %s', (line, wanted, unwanted) => {
    const { esm, cjs } = inBoth(line);
    expect(esm).toBe(`${line}\n`);
    expect(cjs).toMatch(wanted);
    expect(cjs).not.toMatch(unwanted);
  });
});

describe('declarations', () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'warren-declarations-'))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** What is left of some files, by name, of which index.d.ts is the entry. */
  async function left(files: Record<string, string>): Promise<Record<string, string>> {
    const paths = Object.keys(files).map((name) => join(folder, name));
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
    removeUnreached(ts, paths, [join(folder, 'index.d.ts')]);
    const there = Object.keys(files).filter((name) => existsSync(join(folder, name)));
    const texts = there.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const);
    return Object.fromEntries(await Promise.all(texts));
  }

  it('keep what the entry leads to, with its comments, and lose the rest', async () => {
    expect(
      await left({
        'index.d.ts':
          "export { shown, type Result as Outcome } from './a.js';\nexport declare const own: number;\n",
        'a.d.ts': `import type { Used, Unused } from './b.js';
import { Gone } from './gone.js';
/** Shown. */
export declare function shown(unused: Used): Result;
/** Named by it. */
export interface Result {
    readonly Gone?: typeof limit;
}
/** Not exported, but named. */
declare const limit: 5;
/** Hidden. */
export declare function hidden(): Gone & Unused;
export {};
`,
        'b.d.ts': "export interface Used {\n    next?: Used;\n}\nexport type Unused = 'x';\n",
        'gone.d.ts': 'export type Gone = 1;\n',
      }),
    ).toEqual({
      'index.d.ts':
        "export { shown, type Result as Outcome } from './a.js';\nexport declare const own: number;\n",
      'a.d.ts': `import type { Used } from './b.js';
/** Shown. */
export declare function shown(unused: Used): Result;
/** Named by it. */
export interface Result {
    readonly Gone?: typeof limit;
}
/** Not exported, but named. */
declare const limit: 5;
export {};
`,
      'b.d.ts': 'export interface Used {\n    next?: Used;\n}\n',
    });
  });

  it('are one file where that is to put them one after the other', async () => {
    const files = {
      'index.d.ts':
        "export type { Shape } from './a.js';\nexport { make as shape } from './a.js';\nexport declare const one: 1;\n",
      'a.d.ts': `import { type Side } from './b.js';
/** Of sides. */
export declare class Shape {
    readonly sides: Side[];
}
export declare function make(): Shape;
export declare function hidden(): void;
`,
      'b.d.ts': 'type Length = number;\n/** One. */\nexport type Side = Length;\nexport {};\n',
    };
    const entry = join(folder, 'index.d.ts');
    const write = (changed: Record<string, string> = {}): Promise<unknown> =>
      Promise.all(
        Object.entries({ ...files, ...changed }).map(([name, text]) => writeFile(join(folder, name), text)),
      );
    await write();
    expect(inOneFile(ts, entry)).toBe(`declare const one: 1;
/** Of sides. */
declare class Shape {
    readonly sides: Side[];
}
declare function make(): Shape;
type Length = number;
/** One. */
type Side = Length;
export {
    one,
    type Shape,
    make as shape,
};
`);
    // Other packages, a name twice, a name that is changed on the way, what adds to another package.
    for (const text of [
      "import { Length } from 'lengths';\nexport type Side = Length;\n",
      'export type Side = one;\ntype one = 2;\nexport {};\n',
      "export { type Size as Side } from './c.js';\n",
      "declare module 'x' {}\nexport type Side = 1;\n",
      "export type Side = import('./c.js').Side;\n",
    ]) {
      await write({ 'b.d.ts': text, 'c.d.ts': 'export type Size = 1;\nexport type Side = 2;\n' });
      expect([text, inOneFile(ts, entry)]).toEqual([text, undefined]);
    }
  });

  it('keep all of a file that is exported or imported as a whole, what adds to other packages, and effects', async () => {
    const files = {
      'index.d.ts': "import 'effect';\nexport * from './all.js';\nexport { made } from './made.js';\n",
      'all.d.ts': 'export type One = 1;\nexport type Two = 2;\n',
      'made.d.ts': `import type * as parts from './parts.js';
declare module 'other' {
    interface Options {
        ours?: typeof import('./typed.js').three;
    }
}
export declare const made: parts.Part;
export declare const made: string;
`,
      'parts.d.ts': 'export type Part = 1;\nexport type Other = 2;\n',
      'typed.d.ts': 'export declare const three: 3;\n',
    };
    expect(await left(files)).toEqual(files);
  });
});

it('two spaces stand for four, in comments too, but not within texts', () => {
  const text = `class A {
    /**
     * Of b.
     */
    b() {
        return \`
    as it is \${[
            1,
        ]}
        \`;
    }
}
`;
  expect(withTwoSpaces(ts, text, 'a.js')).toBe(`class A {
  /**
   * Of b.
   */
  b() {
    return \`
    as it is \${[
      1,
    ]}
        \`;
  }
}
`);
});
