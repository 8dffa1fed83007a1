// `npm run mutants`: would the tests notice? Each mutant is a slip in one place of a file that carries a promise; the tests
// that hold the promise run with it, on the embedded broker, and one of them must fail. Ends with what survived; exit
// code 1 when more than one in twenty does.
//   -- --only consume     mutants with that text in their area, id or file      -- --list    prints them and runs nothing
//   -- --workers 2        how many are tried at the same time
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { fail, onSignal, root, runNode } from './run.mjs';

/** @typedef {import('../test/mutants/index.mjs').Mutant} Mutant */

const LIMIT = 180_000;
const KILLED = 0.95;
/** What jest needs of the tree; what is built or installed is not copied. */
const PARTS = [
  'libs',
  'apps',
  'test',
  'bench',
  'docs',
  'tools',
  'jest.config.mjs',
  'package.json',
  'tsconfig.json',
];

/** @type {{ type: 'string' }} */
const text = { type: 'string' };
/** @satisfies {import('node:util').ParseArgsConfig['options']} */
const options = { only: text, workers: text, list: { type: 'boolean', default: false } };
const given = read();
const { mutants } = await import('../test/mutants/index.mjs');
const chosen = mutants.filter(({ id, area, file }) => `${area} ${id} ${file}`.includes(given.only ?? ''));
if (chosen.length === 0) fail(`no mutant has '${given.only}' in its area, id or file`);
if (given.list)
  for (const { id, file, promise } of chosen) console.log(`${id.padEnd(36)} ${file}: ${promise}`);
else await all();

async function all() {
  await install();
  // Some tests start programs of their own, which run what is built: it is not mutated, but must be there.
  await build({ ifNeeded: true });
  const scratch = mkdtempSync(join(tmpdir(), 'warren-mutants-'));
  onSignal(() => rmSync(scratch, { recursive: true, force: true }));
  const waiting = [...chosen];
  /** @type {[Mutant[], Mutant[]]} */
  const [survivors, stale] = [[], []];
  const workers = Array.from({ length: Number(given.workers ?? 2) }, (_, i) =>
    copyOf(join(scratch, String(i))),
  );
  await healthy(workers[0]);
  /** @param {string} tree */
  const work = async (tree) => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const { how, seconds } = await tryOut(mutant, tree);
      if (how === 'SURVIVED') survivors.push(mutant);
      if (how === 'STALE') stale.push(mutant);
      console.log(`${how.padEnd(9)} ${seconds.toFixed(0).padStart(4)} s  ${mutant.id}`);
    }
  };
  try {
    await Promise.all(workers.map(work));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const killed = chosen.length - survivors.length - stale.length;
  for (const { id, file } of stale) console.log(`\nstale ${id}: ${file} does not have its text exactly once`);
  for (const { id, file, promise } of survivors) console.log(`\nsurvivor ${id} in ${file}\n  ${promise}`);
  console.log(`\n${killed} of ${chosen.length} killed (${((100 * killed) / chosen.length).toFixed(1)} %)`);
  process.exitCode = killed / chosen.length >= KILLED ? 0 : 1;
}

/**
 * A test that fails without a slip says nothing about one.
 *
 * @param {string} tree
 */
async function healthy(tree) {
  const { code, output, seconds } = await jest(
    tree,
    [...new Set(chosen.flatMap(({ tests }) => tests))],
    20 * LIMIT,
  );
  if (code !== 0) fail(`without a slip the tests fail already:\n${output.slice(-4_000)}`);
  console.log(`the tests pass without a slip (${seconds.toFixed(0)} s); ${chosen.length} mutants to try`);
}

/**
 * Killed when a test fails; a run that hangs is killed as well.
 *
 * @param {Mutant} mutant
 * @param {string} tree
 */
async function tryOut({ file, from, to, tests }, tree) {
  const path = join(tree, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(from).length !== 2) return { how: 'STALE', seconds: 0 };
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  try {
    const { code, seconds } = await jest(tree, tests, LIMIT);
    return { how: code === 0 ? 'SURVIVED' : 'killed', seconds };
  } finally {
    writeFileSync(path, source);
  }
}

/** @param {string} tree @param {readonly string[]} tests @param {number} limit */
function jest(tree, tests, limit) {
  const program = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const args = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', program];
  args.push('--selectProjects', 'unit', 'e2e', '--bail', '--silent', '--maxWorkers=1');
  args.push(`--testPathPatterns=${tests.join('|')}`);
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, WARREN_STRICT: '1' };
  delete env.RABBITMQ_URL;
  return runNode(args, { cwd: tree, env, quiet: true, limit });
}

/** @param {string} tree */
function copyOf(tree) {
  /** @param {string} path */
  const filter = (path) => !/[\\/](node_modules|dist)([\\/]|$)/.test(path.slice(root.length));
  for (const part of PARTS)
    if (existsSync(join(root, part))) cpSync(join(root, part), join(tree, part), { recursive: true, filter });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

function read() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(error.message);
  }
}
