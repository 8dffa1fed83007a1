#!/usr/bin/env node
// `warren-broker`: the embedded broker as a process. It ends at the first signal, and when its parent process ends.
import { runCommand } from './command.js';
import { whenParentEnds } from './parent.js';

/** How long clients and files have when the broker ends. */
const GRACE = 5_000;

// Who reads the output may be gone first.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

void runCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
}).then((running) => {
  if (running.kind === 'ended') {
    process.exitCode = running.code;
    return;
  }
  const stop = (): void => {
    setTimeout(() => process.exit(1), GRACE).unref();
    void running.broker.close();
  };
  // A terminal tells npm and this process, and npm tells it again: more signals do not cut the end short.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  process.on('SIGHUP', running.stay ? () => undefined : stop);
  if (!running.stay) whenParentEnds(stop);
});
