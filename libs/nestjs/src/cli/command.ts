// The command line of `warren`: which command is meant, what it says when it cannot be done, and with which
// exit code. A script can tell the reasons apart by the code alone.

import { ConfigError, ConnectionRefusedError, RabbitError } from '@warren/amqp';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS } from './dead.js';
import { parse, UsageError } from './arguments.js';
import { USAGE } from './usage.js';
import { safe } from './print.js';
import { EXIT, type Terminal } from './terminal.js';

/** Runs one command; resolves with its exit code. Never rejects. */
export async function runWarren(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const [room, verb = '', ...rest] = args;
    if (room === undefined) throw new UsageError(`nothing to do\n\n${USAGE}`);
    if (isHelp(room) || (room === 'dead' && isHelp(verb))) return said(terminal, USAGE);
    if (room === '--version' || room === '-v') return said(terminal, version(terminal.program));
    if (room !== 'dead') throw new UsageError(`unknown command '${room}'`);
    if (!Object.hasOwn(COMMANDS, verb)) {
      throw new UsageError(verb === '' ? 'warren dead needs a command' : `unknown command 'dead ${verb}'`);
    }
    const name = verb as keyof typeof COMMANDS;
    const parsed = parse(name, rest, terminal.environment);
    if (parsed === 'help') return said(terminal, USAGE);
    return await COMMANDS[name](parsed, terminal);
  } catch (error) {
    return failed(error, terminal);
  }
}

const isHelp = (word: string): boolean => ['--help', '-h', 'help'].includes(word);

function said(terminal: Terminal, text: string): number {
  terminal.out(text);
  return EXIT.done;
}

function failed(error: unknown, terminal: Terminal): number {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    terminal.err(
      `warren: ${text.endsWith(USAGE) ? text : `${safe(text)} (warren --help lists commands and options)`}`,
    );
    return EXIT.usage;
  }
  terminal.err(`warren: ${said404(error) ?? safe(text)}`);
  return exitCode(error);
}

// The hint of the error is for a handler that declares; here is somebody who typed a name.
function said404(error: unknown): string | undefined {
  if (!(error instanceof RabbitError) || error.code !== 'WARREN_TOPOLOGY_MISSING') return undefined;
  const { missing } = error as RabbitError & { readonly missing: string };
  return `there is no queue '${safe(missing)}' (look at the name and at the virtual host of the URL)`;
}

function exitCode(error: unknown): number {
  if (error instanceof ConnectionRefusedError) {
    return error.reason === 'credentials' || error.reason === 'vhost' ? EXIT.forbidden : EXIT.unreachable;
  }
  if (error instanceof ConfigError) return EXIT.usage;
  switch (error instanceof RabbitError ? error.code : undefined) {
    case 'WARREN_TOPOLOGY_MISSING':
      return EXIT.missing;
    case 'WARREN_CONNECTION_LOST':
      return EXIT.unreachable;
    case 'WARREN_ACCESS_REFUSED':
      return EXIT.forbidden;
    case 'WARREN_QUEUE_LOCKED':
      return EXIT.locked;
    default:
      return EXIT.failed;
  }
}

// The program is in dist/esm/cli or dist/cjs/cli. Its own path is the one thing that both builds know the same way.
function version(program: string): string {
  const file = join(realpathSync(program), '../../../../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
