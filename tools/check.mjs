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
 * A step. Those that are `beside` the others run one after the other, until a step that is to run `alone`: the ones that
 * are `idle` get the processor when nothing else wants it. One with `figures` gives these and cannot fail.
 *
 * @typedef {{ name: string, command: [string, ...string[]], limit: number, beside?: 'idle' | 'busy', alone?: boolean,
 *   figures?: RegExp, env?: NodeJS.ProcessEnv }} Step
 */

/** @type {Step[]} */
const steps = [
  // What only computes has the tests' pauses, in which they wait for brokers and processes.
  { name: 'lint', command: ['npm', 'run', 'lint'], limit: 40 * minutes, beside: 'idle' },
  { name: 'build', command: ['npm', 'run', 'build'], limit: 10 * minutes },
  { name: 'types', command: ['npm', 'run', 'typecheck'], limit: 40 * minutes, beside: 'idle' },
  { name: 'docs', command: ['npm', 'run', 'docs', '--', '--check'], limit: 40 * minutes, beside: 'idle' },
  // The unit tests once more, counting what they reach; `npm test` judges them.
  {
    name: 'coverage',
    command: ['npm', 'run', 'coverage', '--', '--unit'],
    limit: 40 * minutes,
    beside: 'idle',
    figures: /^(Lines|Branches) .*$/gm,
  },
  // Three minutes of which it sleeps most.
  {
    name: 'soak',
    command: ['npm', 'run', 'soak', '--', '--short'],
    limit: 15 * minutes,
    beside: 'busy',
    env: brokers,
  },
  {
    name: 'tests',
    command: ['npm', 'test'],
    limit: 60 * minutes,
    env: { ...brokers, TEST_RESULTS: resultsFile },
  },
  { name: 'packages', command: ['npm', 'run', 'packages'], limit: 10 * minutes },
  { name: 'demo', command: ['npm', 'run', 'demo'], limit: 15 * minutes },
  { name: 'bench', command: ['npm', 'run', 'bench', '--', '--quick'], limit: 10 * minutes, alone: true },
];

onSignal(() => {});
const began = performance.now();
/** @type {Awaited<ReturnType<typeof take>>[]} */
const done = [];
/** @type {Map<string, Promise<unknown>>} */
const beside = new Map();
for (const step of steps) {
  const ran = async () => void done.push(await take(step));
  if (step.alone) await Promise.all(beside.values());
  if (step.beside) beside.set(step.beside, (beside.get(step.beside) ?? Promise.resolve()).then(ran));
  else await ran();
}
await Promise.all(beside.values());

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
async function take({ name, command, limit, env, beside, figures }) {
  const quiet = beside !== undefined;
  console.log(`\n== ${name}: ${command.join(' ')}${quiet ? ' (beside other steps)' : ''}`);
  const [program, ...args] = beside === 'idle' ? idle(command) : command;
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

/**
 * The command with the lowest priority. Where Linux shares the processor among sessions first, that of the session counts.
 *
 * @param {Step['command']} command
 * @returns {Step['command']}
 */
function idle(command) {
  if (process.platform === 'win32') return command;
  const lower = '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec nice -n 19 "$@"';
  return ['sh', '-c', lower, 'sh', ...command];
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
