#!/usr/bin/env node
// `warren-broker`: the embedded broker as a process. It ends at the first signal, and when its parent process ends.
import { runCommand } from './command.js';
import { whenParentEnds } from './parent.js';

/** How long clients and files have when the broker ends. */
const GRACE = 5_000;

// Who reads the output may be gone first.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

// First of all, since the parent may end during the start.
whenParentEnds(() => void unlessItStays());

const starting = runCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
});

/** What ends it; before it has started, as soon as it has. */
const stop = async (): Promise<void> => {
  setTimeout(() => process.exit(1), GRACE).unref();
  const running = await starting;
  if (running.kind === 'running') await running.broker.close();
};
const unlessItStays = async (): Promise<void> => {
  const running = await starting;
  if (running.kind === 'ended' || !running.stay) await stop();
};
// A start prints the URL before it is over, and who reads it may be quick to end it. A terminal tells npm and this process,
// and npm tells it again: more signals do not cut the end short.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());
process.on('SIGHUP', () => void unlessItStays());

void starting.then((running) => {
  if (running.kind === 'ended') process.exitCode = running.code;
});
