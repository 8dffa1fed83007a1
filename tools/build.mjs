// Builds the libraries (ESM and CommonJS) and the two applications, in the order in which they need each other.
// Output is written beside the old one and then put in its place, so a build that fails breaks nothing that ran.
// `--if-needed` leaves alone what is newer than its sources.
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { install } from './install.mjs';
import { finish } from './library.mjs';
import { alone } from './lock.mjs';
import { fail, root, runNode } from './run.mjs';

const libraries = ['amqp', 'embedded', 'nestjs', 'opentelemetry'];
const applications = ['producer', 'consumer'];

/** Builds everything, or only what is older than its sources. */
export async function build({ ifNeeded = false } = {}) {
  await install();
  if (ifNeeded && stale().length === 0) return;
  await alone('build', async () => {
    const wanted = ifNeeded ? stale() : [...libraries, ...applications];
    for (const name of libraries.filter((each) => wanted.includes(each)))
      await timed(name, () => library(name));
    const apps = applications.filter((each) => wanted.includes(each));
    if (apps.length > 0) await timed(apps.join(', '), () => Promise.all(apps.map(application)));
  });
}

async function timed(what, work) {
  const started = performance.now();
  await work();
  console.log(`built ${what} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function library(name) {
  const folder = join(root, 'libs', name);
  const staged = join(folder, '.dist');
  rmSync(staged, { recursive: true, force: true });
  await compile(join(folder, 'tsconfig.lib.json'), join(staged, 'esm'));
  await finish(folder, staged);
  const { bin = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const path of Object.values(bin)) makeProgram(join(folder, path.replace(/^(\.\/)?dist/, '.dist')));
  replace(staged, join(folder, 'dist'));
  for (const [program, path] of Object.entries(bin)) linkProgram(program, join(folder, path));
}

async function application(name) {
  // Two levels deep, as the real output: the paths in the source maps are relative.
  const staged = join(root, '.dist', 'apps', name);
  rmSync(staged, { recursive: true, force: true });
  await compile(join(root, 'apps', name, 'tsconfig.app.json'), staged);
  replace(staged, join(root, 'dist', 'apps', name));
}

async function compile(project, outDir) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await runNode([tsc, '-p', project, '--outDir', outDir], { quiet: true });
  if (code !== 0) fail(`Does not compile (${project.slice(root.length + 1)}):\n${output}`);
}

function replace(staged, target) {
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { recursive: true, force: true });
  renameSync(staged, target);
}

function makeProgram(path) {
  if (!existsSync(path))
    fail(`${path.slice(root.length + 1)} is missing, but package.json names it as "bin".`);
  const text = readFileSync(path, 'utf8');
  if (!text.startsWith('#!')) writeFileSync(path, `#!/usr/bin/env node\n${text}`);
  chmodSync(path, 0o755);
}

/** npm links the programs of workspaces when it installs, before they are built; what it left out is done here. */
function linkProgram(name, target) {
  const link = join(root, 'node_modules', '.bin', name);
  if (process.platform === 'win32' || existsSync(link)) return;
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

/** What must be built again: an output older than its sources, or older than an output it was built against. */
function stale() {
  const names = [];
  const settings = newest(['tsconfig.json', 'tools/library.mjs'].map((each) => join(root, each)));
  let below = settings;
  for (const name of libraries) {
    const folder = join(root, 'libs', name);
    const made = time(join(folder, 'dist', 'cjs', 'package.json'));
    const sources = newest(inputs(folder, 'tsconfig.lib.json'));
    // These two are built against the others.
    const above = name === 'nestjs' || name === 'opentelemetry';
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

const inputs = (folder, ...files) => ['src', 'package.json', ...files].map((each) => join(folder, each));

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

const time = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await build({ ifNeeded: process.argv.includes('--if-needed') });
}
