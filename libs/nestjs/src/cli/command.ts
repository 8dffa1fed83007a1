// The command line of `warren`: which command is meant, what it says when it cannot be done, and with which
// exit code. A script can tell the reasons apart by the code alone.

import { ConfigError, ConnectionRefusedError, RabbitError } from '@warren/amqp';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS } from './dead.js';
import { parse, UsageError } from './arguments.js';
import { safe } from './print.js';
import { EXIT, type Terminal } from './terminal.js';

// What `warren --help` says. In a file of its own, since the documentation prints it.

/** The help of all commands. */
export const USAGE = `Usage: warren dead list [queue]...      how many dead letters there are, and a line for each of the first
       warren dead show <queue>         facts, headers, stack and body of each
       warren dead replay <queue>       send them to their queue (orders for orders.dead), attempts anew
       warren dead drop <queue> --yes   take them out for good; without --yes: show what would go
       warren --help | --version

A queue is orders.dead or, for short, orders. Looking changes nothing; a replay or drop can be interrupted at any time.

Which letters (all conditions must hold):
  --error <class>      class of the error, for example TypeError
  --handler <name>     the handler that failed, for example OrderHandlers.place
  --id <message id>    may be repeated
  --older <duration>   failed at least that long ago: 90s, 30m, 2h, 7d
  --newer <duration>   failed at most that long ago
  --limit <n>          maximum number of letters (list 50, show 10, replay and drop: all that are there when it begins)

What to do with them:
  --to <queue>         replay: to another queue; needed when the name does not end in .dead
  --batch <n>          replay, drop: letters per batch (100)
  --save <file.jsonl>  show, drop: a JSON object per letter into this new file; drop: before it leaves the queue
  --yes                drop: do it

  --url <amqp url>         broker and virtual host (RABBITMQ_URL, else amqp://guest:guest@localhost:5672)
  --management <http url>  for list without a queue (RABBITMQ_MANAGEMENT_URL): AMQP cannot list queues
  --exact                  take the queue's name as it is: a dead-letter queue whose name does not end in .dead
  --json                   JSON objects, one a line, instead of text

Exit codes: 0 done, 1 failed on the way, 2 wrong usage, 3 no such queue, 4 no broker, 5 not allowed,
            6 queue locked, 7 nothing there, 130 interrupted`;

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
