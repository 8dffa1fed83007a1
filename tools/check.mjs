// Everything that must hold before a change goes in, step by step, with times: `npm run check`, and what `.ci/run`
// starts. A step that fails does not keep the others from running; the last line adds up tests and steps.
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onSignal, run } from './run.mjs';
import { failures, total } from './summary.mjs';

const minutes = 60_000;
/** Of a step that failed and whose output was not shown as it came, repeated at the end. */
const LAST_LINES = 30;
const MEMORY = '/dev/shm';
/** What the files of all brokers of a run may take, and then some. */
const FILES = 2 * 1024 ** 3;
const scratch = mkdtempSync(join(tmpdir(), 'warren-check-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
const resultsFile = join(scratch, 'results.json');
// A broker waits for the disk at each declaration and each confirm of a durable message, which is a quarter of a run.
// What is in memory survives the end of a process as well as a disk does, and no test switches the machine off.
const brokers = inMemory();

/**
 * @typedef {{ name: string, command: [string, ...string[]], limit: number, besideUntil?: string, figures?: RegExp, env?: NodeJS.ProcessEnv }} Step
 */

/**
 * The README's own commands first: they are what a stranger types.
 * @type {Step[]}
 */
const steps = [
  {
    name: 'tests',
    command: ['npm', 'test'],
    limit: 60 * minutes,
    env: { ...brokers, TEST_RESULTS: resultsFile },
  },
  // Three minutes of which it sleeps most: beside what does not touch the build.
  {
    name: 'soak',
    command: ['npm', 'run', 'soak', '--', '--short'],
    limit: 15 * minutes,
    besideUntil: 'build',
    env: brokers,
  },
  // The unit tests once more, counting what they reach, which takes more than twice the time. `npm test` has judged them
  // already: this step gives figures, and cannot fail.
  {
    name: 'coverage',
    command: ['npm', 'run', 'coverage', '--', '--unit'],
    limit: 6 * minutes,
    besideUntil: 'build',
    figures: /^(Lines|Branches) .*$/gm,
  },
  { name: 'lint', command: ['npm', 'run', 'lint'], limit: 10 * minutes },
  { name: 'types', command: ['npm', 'run', 'typecheck'], limit: 10 * minutes },
  { name: 'docs', command: ['npm', 'run', 'docs', '--', '--check'], limit: 10 * minutes },
  { name: 'build', command: ['npm', 'run', 'build'], limit: 10 * minutes },
  { name: 'packages', command: ['npm', 'run', 'packages'], limit: 10 * minutes },
  { name: 'bench', command: ['npm', 'run', 'bench', '--', '--quick'], limit: 10 * minutes },
  { name: 'demo', command: ['npm', 'run', 'demo'], limit: 15 * minutes },
];

onSignal(() => {});
const began = performance.now();
const done = [];
const beside = [];
for (const step of steps) {
  const over = beside.filter(({ besideUntil }) => besideUntil === step.name);
  for (const { result } of over) done.push(await result);
  if (step.besideUntil) beside.push({ ...step, result: take(step) });
  else done.push(await take(step));
}

const results = counted();
const tests = total(results);
const failed = done.filter((step) => !step.ok);
console.log('\nSteps');
for (const { name, ok, seconds } of done) {
  console.log(`  ${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(8)} ${seconds.toFixed(0).padStart(4)} s`);
}
for (const { name, figures } of done)
  if (figures) console.log(`\n${name}\n${figures.replace(/^/gm, '  ')}\n`);
for (const failure of failures(results)) console.log(`  FAILED  ${failure}`);
for (const { name, tail } of failed) if (tail) console.log(`\nThe end of what ${name} printed:\n${tail}`);
console.log(`  in all ${((performance.now() - began) / 1_000).toFixed(0)} s`);
console.log(`\n${tests.passed + done.length - failed.length} passed, ${tests.failed + failed.length} failed`);
process.exitCode = tests.failed + failed.length > 0 ? 1 : 0;

/** @param {Step} step */
async function take({ name, command: [program, ...args], limit, env, besideUntil, figures }) {
  const quiet = besideUntil !== undefined;
  console.log(`\n== ${name}: ${[program, ...args].join(' ')}${quiet ? ' (beside the next steps)' : ''}`);
  const options = { env: { ...process.env, ...env }, limit, quiet };
  const { code, seconds, output } = await run(program, args, options).catch((error) => {
    console.error(error.message);
    return { code: 1, seconds: 0, output: '' };
  });
  if (figures)
    return {
      name,
      ok: true,
      seconds,
      figures: output.match(figures)?.join('\n') ?? 'not measured',
      tail: '',
    };
  if (quiet) console.log(`\n== ${name} printed:\n${output}`);
  console.log(
    `== ${name}: ${code === 0 ? 'ok' : `failed (exit code ${code})`} after ${seconds.toFixed(0)} s`,
  );
  return {
    name,
    ok: code === 0,
    seconds,
    tail: output.trimEnd().split('\n').slice(-LAST_LINES).join('\n'),
  };
}

function inMemory() {
  if (!existsSync(MEMORY) || process.availableMemory() < 2 * FILES) return {};
  const { bavail, bsize } = statfsSync(MEMORY);
  if (bavail * bsize < FILES) return {};
  const folder = mkdtempSync(join(MEMORY, 'warren-check-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { WARREN_RABBITMQ_FOLDER: folder };
}

function counted() {
  try {
    return JSON.parse(readFileSync(resultsFile, 'utf8'));
  } catch {
    return {};
  }
}
