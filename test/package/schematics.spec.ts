// `nest add` and `nest g -c @warren/nestjs` with the real Nest CLI, in projects that its schematics have made: Nest 12 with
// ES modules and vitest, Nest 11 with CommonJS and jest. A command of the CLI starts a second program, which runs the
// schematic: where the command itself is tried elsewhere, that program is used directly, for several schematics at once.
// Packages are linked rather than installed. vitest and ts-jest are not in this tree: the generated tests run in jest here,
// with the same global functions. The CLI is that of Nest 12; WARREN_NEST_CLI=<node_modules with another one> tries that,
// on the Nest 11 project.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { program } from './projects.js';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const MINUTE = 60_000;

interface Kind {
  readonly name: string;
  readonly type: 'esm' | 'cjs';
  readonly nest: string;
  readonly cli: string;
}

const modules = join(root, 'node_modules');
const kinds: readonly Kind[] = [
  { name: 'nest12', type: 'esm', nest: modules, cli: modules },
  {
    name: 'nest11',
    type: 'cjs',
    nest: join(root, 'test/nest11/node_modules'),
    cli: process.env.WARREN_NEST_CLI ?? modules,
  },
];

let scratch: string;
const folder = ({ name }: Kind): string => join(scratch, name);

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'warren-schematics-'));
  await program(process.execPath, ['tools/build.mjs', '--if-needed'], root, 3 * MINUTE);
  const application = '@nestjs/schematics:application';
  const options = kinds.map(({ name, type }) => [
    `--name=${name}`,
    `--type=${type}`,
    '--package-manager=npm',
  ]);
  await schematics(scratch, ...options.map((each) => [application, ...each]));
  await Promise.all(kinds.map(equip));
}, 5 * MINUTE);

afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Gives a new project its packages, and the settings with which its tests run here. */
async function equip(kind: Kind): Promise<void> {
  const own = join(folder(kind), 'node_modules');
  for (const scope of ['@nestjs', '@warren']) await mkdir(join(own, scope), { recursive: true });
  const names = (await readdir(modules)).filter((name) => !/^(\.|@nestjs$|@warren)/.test(name));
  for (const name of names) await symlink(join(modules, name), join(own, name));
  for (const name of await readdir(join(kind.nest, '@nestjs')))
    await symlink(join(kind.nest, '@nestjs', name), join(own, '@nestjs', name));
  const rest = (await readdir(join(modules, '@nestjs'))).filter((name) => /^(cli|schematics)$/.test(name));
  if (kind.nest !== modules)
    for (const name of rest) await symlink(join(modules, '@nestjs', name), join(own, '@nestjs', name));
  // Copies, since they must find the Nest of this project.
  for (const name of ['amqp', 'embedded', 'nestjs']) {
    for (const part of ['dist', 'package.json', ...(name === 'nestjs' ? ['schematics'] : [])])
      await cp(join(root, 'libs', name, part), join(own, '@warren', name, part), { recursive: true });
  }
  await writeFile(
    join(folder(kind), 'jest.config.mjs'),
    `const swc = ${JSON.stringify({
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type: kind.type === 'esm' ? 'es6' : 'commonjs' },
    })};
    export default {
      testRegex: '(src|apps)/.*\\\\.spec\\\\.ts$', ${kind.type === 'esm' ? "extensionsToTreatAsEsm: ['.ts']," : ''}
      transform: { '\\\\.ts$': ['${join(modules, '@swc/jest')}', swc] },
      moduleNameMapper: { '^(\\\\.{1,2}/.*)\\\\.js$': '$1' },
    };`,
  );
  const globals = ['describe', 'it', 'expect', 'beforeEach', 'afterEach'];
  await writeFile(
    join(folder(kind), 'globals.d.ts'),
    `import type * as jest from '@jest/globals';
    declare global { ${globals.map((name) => `const ${name}: typeof jest.${name};`).join(' ')} }`,
  );
  await writeFile(
    join(folder(kind), 'tsconfig.check.json'),
    JSON.stringify({
      extends: './tsconfig.json',
      compilerOptions: { noEmit: true, incremental: false, types: ['node'], ignoreDeprecations: '6.0' },
      include: ['src', 'apps/*/src', 'globals.d.ts'],
    }),
  );
}

const nest = (kind: Kind, ...args: string[]): Promise<string> =>
  program(process.execPath, [join(kind.cli, '@nestjs/cli/bin/nest.js'), ...args], folder(kind));

/** Runs schematics one after the other, as the Nest CLI has them run. */
function schematics(cwd: string, ...commands: readonly (readonly string[])[]): Promise<string> {
  const cli = join(modules, '@angular-devkit/schematics-cli/bin/schematics.js');
  const script = `const { main } = require(${JSON.stringify(cli)});
    (async () => {
      for (const args of ${JSON.stringify(commands)}) process.exitCode ||= await main({ args });
    })();`;
  return program(process.execPath, ['-e', script], cwd);
}

/** What all files of the project's sources, and package.json, are. */
async function sources(kind: Kind): Promise<Record<string, string>> {
  const all = await readdir(folder(kind), { recursive: false });
  const paths = [
    ...all.filter((name) => /json$|^\.env/.test(name)),
    ...(await readdir(join(folder(kind), 'src'), { recursive: true })).map((name) => join('src', name)),
  ].filter((path) => /\.\w+$/.test(path));
  const texts = await Promise.all(
    paths.map(async (path) => [path, await readFile(join(folder(kind), path), 'utf8')] as const),
  );
  return Object.fromEntries(texts);
}

/** Compiles and runs all tests of the project, those of the template too. */
async function check(kind: Kind): Promise<string> {
  const tsc = join(modules, 'typescript/bin/tsc');
  await program(process.execPath, [tsc, '-p', 'tsconfig.check.json'], folder(kind));
  const jest = [join(modules, 'jest/bin/jest.js'), '--config', 'jest.config.mjs', '--json', '--maxWorkers=1'];
  return program(process.execPath, ['--experimental-vm-modules', ...jest], folder(kind));
}

/** Both projects at once: most of the time goes into starting the CLI. */
const inBoth = (work: (kind: Kind) => Promise<void>) => async (): Promise<void> => {
  await Promise.all(kinds.map(work));
};

it(
  '`nest add` sets up a module, a handler and a health endpoint, once',
  inBoth(async (kind) => {
    const before = await sources(kind);
    if (kind.type === 'esm') {
      const dry = await nest(kind, 'add', '@warren/nestjs', '--skip-install', '--dry-run');
      expect(dry).toMatch(/CREATE.*orders\.consumer\.ts[^]*Dry run enabled/);
      expect(await sources(kind)).toEqual(before);
    }

    await nest(kind, 'add', '@warren/nestjs', '--skip-install', '--health');
    const after = await sources(kind);
    expect(after['src/app.module.ts']).toContain(
      `RabbitModule.forRoot({ service: '${kind.name}', development: 'embedded' })`,
    );
    expect(Object.keys(after)).toContain(join('src', 'health', 'health.module.ts'));

    const again = await schematics(folder(kind), [
      '@warren/nestjs:nest-add',
      '--source-root=src',
      '--health',
      '--skip-install',
    ]);
    expect(again).toContain('Nothing to be done');
    expect(await sources(kind)).toEqual(after);
  }),
  8 * MINUTE,
);

it(
  '`nest g` makes handlers and contracts; everything compiles, is formatted, and its tests pass',
  async () => {
    await inBoth(async (kind) => {
      await nest(kind, 'g', '-c', '@warren/nestjs', 'rpc', 'billing/giftCards');
      const options = ['--name=billing/giftCards', '--source-root=src', '--language=ts'];
      const others = ['consumer', 'subscriber', 'contract'].map((each) => [
        `@warren/nestjs:${each}`,
        ...options,
      ]);
      await schematics(folder(kind), ...others);
      const made = await sources(kind);
      expect(made['src/app.module.ts']).toMatch(/GiftCardsRpc,\s+GiftCardsConsumer,\s+GiftCardsSubscriber,/);
      // Of the template, of `nest add`, and three of these.
      expect(JSON.parse(await check(kind))).toMatchObject({ success: true, numPassedTests: 5 });
    })();
    const prettier = join(modules, 'prettier/bin/prettier.cjs');
    await program(process.execPath, [prettier, '--check', '*/src/**/*.ts'], scratch);
  },
  8 * MINUTE,
);

it(
  'in a monorepo `nest add -p` sets up the application that is named',
  async () => {
    const [kind] = kinds as [Kind];
    await schematics(folder(kind), ['@nestjs/schematics:sub-app', '--name=admin']);
    const apps = join(folder(kind), 'apps');
    const before = await readFile(join(apps, 'nest12/src/app.module.ts'), 'utf8');
    await nest(kind, 'add', '@warren/nestjs', '--skip-install', '-p', 'admin');
    const module = await readFile(join(apps, 'admin/src/admin.module.ts'), 'utf8');
    expect(module).toContain("RabbitModule.forRoot({ service: 'admin', development: 'embedded' })");
    expect(await readFile(join(apps, 'nest12/src/app.module.ts'), 'utf8')).toBe(before);
  },
  8 * MINUTE,
);
