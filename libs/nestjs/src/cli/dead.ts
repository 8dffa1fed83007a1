// The commands list, show, replay and drop. Each calls the dead-letter client of @warren/amqp and prints the result:
// data to standard output, messages to the user to standard error.

import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { DeadLetter, DeadLetterProgress, DeadLetterResult, PeekOptions } from '@warren/amqp';
import { UsageError, type Arguments, type Verb } from './arguments.js';
import { jsonLine, json as jsonText, page, safe, table } from './print.js';
import { EXIT, type Terminal } from './terminal.js';

/**
 * The file of `--save`: one JSON object per dead letter, flushed to disk before the message is deleted from its queue.
 * An existing file is never overwritten; one without messages is removed again.
 */
export class LetterFile {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /** @throws UsageError when the file exists or cannot be created */
  static async create(path: string): Promise<LetterFile> {
    try {
      // Readable by its owner only: bodies may be confidential.
      return new LetterFile(path, await open(path, 'wx', 0o600));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(
        code === 'EEXIST'
          ? `${path} already exists and is not overwritten`
          : `cannot write ${path} (${code})`,
      );
    }
  }

  async write(letters: readonly DeadLetter[]): Promise<void> {
    await this.file.appendFile(letters.map((letter) => `${jsonLine(letter)}\n`).join(''));
    await this.file.sync();
  }

  async close(): Promise<void> {
    const { size } = await this.file.stat();
    await this.file.close();
    if (size === 0) await unlink(this.path);
  }
}

type Command = (args: Arguments, terminal: Terminal) => Promise<number>;

/** The commands by name. */
export const COMMANDS: Readonly<Record<Verb, Command>> = { list, show, replay, drop };

/** RabbitMQ 4 drops a message of a quorum queue without x-delivery-limit when it is returned for the 21st time. */
const MANY_LOOKS = 15;

async function list({ deadLetters, queues, filter, limit, json, management }: Arguments, terminal: Terminal) {
  if (queues.length === 0) {
    if (!management) throw new UsageError("'dead list' requires a queue, or --management to list all queues");
    const found = await deadLetters.queues();
    for (const { queue, messages } of found) {
      terminal.out(json ? jsonText({ queue, messages }) : `${String(messages).padStart(10)}  ${safe(queue)}`);
    }
    return found.length > 0 ? EXIT.done : EXIT.nothing;
  }
  let some = false;
  for (const queue of queues) {
    const messages = await deadLetters.count(queue);
    some ||= messages > 0;
    const letters: DeadLetter[] = [];
    for await (const letter of deadLetters.peek(queue, { ...filter, limit, ...peekOptions(terminal) })) {
      // The list does not show bodies, and they may be large.
      letters.push({ ...letter, content: Buffer.alloc(0) });
    }
    if (terminal.signal.aborted) return EXIT.interrupted;
    warn(letters, terminal);
    const name = deadLetters.deadQueue(queue);
    if (json) terminal.out(jsonText({ queue: name, messages, letters: letters.map(row) }));
    else {
      const rows = letters.length > 0 ? `\n${table(letters)}` : '';
      terminal.out(`${safe(name)}: ${plural(messages, 'message')}${rows}`);
      if (letters.length > 0 && letters.length < messages) {
        terminal.err(
          `Showing ${letters.length} of ${messages}. Use --limit to show more, or a filter such as --error.`,
        );
      }
    }
  }
  return some ? EXIT.done : EXIT.nothing;
}

/** Messages that `show` prints without --limit; --save takes all. */
const SHOWN = 10;

async function show({ deadLetters, queues, filter, limit, json, save }: Arguments, terminal: Terminal) {
  const file = save === undefined ? undefined : await LetterFile.create(save);
  const most = limit ?? (file ? Number.MAX_SAFE_INTEGER : SHOWN);
  let [shown, unread] = [0, 0];
  const { signal, onEnd } = peekOptions(terminal);
  const ended: PeekOptions['onEnd'] = (end) => {
    unread = end.unseen;
    onEnd?.(end);
  };
  try {
    const letters = deadLetters.peek(queues[0], { ...filter, limit: most, signal, onEnd: ended });
    for await (const letter of letters) {
      shown++;
      warn([letter], terminal);
      if (file) await file.write([letter]);
      else terminal.out(json ? jsonLine(letter) : page(letter));
      await terminal.drained?.();
    }
  } finally {
    await file?.close();
  }
  if (save !== undefined && shown > 0) terminal.err(`Saved ${plural(shown, 'message')} to ${safe(save)}.`);
  if (terminal.signal.aborted) return EXIT.interrupted;
  // A script may drop what it takes for shown or saved.
  if (unread > 0) return EXIT.failed;
  if (shown === 0) return nothing(terminal);
  if (limit === undefined && shown === SHOWN && !file)
    terminal.err(`Stopped after ${SHOWN} messages. Use --limit to show more.`);
  return EXIT.done;
}

async function replay(
  { deadLetters, queues, filter, limit, batch, to, json }: Arguments,
  terminal: Terminal,
) {
  const target = to ?? deadLetters.ownQueue(queues[0]);
  if (target === undefined)
    throw new UsageError(`the name '${queues[0]}' does not end in .dead: name the target queue with --to`);
  terminal.err(`Replaying to queue '${safe(target)}'.`);
  const told = progress('replayed', json, terminal);
  const options = { ...filter, limit, batch, to, signal: terminal.signal, onProgress: told.onProgress };
  const result = await deadLetters.replay(queues[0], options).catch((error: unknown) => told.failed(error));
  return told.ended(result);
}

async function drop(args: Arguments, terminal: Terminal): Promise<number> {
  const { deadLetters, queues, filter, limit, batch, json, save, yes } = args;
  if (!yes) return preview(args, terminal);
  const file = save === undefined ? undefined : await LetterFile.create(save);
  const told = progress('dropped', json, terminal);
  try {
    const result = await deadLetters
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
  { deadLetters, queues, filter, limit, json }: Arguments,
  terminal: Terminal,
): Promise<number> {
  const messages = await deadLetters.count(queues[0]);
  const letters: DeadLetter[] = [];
  const most = Math.min(limit ?? 50, 50);
  for await (const letter of deadLetters.peek(queues[0], {
    ...filter,
    limit: most,
    ...peekOptions(terminal),
  })) {
    letters.push({ ...letter, content: Buffer.alloc(0) });
  }
  if (terminal.signal.aborted) return EXIT.interrupted;
  if (letters.length === 0) return nothing(terminal);
  if (json) for (const letter of letters) terminal.out(jsonText(row(letter)));
  else terminal.out(table(letters));
  terminal.err(
    `Would drop these messages${letters.length === most ? ' and possibly more' : ''}, of ${messages} in the queue. Nothing was dropped: add --yes to drop them.`,
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
      if (json) out(jsonText({ kind: 'progress', ...now }));
      else err(`${word} ${now.done}, read ${now.seen} of ${now.total}`);
    },
    failed(error) {
      err(`${word} ${last?.done ?? 0} before the error; all other messages are still in the queue.`);
      throw error;
    },
    ended(result) {
      const { done, seen, unseen, total, interrupted } = result;
      if (json) out(jsonText({ kind: 'result', ...result }));
      else {
        const kept = seen - done > 0 ? `, ${seen - done} kept` : '';
        out(
          `${word} ${done} of ${plural(total, 'message')}${kept}${unseen > 0 ? `, ${unseen} not read` : ''}`,
        );
      }
      if (interrupted) return EXIT.interrupted;
      return done > 0 ? EXIT.done : EXIT.nothing;
    },
  };
}

function peekOptions({ signal, err }: Terminal): Pick<PeekOptions, 'signal' | 'onEnd'> {
  return {
    signal,
    onEnd({ seen, unseen }) {
      if (unseen > 0 && !signal.aborted)
        err(`Read the first ${seen} messages; ${unseen} more were not read.`);
    },
  };
}

function nothing({ err }: Terminal): number {
  err('No messages match.');
  return EXIT.nothing;
}

function warn(letters: readonly DeadLetter[], { err }: Terminal): void {
  const most = Math.max(0, ...letters.map(({ looks }) => looks));
  if (most < MANY_LOOKS) return;
  err(
    `Some of these messages were read ${most} times. RabbitMQ 4 drops a message of a quorum queue at the 21st read, unless the queue has a higher x-delivery-limit.`,
  );
}

/** A dead letter without body, stack and headers. */
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
