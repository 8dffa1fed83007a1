// The libraries as a stranger gets them: packed, installed from the tarballs into projects outside this tree,
// compiled there with the project's own TypeScript, and run.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, installed, nest11, nest12, program } from './projects.js';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const libraries = [
  '@warren/amqp',
  '@warren/board',
  '@warren/embedded',
  '@warren/nestjs',
  '@warren/opentelemetry',
];
const doors = [
  ...libraries,
  '@warren/nestjs/terminus',
  '@warren/nestjs/testing',
  '@warren/nestjs/prometheus',
];
const MINUTES = 60_000;

/** Bytes that a user downloads: more needs a reason, and a word in CONTRIBUTING.md. */
const MOST: Readonly<Record<string, number>> = {
  '@warren/amqp': 210_000,
  '@warren/board': 130_000,
  '@warren/embedded': 150_000,
  '@warren/nestjs': 77_000,
  '@warren/opentelemetry': 14_000,
};

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

let scratch: string;
let packed: Packed[];
const folder = (name: string): string => join(scratch, name);

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'warren-package-'));
  await program(process.execPath, ['tools/build.mjs', '--if-needed'], root, 3 * MINUTES);
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
  it('hold code for both module systems with its types, licence and page, dashboard, alerts, schematics, and nothing else', () => {
    expect(packed.map(({ name }) => name).sort()).toEqual(libraries);
    for (const { name, files } of packed) {
      const paths = files.map(({ path }) => path);
      const code = paths.filter((path) =>
        /^dist\/((esm|cjs)\/.*\.js|(esm|cjs|types)\/.*\.d\.ts)$/.test(path),
      );
      // The board's: its files have names of their contents.
      const page = paths.filter((path) =>
        /^dist\/page\/(index\.html|assets\/[\w.-]+\.(js|css|svg))$/.test(path),
      );
      expect(page.includes('dist/page/index.html')).toBe(name === '@warren/board');
      const others = paths.filter((path) => !code.includes(path) && !page.includes(path));
      const more = [
        ...['monitoring/alerts.yml', 'monitoring/dashboard.json'],
        ...['collection', 'generate', 'nest-add'].map((each) => `schematics/${each}.json`),
      ];
      const of = (format: string): string[] => code.flatMap((path) => path.split(`dist/${format}/`)[1] ?? []);
      expect(others.sort()).toEqual([
        ...['LICENSE', 'README.md', 'dist/cjs/package.json'],
        // Declarations that both formats share.
        ...(of('types').length > 0 ? ['dist/types/package.json'] : []),
        ...(name === '@warren/nestjs' ? more.slice(0, 2) : []),
        'package.json',
        ...(name === '@warren/nestjs' ? more.slice(2) : []),
      ]);
      expect(code.filter((path) => path.includes('.spec.'))).toEqual([]);
      // The Nest CLI requires its schematics, and ESM passes on what the one file of @warren/amqp exports.
      const alone = /^(schematics\/.*|amqp\.js)$/;
      expect(of('cjs').filter((path) => !alone.test(path))).toEqual(of('esm'));
      expect(of('esm')).toEqual(expect.arrayContaining(['index.js', 'index.d.ts']));
    }
  });

  it('are as small as promised', () => {
    const heavy = packed.filter(({ name, size }) => size > (MOST[name] ?? 0));
    expect(heavy.map(({ name, size }) => `${name}: ${size} bytes`)).toEqual([]);
  });

  it('name no file that they do not hold, and keep doc comments only where an editor shows them', async () => {
    for (const { name, files } of packed) {
      const inside = join(root, 'libs', name.replace('@warren/', ''));
      const paths = new Set(files.map(({ path }) => path));
      const missing: string[] = [];
      let shown = 0;
      for (const path of [...paths].filter((each) => /\.(js|d\.ts)$/.test(each))) {
        const text = await readFile(join(inside, path), 'utf8');
        shown += path.endsWith('.d.ts') ? (text.match(/\/\*\*/g)?.length ?? 0) : 0;
        // What the schematics write has doc comments of its own.
        const isCode = path.endsWith('.js') && !path.endsWith('/schematics/templates.js');
        if (/sourceMappingURL/.test(text) || (isCode && /^\s*\/\*\*/m.test(text))) missing.push(path);
        for (const [, from = ''] of text.matchAll(/(?:from |import\(|require\()['"](\.[^'"]+)['"]/g)) {
          const target = posix.join(posix.dirname(path), from);
          if (!paths.has(path.endsWith('.d.ts') ? target.replace(/\.js$/, '.d.ts') : target))
            missing.push(`${path} needs ${from}`);
        }
      }
      expect(missing).toEqual([]);
      expect(shown).toBeGreaterThan(40);
    }
  });

  it('say who made them, under which licence, where, and that npm can prove it', async () => {
    const licence = await readFile(join(root, 'LICENSE'), 'utf8');
    for (const { name } of packed) {
      const folder = join(root, 'libs', name.replace('@warren/', ''));
      expect(await readFile(join(folder, 'LICENSE'), 'utf8')).toBe(licence);
      expect(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))).toMatchObject({
        name,
        license: 'MIT',
        author: expect.any(String),
        keywords: expect.arrayContaining(['rabbitmq']),
        homepage: expect.stringMatching(/^https:/),
        bugs: expect.stringMatching(/^https:/),
        repository: { type: 'git', directory: `libs/${name.replace('@warren/', '')}` },
        publishConfig: { access: 'public', provenance: true },
        sideEffects: false,
      });
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
      const printed = await program(process.execPath, ['out/application.js'], folder(project.name));
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
    2 * MINUTES,
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

it('the two formats of each module export the same', async () => {
  const text = `const { readdirSync } = require('node:fs'), { join } = require('node:path');
    const kinds = (names, of) => names.sort().map((name) => name + ': ' + typeof of[name]).join();
    (async () => {
      for (const library of ['amqp', 'embedded']) {
        const dist = join(__dirname, 'node_modules/@warren', library, 'dist');
        for (const path of readdirSync(join(dist, 'esm'), { recursive: true })) {
          // Programs: to load them is to run them.
          if (!path.endsWith('.js') || /(bin|worker)\\.js$/.test(path)) continue;
          const required = require(join(dist, 'cjs', path)), imported = await import(join(dist, 'esm', path));
          const [ours, theirs] = [kinds(Object.keys(required), required), kinds(Object.keys(imported), imported)];
          if (ours !== theirs) console.log(library, path, ours, theirs);
        }
      }
      console.log('compared');
    })();`;
  const script = join(folder(nest12.name), 'formats.cjs');
  await writeFile(script, text);
  expect(await program(process.execPath, [script], folder(nest12.name))).toBe('compared\n');
});

it.each([nest11, nest12])(
  'an application can be bundled with them into one file ($name)',
  async ({ name }) => {
    const input = join(folder(name), 'bundled.js');
    const imports =
      name === nest11.name
        ? "const { Broker } = require('@warren/amqp'), { EmbeddedBroker } = require('@warren/embedded');"
        : "import { Broker } from '@warren/amqp'; import { EmbeddedBroker } from '@warren/embedded';";
    await writeFile(
      input,
      `${imports}
      EmbeddedBroker.start().then(async (server) => {
        const broker = new Broker({ url: server.url });
        const handled = (message) => void console.log('handled', message.payload, broker.constructor.name);
        broker.register({ kind: 'consume', id: 'h', patterns: ['orders'], options: {}, handle: handled });
        await broker.open();
        await broker.send('orders', 7);
        await broker.close();
        await server.close();
      });`,
    );
    const file = join(scratch, `${name}.mjs`);
    const cli = join(root, 'node_modules/rolldown/bin/cli.mjs');
    const options = ['--file', file, '--format', 'esm', '--platform', 'node', '--no-codeSplitting'];
    await program(process.execPath, [cli, input, ...options], root);
    // Outside of the project: nothing of the packages is found there.
    expect(await program(process.execPath, [file], scratch)).toContain('handled 7 Broker');
  },
  MINUTES,
);

describe('warren-broker of the packed library', () => {
  const line = ['warren-broker', '--port', '0'];
  const started: ChildProcess[] = [];

  /** A broker that a program of the project has started, and when it is gone. */
  async function running(
    name: string,
    args: string[],
  ): Promise<{ child: ChildProcess; gone: () => Promise<void> }> {
    const bin = join(folder(nest12.name), 'node_modules', '.bin');
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const stdio = ['pipe', 'pipe', 'inherit'] as const;
    // A group of its own, so that nothing is left when this fails.
    const child = spawn(name, args, { cwd: folder(nest12.name), env, stdio: [...stdio], detached: true });
    started.push(child);
    const { hostname, port } = new URL(await printedUntil(child, /amqp:\/\/\S*127\.0\.0\.1:[1-9]\d*/));
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    // A reset is an end, too.
    const closed = new Promise((resolve) =>
      socket
        .on('error', () => undefined)
        .resume()
        .once('close', resolve),
    );
    return { child, gone: async () => void (await closed) };
  }

  afterAll(() => {
    for (const { pid } of started) {
      try {
        process.kill(-pid!, 'SIGKILL');
      } catch {
        // All of it has ended.
      }
    }
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends with the first %s', async (signal) => {
    const { child, gone } = await running(line[0], line.slice(1));
    const ended = once(child, 'exit');
    child.kill(signal);
    await gone();
    expect(await ended).toEqual([0, null]);
  });

  it.each([
    ['npx', ['npx', ...line], 'SIGTERM'],
    ['npx, killed', ['npx', ...line], 'SIGKILL'],
    ['a shell', ['sh', '-c', `${line.join(' ')} & wait`], 'SIGTERM'],
    ['a shell, killed', ['sh', '-c', `${line.join(' ')} & wait`], 'SIGKILL'],
  ] as const)('ends when %s has started it and ends', async (_, [name, ...args], signal) => {
    const { child, gone } = await running(name, [...args]);
    child.kill(signal);
    await gone();
  });
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
