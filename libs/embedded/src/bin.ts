#!/usr/bin/env node
// `warren-broker`: the embedded broker as a process of its own.
import { runCommand } from './command.js';

void runCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
}).then((running) => {
  if (running.kind === 'ended') {
    process.exitCode = running.code;
    return;
  }
  const stop = (): void => void running.broker.close();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
});
