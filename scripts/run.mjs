// What every script here shares: where the tree is, and how to run a program in it without leaving it behind.
// Only built-in modules, because scripts start before anything is installed.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Programs still running: they are told to stop when this process is. */
const running = new Set();

/**
 * Runs a program and resolves with `{ code, output, seconds }`. `quiet` collects the output instead of showing it,
 * `limit` (milliseconds) ends it when it takes longer. It never rejects because of the exit code: that is the
 * caller's to judge.
 */
export function run(command, args, { cwd = root, env = process.env, quiet = false, limit } = {}) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const shell = process.platform === 'win32' && command === 'npm';
    const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd, env, shell, stdio });
    running.add(child);
    const timer = limit === undefined ? undefined : setTimeout(() => child.kill('SIGTERM'), limit);
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

/** Runs a script of this folder, or a program of node_modules, with this very Node. */
export const runNode = (args, options) => run(process.execPath, args, options);

/** On SIGINT and SIGTERM: tells the running programs, waits for `cleanup`, exits as the signal demands. */
export function onSignal(cleanup) {
  let stopping = false;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ]) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      for (const child of running) child.kill(signal);
      Promise.resolve(cleanup())
        .catch((error) => console.error(error.message))
        .finally(() => process.exit(code));
    });
  }
}

/** Prints what went wrong and ends with a code that says so; for mistakes of the user, which need no stack. */
export function fail(message) {
  console.error(`\n${message}`);
  process.exit(1);
}
