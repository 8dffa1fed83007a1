// The command line of `warren`: selects the command, reports errors, and sets the exit code, which tells a script
// why a command failed.

import { ConfigError, ConnectionRefusedError, RabbitError } from '@warren/amqp';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { runBoard } from './board.js';
import { COMMANDS } from './dead.js';
import { parse, UsageError } from './arguments.js';
import { safe } from './print.js';
import { runTap } from './tap.js';
import { EXIT, type Terminal } from './terminal.js';
import { runTrace } from './trace.js';

/** Commands of one word. */
const SINGLE = {
  tap: runTap,
  trace: runTrace,
  board: (args: readonly string[], terminal: Terminal) => runBoard(args, terminal),
};

/** The help of all commands. */
export const USAGE = `Usage: warren dead list [queue]...      count dead letters and list the first ones
       warren dead show <queue>         print failure details, headers, stack and body of each
       warren dead replay <queue>       send them back to their queue (orders.dead to orders) and reset the attempts
       warren dead drop <queue> --yes   delete them; without --yes: list what would be deleted
       warren tap [key]...              print messages of an exchange as they pass, such as warren tap 'order.#'
       warren trace <id>                what happened to a message, by message id or correlation id
       warren board                     a web page that shows and does all this, on this machine (needs @warren/board)
       warren --help | --version

A queue is orders.dead or, for short, orders. list and show change nothing; replay and drop can be interrupted at any time.

Filters (all must match):
  --error <class>      class of the error, for example TypeError
  --handler <name>     handler that failed, for example OrderHandlers.place
  --id <message id>    message id; may be repeated
  --older <duration>   failed at least this long ago: 90s, 30m, 2h, 7d
  --newer <duration>   failed at most this long ago
  --limit <n>          maximum number of messages (default: list 50, show 10; show --save, replay, drop: all in the queue
                       at the start)

Options of single commands:
  --to <queue>         replay: target queue; required when the name does not end in .dead
  --batch <n>          replay, drop: messages per batch (default 100)
  --save <file.jsonl>  show, drop: write each message to this new file, as JSON; drop: before it is deleted
  --yes                drop: delete the messages

Options of tap (consumers notice nothing of it; it ends with Ctrl+C, --limit, or when the connection is lost):
  --exchange <name>    exchange to read from (default: events); without a key: all messages of a topic or fanout exchange
  --headers <k=v>      for headers exchanges, in place of keys; may be repeated: all must match. k alone: any value;
                       5 and true are no text, but "5" is
  --limit <n>          end after so many messages
  --body <bytes>       print so many bytes of each body, 0 for none (default: 1000; with --json: all)

Options of trace (asks the running applications that have the option fleet and the plugin journal(), and reads their
dead-letter queues, which counts as a delivery there):
  --service <name>     ask instances of this service only
  --timeout <duration> how long instances may take to answer (default: 2s)
  --queue <queue>      dead-letter queue to look into; may be repeated (default: those of the instances' handlers)
  --no-dead-letters    look into none
  --bodies             print the beginning of bodies, where journals keep them

Options of board:
  --port <n>           port on 127.0.0.1 (default: a free one)
  --rights <list>      what its visitor may do: look, replay, edit, control (default: look)
  --management <url>   management API (default: RABBITMQ_MANAGEMENT_URL)
  --save <folder>      save messages there before they are dropped

Options of all commands:
  --url <amqp url>         broker and virtual host (default: RABBITMQ_URL, else amqp://guest:guest@localhost:5672)
  --json                   print JSON, one object per line

Options of dead and trace:
  --exact                  use the queue name unchanged, for a dead-letter queue whose name does not end in .dead

Options of dead:
  --management <http url>  management API, for list without a queue (default: RABBITMQ_MANAGEMENT_URL)

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 queue or exchange not found, 4 broker unreachable, 5 access refused,
            6 queue locked, 7 no messages, 130 interrupted`;

/** Runs one command; resolves with its exit code. Never rejects. */
export async function runWarren(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const [command, verb = '', ...rest] = args;
    if (command === undefined) throw new UsageError('a command is required');
    if (isHelp(command) || (command === 'dead' && isHelp(verb))) return said(terminal, USAGE);
    if (command === '--version' || command === '-v') return said(terminal, version(terminal.program));
    const run = Object.hasOwn(SINGLE, command) ? SINGLE[command as keyof typeof SINGLE] : undefined;
    if (run) {
      const all = args.slice(1);
      return all.some(isHelp) ? said(terminal, USAGE) : await run(all, terminal);
    }
    if (command !== 'dead') throw new UsageError(`unknown command '${command}'`);
    if (!Object.hasOwn(COMMANDS, verb)) {
      throw new UsageError(
        verb === ''
          ? 'dead requires a command: list, show, replay or drop'
          : `unknown command 'dead ${verb}'`,
      );
    }
    const name = verb as keyof typeof COMMANDS;
    const parsed = parse(name, rest, terminal.environment);
    if (parsed === 'help') return said(terminal, USAGE);
    return await COMMANDS[name](parsed, terminal);
  } catch (error) {
    return failed(error, args, terminal);
  }
}

const isHelp = (word: string): boolean => ['--help', '-h', 'help'].includes(word);

function said(terminal: Terminal, text: string): number {
  terminal.out(text);
  return EXIT.done;
}

function failed(error: unknown, args: readonly string[], terminal: Terminal): number {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    terminal.err(`${usageOf(args)}\n\nwarren: ${safe(text)} (see warren --help)`);
    return EXIT.usage;
  }
  terminal.err(`warren: ${said404(error) ?? safe(text)}`);
  return exitCode(error);
}

/** The first lines of the help: that of the command, or all when there is no such command. */
function usageOf([command, verb]: readonly string[]): string {
  const lines = USAGE.slice('Usage: '.length, USAGE.indexOf('\n\n')).split(/\n\s*/);
  const of = (...words: unknown[]): string[] =>
    lines.filter((line) => line.startsWith(`warren ${words.join(' ')} `));
  const [own = lines] = [of(command, verb), of(command)].filter(({ length }) => length > 0);
  return `Usage: ${own.join('\n       ')}`;
}

// The hint of the error is about handlers that declare the queue; here a person typed its name.
function said404(error: unknown): string | undefined {
  if (!(error instanceof RabbitError) || error.code !== 'WARREN_TOPOLOGY_MISSING') return undefined;
  const { what, missing } = error as RabbitError & { readonly what: string; readonly missing: string };
  return `${what} '${safe(missing)}' does not exist (check the name and the virtual host of the URL)`;
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
    case 'WARREN_RPC_CONNECTION_LOST':
    case 'WARREN_RPC_NOT_SENT':
      return EXIT.unreachable;
    case 'WARREN_ACCESS_REFUSED':
      return EXIT.forbidden;
    case 'WARREN_QUEUE_LOCKED':
      return EXIT.locked;
    default:
      return EXIT.failed;
  }
}

// The program is in dist/esm/cli or dist/cjs/cli. Both builds know its path (import.meta and __dirname differ).
function version(program: string): string {
  const file = join(realpathSync(program), '../../../../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
