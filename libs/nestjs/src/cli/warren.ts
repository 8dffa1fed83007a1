#!/usr/bin/env node
// The program `warren`. It connects to the broker only and starts no Nest application.
import { runWarren } from './command.js';
import { EXIT } from './terminal.js';

/** Commands that change something: interrupted, they end after their batch. The others may end at any time. */
const changes = /^(board|dead (replay|drop))\b/.test(process.argv.slice(2, 4).join(' '));

const interrupt = new AbortController();
let unwritten = false;
let ended = false;
process.on('SIGINT', stop).on('SIGTERM', stop);
process.stdout.on('error', outputFailed);
// There is nowhere to report it, and it stops no work.
process.stderr.on('error', () => undefined);

void runWarren(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  drained,
  err: (text) => void process.stderr.write(`${text}\n`),
  program: process.argv[1],
  environment: process.env,
  signal: interrupt.signal,
}).then((code) => {
  process.exitCode = unwritten ? EXIT.failed : code;
  ended = true;
  if (interrupt.signal.aborted) leave();
  else process.stdout.write('', () => process.stderr.write('', leave));
});

/** Exits even when a connection does not close. What exit() finds unwritten is lost. */
function leave(): void {
  setTimeout(() => process.exit(), 2_000).unref();
}

/** Resolves when standard output takes more, is closed, or the command is interrupted. */
function drained(): Promise<void> {
  const { stdout } = process;
  const { signal } = interrupt;
  if (!stdout.writableNeedDrain || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const goOn = (): void => {
      stdout.off('drain', goOn).off('close', goOn);
      signal.removeEventListener('abort', goOn);
      resolve();
    };
    stdout.on('drain', goOn).on('close', goOn);
    signal.addEventListener('abort', goOn);
  });
}

/** A closed pipe (`| head`) is not an error. Output that is lost for another reason is: a script may drop what it has not saved. */
function outputFailed({ code, message }: NodeJS.ErrnoException): void {
  if (unwritten || interrupt.signal.aborted) return;
  const isClosed = code === 'EPIPE';
  // The command has its own code, and nothing is left to stop.
  if (isClosed && ended) return;
  unwritten = !isClosed;
  if (unwritten) {
    process.stderr.write(`warren: cannot write the output: ${message}\n`);
    process.exitCode = EXIT.failed;
  }
  if (!changes) process.exit(isClosed ? EXIT.done : EXIT.failed);
  interrupt.abort();
}

function stop(): void {
  if (ended || interrupt.signal.aborted) process.exit(EXIT.interrupted);
  process.stderr.write('Finishing; press Ctrl+C again to stop at once.\n');
  interrupt.abort();
}
