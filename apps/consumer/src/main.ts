// The consumer: `npm run consumer -- work --prefetch 1`. Reads the command line, starts a Nest application without
// HTTP, and listens until Ctrl+C. What a handler looks like is in ./patterns, one file for each pattern.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { RabbitError } from '@warren/nestjs';
import { AppModule } from './app.module.js';
import { type CommandLine, readCommandLine } from './command-line.js';
import { Terminal } from './terminal.js';
import { usage } from './usage.js';

const read = readCommandLine(process.argv.slice(2));
if (read.kind === 'help') {
  console.log(usage);
} else if (read.kind === 'wrong') {
  console.error(`${read.message}\n\n${usage}`);
  process.exitCode = 2;
} else {
  await listen(read.commandLine);
}

async function listen(commandLine: CommandLine): Promise<void> {
  try {
    const app = await NestFactory.createApplicationContext(AppModule.for(commandLine), {
      // Nest would print a stack and end the process by itself; here a start that fails ends with one line.
      abortOnError: false,
      logger: commandLine.verbose ? ['log', 'warn', 'error'] : ['error'],
    });
    // Without this a signal ends the process at once. With it the library stops taking messages, lets running
    // handlers finish (option `shutdown`, 10 s), and hands back what has not started.
    app.enableShutdownHooks(['SIGINT', 'SIGTERM'], { useProcessExit: true });
    if (!commandLine.verbose) app.useLogger(['warn', 'error']);
    app.get(Terminal).waiting();
  } catch (error) {
    // The library has said its own errors in the log.
    if (!(error instanceof RabbitError)) console.error((error as Error).message);
    process.exit(1);
  }
}
