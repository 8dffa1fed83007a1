// The producer: `npm run producer -- simple "Hello World!"`. Starts a Nest application without HTTP, sends what the
// command line says, and ends. How each pattern is sent is in ./patterns.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { RabbitError } from '@warren/nestjs';
import { AppModule } from './app.module.js';
import { type CommandLine, readCommandLine } from './command-line.js';
import { producers } from './patterns.js';
import { Terminal } from './terminal.js';
import { usage } from './usage.js';

const read = readCommandLine(process.argv.slice(2));
if (read.kind === 'help') {
  console.log(usage);
} else if (read.kind === 'wrong') {
  console.error(`${read.message}\n\n${usage}`);
  process.exitCode = 2;
} else {
  await produce(read.commandLine);
}

async function produce(commandLine: CommandLine): Promise<void> {
  const terminal = new Terminal(commandLine);
  try {
    const app = await NestFactory.createApplicationContext(AppModule.for(commandLine, terminal), {
      // Nest would print a stack and end the process by itself; here a start that fails ends with one line.
      abortOnError: false,
      logger: commandLine.verbose ? ['log', 'warn', 'error'] : ['error'],
    });
    // A signal closes the application properly: what is being published is confirmed before the connection goes. The
    // process then ends by itself, and not by exit(), which would cut off what it has still to say.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close());
    try {
      await app.get(producers[commandLine.pattern]).produce(commandLine);
    } catch (error) {
      failed(error as Error);
    }
    await app.close();
  } catch (error) {
    // The library has said its own errors in the log.
    failed(error as Error, error instanceof RabbitError);
  }

  function failed(error: Error, logged = false): void {
    terminal.failed(error, logged);
    process.exitCode = 1;
  }
}
