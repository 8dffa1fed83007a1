// The libraries as a stranger gets them: packed, installed from the tarballs into projects outside this tree,
// compiled there with the project's own TypeScript, and run.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, installed, nest11, nest12, program } from './projects.js';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const libraries = ['@warren/amqp', '@warren/embedded', '@warren/nestjs'];
const doors = [...libraries, '@warren/nestjs/terminus', '@warren/nestjs/testing'];
const MINUTES = 60_000;

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

let scratch: string;
let packed: Packed[];
const folder = (name: string): string => join(scratch, name);

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'warren-package-'));
  await program(process.execPath, ['tools/build.mjs', '--if-needed'], root);
  const chosen = libraries.flatMap((name) => ['--workspace', name]);
  const listed = await program('npm', ['pack', '--json', '--pack-destination', scratch, ...chosen], root);
  packed = packList(JSON.parse(listed));
  const tarballs = Object.fromEntries(packed.map(({ name, filename }) => [name, join(scratch, filename)]));
  await Promise.all([nest11, nest12].map((project) => create(project, folder(project.name), tarballs)));
}, 5 * MINUTES);

afterAll(() => rm(scratch, { recursive: true, force: true }));

/** npm 12 keys the list by package name, earlier ones give an array. */
const packList = (listed: unknown): Packed[] => Object.values(listed as Record<string, Packed>);

describe('the packed libraries', () => {
  it('hold what was built, and neither sources nor tests', () => {
    expect(packed.map(({ name }) => name).sort()).toEqual(libraries);
    for (const { files } of packed) {
      const paths = files.map(({ path }) => path);
      expect(paths.filter((path) => /\.spec\.|^src\/|^test\//.test(path))).toEqual([]);
      expect(paths).toEqual(
        expect.arrayContaining(['package.json', 'dist/esm/index.js', 'dist/cjs/index.js']),
      );
    }
  });
});

describe.each([
  { project: nest11, major: 11 },
  { project: nest12, major: 12 },
])('a project of its own ($project.name)', ({ project, major }) => {
  it(
    `has Nest ${major} and compiles against the types of the package`,
    async () => {
      expect((await installed(folder(project.name), '@nestjs/core')).version).toMatch(
        new RegExp(`^${major}\\.`),
      );
      const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
      await expect(program(process.execPath, [tsc, '-p', '.'], folder(project.name))).resolves.toBe('');
    },
    2 * MINUTES,
  );

  it(
    'sends, receives and calls on a broker of its own, and ends by itself',
    async () => {
      const printed = await program(process.execPath, ['out/application.js'], folder(project.name), 30_000);
      const lines = printed
        .trim()
        .split('\n')
        .filter((line) => /^(send|publish|request|health|testing|OK)/.test(line));
      expect(lines).toEqual([
        'send: order 7',
        'publish: created in eu true',
        'request: 42',
        'health: up 3',
        'testing: function',
        'OK',
      ]);
    },
    MINUTES,
  );

  it.each(doors)('gets one and the same %s from require and from import', async (door) => {
    const script = join(folder(project.name), 'same.cjs');
    const text = `const name = process.argv[2], required = require(name);
      import(name).then((imported) => {
        const names = Object.keys(imported).filter((each) => !['default', 'module.exports', '__esModule'].includes(each));
        if (names.length === 0) throw new Error('nothing is exported');
        const other = names.filter((each) => imported[each] !== required[each]);
        console.log(other.length === 0 ? 'one' : 'two copies of ' + other.join());
      });`;
    await writeFile(script, text);
    expect((await program(process.execPath, [script, door], folder(project.name))).trim()).toBe('one');
  });

  it(
    'can run the broker as a program, and look at its dead letters with the other',
    async () => {
      const bin = (name: string): string => join(folder(project.name), 'node_modules', '.bin', name);
      const warren = (...args: string[]): Promise<string> =>
        program(bin('warren'), args, folder(project.name));
      expect(await warren('--help')).toMatch(/^Usage: warren dead list/);
      expect((await warren('--version')).trim()).toBe(
        (await installed(folder(project.name), '@warren/nestjs')).version,
      );
      const broker = spawn(bin('warren-broker'), ['--port', '0'], {
        cwd: folder(project.name),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        const url = await printedUntil(broker, /amqp:\/\/\S*127\.0\.0\.1:[1-9]\d*/);
        const failing = `const { Broker } = require('@warren/amqp');
          const broker = new Broker({ url: process.argv[1] });
          const handle = () => { throw new TypeError('no such order'); };
          broker.register({ kind: 'consume', id: 'h', patterns: ['orders'], options: { retry: false }, handle });
          broker.on(() => broker.close(), ['handled']);
          broker.open().then(() => broker.send('orders', 1));`;
        await program(process.execPath, ['-e', failing, url], folder(project.name));
        expect(await warren('dead', 'list', 'orders', '--url', url)).toMatch(
          /^orders\.dead: 1 message\n.*TypeError/s,
        );
      } finally {
        const gone = once(broker, 'exit');
        broker.kill('SIGTERM');
        await gone;
      }
    },
    MINUTES,
  );
});

async function printedUntil(child: ChildProcess, wanted: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    const found = wanted.exec(text);
    if (found) return found[0];
  }
  throw new Error(`it ended without saying ${wanted}: ${text}`);
}
