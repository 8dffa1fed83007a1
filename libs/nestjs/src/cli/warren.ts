#!/usr/bin/env node
// The program `warren`. It connects to the broker only and starts no Nest application.
import { runWarren } from './command.js';

const interrupt = new AbortController();
process.on('SIGINT', stop).on('SIGTERM', stop);
// A closed pipe (`| head`) is not an error.
process.stdout.on('error', () => process.exit(0));

void runWarren(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  program: process.argv[1],
  environment: process.env,
  signal: interrupt.signal,
}).then((code) => {
  process.exitCode = code;
  // Exit even when a connection does not close.
  setTimeout(() => process.exit(code), 2_000).unref();
});

function stop(): void {
  if (interrupt.signal.aborted) process.exit(130);
  process.stderr.write('Finishing; press Ctrl+C again to stop at once.\n');
  interrupt.abort();
}
