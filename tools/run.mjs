// What every script here shares: where the tree is, and how to run a program in it without leaving it behind.
// Only built-in modules, because scripts start before anything is installed.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** @typedef {import('node:child_process').ChildProcess & { leads?: boolean }} Program */

/**
 * Programs still running: they are told to stop when this process is.
 * @type {Set<Program>}
 */
const running = new Set();
/** Whether this process tells them itself, their own children included; else the terminal does. */
let leads = false;
const GRACE = 5_000;
/** How often a long task says that it goes on, in ms. */
const PROGRESS = 10_000;
/** How often it is asked whether the parent is still there, in ms. */
const PARENT_CHECK = 500;

/**
 * Runs a program and resolves with `{ code, output, seconds }`. `quiet` collects the output instead of showing it,
 * `limit` (milliseconds) ends it when it takes longer. It never rejects because of the exit code: that is the
 * caller's to judge.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, quiet?: boolean, limit?: number }} [options]
 * @returns {Promise<{ code: number, output: string, seconds: number }>}
 */
export function run(command, args, { cwd = root, env = process.env, quiet = false, limit } = {}) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const shell = process.platform === 'win32' && command === 'npm';
    /** @type {import('node:child_process').StdioOptions} */
    const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
    const detached = leads && process.platform !== 'win32';
    /** @type {Program} */
    const child = spawn(command, args, { cwd, env, shell, stdio, detached });
    child.leads = detached;
    running.add(child);
    const timer = limit === undefined ? undefined : setTimeout(() => tell(child, 'SIGTERM'), limit);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => {
      running.delete(child);
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      clearTimeout(timer);
      const seconds = (performance.now() - started) / 1000;
      resolve({ code: code ?? (signal === 'SIGINT' ? 130 : 143), output, seconds });
    });
  });
}

/**
 * Says every ten seconds that `work` still goes on, and how long it has.
 *
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withProgress(what, work) {
  const started = performance.now();
  const timer = setInterval(() => {
    console.log(`${what} (${((performance.now() - started) / 1000).toFixed(0)} s so far)`);
  }, PROGRESS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/**
 * Runs a script of this folder, or a program of node_modules, with this very Node.
 *
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export const runNode = (args, options) => run(process.execPath, args, options);

/**
 * A program that leads a group of its own is told together with all it has started.
 *
 * @param {Program} child
 * @param {NodeJS.Signals} signal
 */
function tell(child, signal) {
  try {
    if (child.leads && child.pid !== undefined) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // The whole group has ended already.
  }
}

/** Resolves when the programs that were told have ended; after the grace they are killed. */
async function ended() {
  const end = performance.now() + GRACE;
  while (running.size > 0 && performance.now() < end) await pause(50);
  for (const child of running) tell(child, 'SIGKILL');
}

/**
 * On SIGINT and SIGTERM: tells the running programs, waits for them and for `cleanup`, exits as the signal demands. npm
 * hands its signals to a shell between us, which ends without a word: the end of that one counts as SIGTERM.
 *
 * @param {() => unknown} cleanup
 */
export function onSignal(cleanup) {
  leads = true;
  let stopping = false;
  /** @param {NodeJS.Signals} signal @param {number} code */
  const stop = (signal, code) => {
    if (stopping) return;
    stopping = true;
    for (const child of running) tell(child, signal);
    ended()
      .then(cleanup)
      .catch((error) => console.error(error.message))
      .finally(() => process.exit(code));
  };
  process.on('SIGINT', () => stop('SIGINT', 130));
  process.on('SIGTERM', () => stop('SIGTERM', 143));
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop('SIGTERM', 143), PARENT_CHECK).unref();
}

/**
 * Prints what went wrong and ends with a code that says so; for mistakes of the user, which need no stack.
 *
 * @param {string} message
 * @returns {never}
 */
export function fail(message) {
  console.error(`\n${message}`);
  process.exit(1);
}
