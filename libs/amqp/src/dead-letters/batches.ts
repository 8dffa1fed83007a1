// Runs replay and drop in batches: read, work, remove from the queue. After an interruption each message is either in
// its place or gone; only a killed process can leave a batch in both queues.

import { forwardable, forwardableProperties, HEADER } from '../message/headers.js';
import type { OutgoingMessage } from '../message/message.js';
import {
  type DeadLetter,
  type DeadLetterConnection,
  type DeadLetterResult,
  type DeadLetterWork,
  isSelective,
  matchesFilter,
} from './dead-letter.js';
import { ConfigError } from '../errors/errors.js';
import { systemClock } from '../runtime/clock.js';
import { FIRST_TAKEN } from '../connection/peek-cursor.js';
import { connected, BrowseSession, FIRST_LETTERS, MOST_HELD } from './browse-session.js';

// A dead letter as a new message for the queue where it failed: attempts start at 1, failure headers are removed, and
// the handler sees the same exchange, key and headers as before.

const LEFT_BEHIND: ReadonlySet<string> = new Set([
  HEADER.attempt,
  HEADER.trial,
  // From an earlier retry, or written by the sender; they are set again where needed.
  HEADER.exchange,
  HEADER.routingKey,
  HEADER.queue,
  HEADER.handler,
  HEADER.reason,
  HEADER.failedAt,
  HEADER.errorName,
  HEADER.errorMessage,
  HEADER.errorStack,
  HEADER.originalExchange,
  HEADER.originalRoutingKey,
  // A replayed request is to run, although its caller no longer waits.
  HEADER.deadline,
  HEADER.timeLeft,
]);

/** The message for `queue`, through the default exchange. */
export function replayedMessage(letter: DeadLetter, queue: string): OutgoingMessage {
  const { expiration, userId, headers, ...kept } = letter.properties;
  // The expiration would drop it, and the broker checks the user id.
  void expiration;
  void userId;
  void headers;
  const own = Object.entries(letter.headers).filter(([name]) => !LEFT_BEHIND.has(name));
  const facts = {
    ...(letter.exchange !== undefined && { [HEADER.exchange]: letter.exchange }),
    ...(letter.routingKey !== undefined && { [HEADER.routingKey]: letter.routingKey }),
    // With it, the consumer trusts the two above: see message/headers.ts.
    [HEADER.queue]: queue,
    [HEADER.replayed]: letter.replayed + 1,
  };
  return {
    exchange: '',
    routingKey: queue,
    content: letter.content,
    properties: { ...forwardableProperties(kept), headers: forwardable(Object.fromEntries(own), facts) },
    mandatory: true,
  };
}

/** Processes a batch. The returned messages are removed from the queue, even when `error` then ends the work. */
export type BatchWork = (
  letters: readonly DeadLetter[],
  session: BrowseSession,
) => Promise<{ readonly done: readonly DeadLetter[]; readonly error?: Error }>;

/** The bodies of a batch are in memory together. */
const BATCH_BYTES = 16 * 1024 * 1024;

/** Reads the queue once. Rejects with the error that ended the work; unprocessed messages are then in their place. */
export async function runInBatches(
  where: DeadLetterConnection,
  queue: string,
  options: DeadLetterWork,
  work: BatchWork,
): Promise<DeadLetterResult> {
  const size = whole('batch', options.batch ?? 100, 1_000);
  const limit = options.limit === undefined ? Infinity : whole('limit', options.limit);
  const wanted = matchesFilter(options, systemClock.wall());
  const [first, cursor] = isSelective(options)
    ? [Math.max(FIRST_LETTERS, 2 * size), MOST_HELD]
    : [size, limit <= size ? limit : size + FIRST_TAKEN];
  return connected(where, async (connection) => {
    const session = await BrowseSession.begin(connection, { queue, first, cursor, signal: options.signal });
    try {
      let done = 0;
      for (let over = false; !over && done < limit;) {
        const letters = await collect(session, wanted, Math.min(size, limit - done));
        if (options.signal?.aborted || letters.length === 0) break;
        over = letters.length < size && session.unseen === 0;
        const result = await work(letters, session);
        session.remove(result.done);
        done += result.done.length;
        options.onProgress?.({ done, seen: session.seen, total: session.total });
        if (result.error) throw result.error;
      }
      const { seen, unseen, total } = session;
      return { done, seen, unseen, total, interrupted: options.signal?.aborted ?? false };
    } finally {
      await session.close();
    }
  });
}

async function collect(
  session: BrowseSession,
  wanted: (letter: DeadLetter) => boolean,
  most: number,
): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for (let bytes = 0; letters.length < most && bytes < BATCH_BYTES;) {
    const letter = await session.next();
    if (!letter) break;
    if (!wanted(letter)) continue;
    letters.push(letter);
    bytes += letter.content.length;
  }
  return letters;
}

/** @throws ConfigError */
export function whole(name: string, value: number, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  throw new ConfigError(`${name} must be an integer between 1 and ${most}, but is ${value}`, '');
}
