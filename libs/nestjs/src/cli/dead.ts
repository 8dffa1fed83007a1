// list, show, replay, drop: each asks the desk of @warren/amqp and prints what it says. Data goes to standard
// output, talk to standard error.

import { type FileHandle, open } from 'node:fs/promises';
import type { DeadLetter, DeadLetterProgress, DeadLetterResult, PeekOptions } from '@warren/amqp';
import { UsageError, type Arguments, type Verb } from './arguments.js';
import { jsonLine, json as jsonText, page, safe, table } from './print.js';
import { EXIT, type Terminal } from './terminal.js';

/**
 * The file of `--save`: a JSON object per letter. It is on the disk before a letter may leave its queue, and
 * an older file is never written over.
 */
export class LetterFile {
  private constructor(private readonly file: FileHandle) {}

  /** @throws UsageError when it is there already or cannot be made */
  static async create(path: string): Promise<LetterFile> {
    try {
      // For the owner only: bodies may hold what not everybody should read.
      return new LetterFile(await open(path, 'wx', 0o600));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(
        code === 'EEXIST'
          ? `${path} is there already; it is not written over`
          : `cannot write ${path} (${code})`,
      );
    }
  }

  async write(letters: readonly DeadLetter[]): Promise<void> {
    await this.file.appendFile(letters.map((letter) => `${jsonLine(letter)}\n`).join(''));
    await this.file.sync();
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

type Command = (args: Arguments, terminal: Terminal) => Promise<number>;

/** By their names. */
export const COMMANDS: Readonly<Record<Verb, Command>> = { list, show, replay, drop };

/** RabbitMQ 4 drops a message of a quorum queue without x-delivery-limit when it was handed back for the 21st time. */
const MANY_LOOKS = 15;

async function list({ desk, queues, filter, limit, json, management }: Arguments, terminal: Terminal) {
  if (queues.length === 0) {
    if (!management) throw new UsageError("'dead list' needs a queue, or --management to find them all");
    const found = await desk.queues();
    for (const { queue, messages } of found) {
      terminal.out(json ? jsonText({ queue, messages }) : `${String(messages).padStart(10)}  ${safe(queue)}`);
    }
    return found.length > 0 ? EXIT.done : EXIT.nothing;
  }
  let some = false;
  for (const queue of queues) {
    const messages = await desk.count(queue);
    some ||= messages > 0;
    const letters: DeadLetter[] = [];
    for await (const letter of desk.peek(queue, { ...filter, limit, ...looking(terminal) })) {
      // The body is not shown here, and may be large.
      letters.push({ ...letter, content: Buffer.alloc(0) });
    }
    warn(letters, terminal);
    const name = desk.deadQueue(queue);
    if (json) terminal.out(JSON.stringify({ queue: name, messages, letters: letters.map(row) }));
    else {
      const rows = letters.length > 0 ? `\n${table(letters)}` : '';
      terminal.out(`${safe(name)}: ${plural(messages, 'message')}${rows}`);
      if (letters.length > 0 && letters.length < messages) {
        terminal.err(
          `${letters.length} of ${messages} shown; --limit shows more, --error and others choose.`,
        );
      }
    }
  }
  return some ? EXIT.done : EXIT.nothing;
}

async function show({ desk, queues, filter, limit = 10, json, save }: Arguments, terminal: Terminal) {
  const file = save === undefined ? undefined : await LetterFile.create(save);
  let shown = 0;
  try {
    for await (const letter of desk.peek(queues[0], { ...filter, limit, ...looking(terminal) })) {
      shown++;
      warn([letter], terminal);
      if (file) await file.write([letter]);
      else terminal.out(json ? jsonLine(letter) : page(letter));
    }
  } finally {
    await file?.close();
  }
  if (save !== undefined) terminal.err(`${plural(shown, 'letter')} saved to ${safe(save)}.`);
  return shown > 0 ? EXIT.done : nothing(terminal);
}

async function replay({ desk, queues, filter, limit, batch, to, json }: Arguments, terminal: Terminal) {
  const target = to ?? desk.ownQueue(queues[0]);
  if (target === undefined)
    throw new UsageError(
      `the target queue cannot be told from the name '${queues[0]}', which does not end in .dead: give it with --to`,
    );
  terminal.err(`To queue '${safe(target)}'.`);
  const told = progress('replayed', json, terminal);
  const options = { ...filter, limit, batch, to, signal: terminal.signal, onProgress: told.onProgress };
  const result = await desk.replay(queues[0], options).catch((error: unknown) => told.failed(error));
  return told.ended(result);
}

async function drop(args: Arguments, terminal: Terminal): Promise<number> {
  const { desk, queues, filter, limit, batch, json, save, yes } = args;
  if (!yes) return preview(args, terminal);
  const file = save === undefined ? undefined : await LetterFile.create(save);
  const told = progress('dropped', json, terminal);
  try {
    const result = await desk
      .drop(queues[0], {
        ...filter,
        limit,
        batch,
        signal: terminal.signal,
        onProgress: told.onProgress,
        ...(file && { save: (letters: readonly DeadLetter[]) => file.write(letters) }),
      })
      .catch((error: unknown) => told.failed(error));
    return told.ended(result);
  } finally {
    await file?.close();
  }
}

async function preview(
  { desk, queues, filter, limit, json }: Arguments,
  terminal: Terminal,
): Promise<number> {
  const messages = await desk.count(queues[0]);
  const letters: DeadLetter[] = [];
  const most = Math.min(limit ?? 50, 50);
  for await (const letter of desk.peek(queues[0], { ...filter, limit: most, ...looking(terminal) })) {
    letters.push({ ...letter, content: Buffer.alloc(0) });
  }
  if (letters.length === 0) return nothing(terminal);
  if (json) for (const letter of letters) terminal.out(JSON.stringify(row(letter)));
  else terminal.out(table(letters));
  terminal.err(
    `Would drop these${letters.length === most ? ' and perhaps more' : ''}, of ${plural(messages, 'message')}. Nothing was dropped: add --yes.`,
  );
  return EXIT.usage;
}

interface Told {
  readonly onProgress: (progress: DeadLetterProgress) => void;
  failed(error: unknown): never;
  ended(result: DeadLetterResult): number;
}

function progress(word: string, json: boolean, { out, err }: Terminal): Told {
  let last: DeadLetterProgress | undefined;
  return {
    onProgress(now) {
      last = now;
      if (json) out(JSON.stringify({ kind: 'progress', ...now }));
      else err(`${word} ${now.done}, looked at ${now.seen} of ${now.total}`);
    },
    failed(error) {
      err(`${word} ${last?.done ?? 0} before it failed; the others are in their places.`);
      throw error;
    },
    ended(result) {
      const { done, seen, unseen, total, interrupted } = result;
      if (json) out(JSON.stringify({ kind: 'result', ...result }));
      else {
        const kept = seen - done > 0 ? `, ${seen - done} kept` : '';
        out(
          `${word} ${done} of ${plural(total, 'message')}${kept}${unseen > 0 ? `, ${unseen} not looked at` : ''}`,
        );
      }
      if (interrupted) return EXIT.interrupted;
      return done > 0 ? EXIT.done : EXIT.nothing;
    },
  };
}

function looking({ signal, err }: Terminal): Pick<PeekOptions, 'signal' | 'onEnd'> {
  return {
    signal,
    onEnd({ seen, unseen }) {
      if (unseen > 0 && !signal.aborted) err(`Looked at the first ${seen}; ${unseen} lie behind them.`);
    },
  };
}

function nothing({ err, signal }: Terminal): number {
  if (signal.aborted) return EXIT.interrupted;
  err('Nothing there, or nothing that fits.');
  return EXIT.nothing;
}

function warn(letters: readonly DeadLetter[], { err }: Terminal): void {
  const most = Math.max(0, ...letters.map(({ looks }) => looks));
  if (most < MANY_LOOKS) return;
  err(
    `Looked at ${most} times. RabbitMQ 4 drops a message of a quorum queue at the 21st, unless the queue has a large x-delivery-limit.`,
  );
}

/** A letter without body, stack and headers. */
function row({
  position,
  id,
  queue,
  handler,
  reason,
  byBroker,
  error,
  errorMessage,
  attempts,
  failedAt,
  replayed,
}: DeadLetter) {
  const why = { handler, reason, byBroker, error, errorMessage };
  return { position, id, queue, ...why, attempts, failedAt, replayed };
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
