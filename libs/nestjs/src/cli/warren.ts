#!/usr/bin/env node
// `warren`: the program of this package. It knows the broker only; no application of Nest is started.
import { runWarren } from './command.js';

const interrupt = new AbortController();
process.on('SIGINT', stop).on('SIGTERM', stop);
// A reader that left (`| head`) is no failure of ours.
process.stdout.on('error', () => process.exit(0));

void runWarren(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  program: process.argv[1],
  environment: process.env,
  signal: interrupt.signal,
}).then((code) => {
  process.exitCode = code;
  // A connection that will not die must not keep a person waiting.
  setTimeout(() => process.exit(code), 2_000).unref();
});

function stop(): void {
  if (interrupt.signal.aborted) process.exit(130);
  process.stderr.write('Finishing the batch; press Ctrl+C again to stop at once.\n');
  interrupt.abort();
}
