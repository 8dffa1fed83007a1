// The command board: starts @warren/board, which is a package of its own, and prints its address.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { UsageError, whole } from './arguments.js';
import { EXIT, type Terminal } from './terminal.js';

/** What the command needs of the package. */
interface BoardPackage {
  startBoard(options: object): Promise<{ readonly address: string; close(): Promise<void> }>;
}

const RIGHTS = ['look', 'replay', 'edit', 'control'];
const text = { type: 'string' } as const;

/** Runs until it is interrupted; resolves with its exit code. `load` is what brings the package. */
export async function runBoard(
  args: readonly string[],
  { environment, out, signal }: Terminal,
  load = installed,
): Promise<number> {
  const { url, management, port, rights = 'look', save } = parsed(args);
  const list = rights.split(',');
  const wrong = list.find((right) => !RIGHTS.includes(right));
  if (wrong !== undefined) throw new UsageError(`--rights is a list of ${RIGHTS.join(', ')}`);
  const program = await load();
  const board = await program.startBoard({
    url: url ?? (environment.RABBITMQ_URL || undefined),
    management: management ?? (environment.RABBITMQ_MANAGEMENT_URL || undefined),
    port: whole('--port', port),
    rights: list,
    saveDropped: save,
  });
  try {
    out(`The board is at ${board.address}`);
    out('The address is good for one browser, once. Ctrl+C ends the board.');
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await board.close();
  }
  return EXIT.interrupted;
}

function parsed(
  args: readonly string[],
): Partial<Record<'url' | 'management' | 'port' | 'rights' | 'save', string>> {
  const options = { url: text, management: text, port: text, rights: text, save: text };
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** From the project in which the command is run: this package does not depend on it. */
async function installed(): Promise<BoardPackage> {
  let path: string;
  try {
    path = createRequire(join(process.cwd(), 'package.json')).resolve('@warren/board');
  } catch {
    throw new UsageError(
      'the board is a package of its own: npm install @warren/board @nestjs/platform-express',
    );
  }
  return (await import(pathToFileURL(path).href)) as BoardPackage;
}
