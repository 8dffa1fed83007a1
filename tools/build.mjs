// Builds the libraries (ESM and CommonJS) and the applications, in the order in which they need each other.
// Output is written beside the old one and then put in its place, so a build that fails breaks nothing that ran.
// `--if-needed` leaves alone what is newer than its sources. To run the applications, less is enough: `buildToRun`.
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildPage, buildPageIfNeeded } from './board-page.mjs';
import { install } from './install.mjs';
import { finish } from './library.mjs';
import { alone } from './lock.mjs';
import { fail, root, runNode, withProgress } from './run.mjs';

const libraries = ['amqp', 'embedded', 'nestjs', 'opentelemetry', 'board'];
const applications = ['producer', 'consumer', 'board'];

/**
 * Where the single modules of a library are that is one file in its package: for measuring.
 *
 * @param {string} name
 */
export const modulesOf = (name) => join(root, 'dist', 'modules', name);

/** Builds everything, or only what is older than its sources. */
export async function build({ ifNeeded = false } = {}) {
  await install();
  if (ifNeeded && stale().length === 0) return;
  await alone('build', async () => {
    const wanted = ifNeeded ? stale() : [...libraries, ...applications];
    for (const name of libraries.filter((each) => wanted.includes(each)))
      await timed(name, () => withProgress(`building ${name}`, () => library(name)));
    const apps = applications.filter((each) => wanted.includes(each));
    if (apps.length > 0) await timed(apps.join(', '), () => Promise.all(apps.map(application)));
  });
}

/**
 * Builds, without checking types, what the applications and the embedded broker need to run, where it is older than its
 * sources: in a tenth of the time. `build` does not take it for its own.
 *
 * @param {{ board?: boolean }} [options] the board, its page and the application that shows it, too
 */
export async function buildToRun({ board = false } = {}) {
  await install();
  await buildParts(board);
  if (board) await alone('build', buildPageIfNeeded);
}

/** @param {boolean} board */
async function buildParts(board) {
  const wanted = () => parts(board).filter(({ made, inputs: from }) => time(made) < newest(from));
  if (wanted().length === 0) return;
  await alone('build', () =>
    timed('what is needed to run', () =>
      withProgress('building', async () => {
        const { default: ts } = await import('typescript');
        for (const { source, target, folder } of wanted()) {
          const staged = join(folder ?? root, '.dist', 'run');
          rmSync(staged, { recursive: true, force: true });
          for (const path of readdirSync(source, { recursive: true, encoding: 'utf8' }))
            if (/(?<!\.spec|\.d)\.ts$/.test(path)) translate(ts, join(source, path), join(staged, path));
          if (folder !== undefined) rmSync(join(folder, 'dist'), { recursive: true, force: true });
          replace(staged, target);
          if (folder !== undefined) makePrograms(folder, 'dist');
        }
      }),
    ),
  );
}

/**
 * What `buildToRun` makes: where from, where to, and a file that says how old it is.
 *
 * @param {boolean} board
 */
function parts(board) {
  const ofLibraries = ['amqp', 'embedded', 'nestjs', ...(board ? ['board'] : [])].map((name) => {
    const folder = join(root, 'libs', name);
    const target = join(folder, 'dist', 'esm');
    const made = join(target, 'index.js');
    return { source: join(folder, 'src'), target, folder, made, inputs: inputs(folder) };
  });
  const wanted = applications.filter((name) => board || name !== 'board');
  const ofApplications = wanted.map((name) => {
    const [source, target] = [join(root, 'apps', name, 'src'), join(root, 'dist', 'apps', name)];
    return { source, target, folder: undefined, made: join(target, 'main.js'), inputs: [source] };
  });
  return [...ofLibraries, ...ofApplications];
}

/** @param {typeof import('typescript')} ts @param {string} from @param {string} to */
function translate(ts, from, to) {
  const { outputText } = ts.transpileModule(readFileSync(from, 'utf8'), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      useDefineForClassFields: false,
    },
  });
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to.replace(/\.ts$/, '.js'), outputText);
}

/** @param {string} what @param {() => unknown} work */
async function timed(what, work) {
  const started = performance.now();
  await work();
  console.log(`built ${what} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** @param {string} name */
async function library(name) {
  const folder = join(root, 'libs', name);
  const staged = join(folder, '.dist');
  rmSync(staged, { recursive: true, force: true });
  await compile(join(folder, 'tsconfig.lib.json'), join(staged, 'esm'));
  // What every application loads is one file: to find, read and link its modules takes ten times as long as to load them.
  await finish(folder, staged, name === 'amqp' ? { modules: modulesOf(name) } : {});
  if (name === 'board') await buildPage(join(staged, 'page'));
  makePrograms(folder, '.dist');
  replace(staged, join(folder, 'dist'));
  makePrograms(folder, 'dist');
}

/**
 * Makes the files that package.json names as "bin" executable, and links them.
 *
 * @param {string} folder
 * @param {string} within
 */
function makePrograms(folder, within) {
  /** @type {{ bin?: Record<string, string> }} */
  const { bin = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const [program, path] of Object.entries(bin)) {
    makeProgram(join(folder, path.replace(/^(\.\/)?dist/, within)));
    if (within === 'dist') linkProgram(program, join(folder, path));
  }
}

/** @param {string} name */
async function application(name) {
  // Two levels deep, as the real output: the paths in the source maps are relative.
  const staged = join(root, '.dist', 'apps', name);
  rmSync(staged, { recursive: true, force: true });
  await compile(join(root, 'apps', name, 'tsconfig.app.json'), staged);
  replace(staged, join(root, 'dist', 'apps', name));
}

/** @param {string} project @param {string} outDir */
async function compile(project, outDir) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await runNode([tsc, '-p', project, '--outDir', outDir], { quiet: true });
  if (code !== 0) fail(`Does not compile (${project.slice(root.length + 1)}):\n${output}`);
}

/** @param {string} staged @param {string} target */
function replace(staged, target) {
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { recursive: true, force: true });
  renameSync(staged, target);
}

/** @param {string} path */
function makeProgram(path) {
  if (!existsSync(path))
    fail(`${path.slice(root.length + 1)} is missing, but package.json names it as "bin".`);
  const text = readFileSync(path, 'utf8');
  if (!text.startsWith('#!')) writeFileSync(path, `#!/usr/bin/env node\n${text}`);
  chmodSync(path, 0o755);
}

/**
 * npm links the programs of workspaces when it installs, before they are built; what it left out is done here.
 *
 * @param {string} name
 * @param {string} target
 */
function linkProgram(name, target) {
  const link = join(root, 'node_modules', '.bin', name);
  if (process.platform === 'win32' || existsSync(link)) return;
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

/** What must be built again: an output older than its sources, or older than an output it was built against. */
function stale() {
  const names = [];
  const tools = ['library', 'module-formats', 'declarations'].map((name) => `tools/${name}.mjs`);
  const settings = newest(['tsconfig.json', ...tools].map((each) => join(root, each)));
  let below = settings;
  for (const name of libraries) {
    const folder = join(root, 'libs', name);
    const packed = time(join(folder, 'dist', 'cjs', 'package.json'));
    const made = name === 'amqp' ? Math.min(packed, time(join(modulesOf(name), 'index.js'))) : packed;
    const sources = newest(inputs(folder, 'tsconfig.lib.json', ...(name === 'board' ? ['page'] : [])));
    // These are built against the others.
    const above = ['nestjs', 'opentelemetry', 'board'].includes(name);
    const against = !above ? settings : names.length > 0 ? Infinity : below;
    if (made < Math.max(sources, against)) names.push(name);
    below = Math.max(below, made);
  }
  for (const name of applications) {
    const made = time(join(root, 'dist', 'apps', name, 'main.js'));
    const sources = newest(inputs(join(root, 'apps', name), 'tsconfig.app.json'));
    if (made < Math.max(sources, below) || names.length > 0) names.push(name);
  }
  return names;
}

/** @param {string} folder @param {string[]} files */
const inputs = (folder, ...files) => ['src', 'package.json', ...files].map((each) => join(folder, each));

/** @param {readonly string[]} paths @returns {number} */
function newest(paths) {
  let latest = 0;
  for (const path of paths) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    latest = Math.max(latest, stat.mtimeMs);
    if (stat.isDirectory())
      latest = Math.max(latest, newest(readdirSync(path).map((name) => join(path, name))));
  }
  return latest;
}

/** @param {string} path */
const time = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await build({ ifNeeded: process.argv.includes('--if-needed') });
}
