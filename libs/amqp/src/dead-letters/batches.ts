// The work of replay and drop in batches that are done or not done: collect, do, take out of the queue. Whoever
// interrupts it finds each letter in its place or gone, and never both unless the process itself was killed.

import { forwardable, forwardableProperties, HEADER } from '../message/headers.js';
import type { OutgoingMessage } from '../message/message.js';
import { type DeadLetter, matchesFilter, isSelective, type DeadLetterFilter } from './dead-letter.js';
import { ConfigError } from '../errors/errors.js';
import { systemClock } from '../runtime/clock.js';
import { connected, MOST_HELD, BrowseSession, type DeadLetterConnection } from './browse-session.js';

// A dead letter as a message again, for the queue where it failed and no other: attempts start anew, the
// facts of the failure stay behind, and what its handler saw of it (exchange, key, headers) is as before.

const LEFT_BEHIND: ReadonlySet<string> = new Set([
  HEADER.attempt,
  // Of a former retry, or a sender's own; where they count they are written anew.
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
  // Whoever replays a request wants it run, although nobody waits for it any more.
  HEADER.deadline,
  HEADER.timeLeft,
]);

/** The message for `queue`, through the default exchange. */
export function replayedMessage(letter: DeadLetter, queue: string): OutgoingMessage {
  const { expiration, userId, headers, ...kept } = letter.properties;
  // The one would end it early, the other is checked by the broker.
  void expiration;
  void userId;
  void headers;
  const own = Object.entries(letter.headers).filter(([name]) => !LEFT_BEHIND.has(name));
  const facts = {
    ...(letter.exchange !== undefined && { [HEADER.exchange]: letter.exchange }),
    ...(letter.routingKey !== undefined && { [HEADER.routingKey]: letter.routingKey }),
    // With it the two above are believed there: see message/headers.ts.
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

/** What replay and drop have in common. */
export interface DeadLetterWork extends DeadLetterFilter {
  /** At most so many. Default: all that are there when it begins. */
  readonly limit?: number;
  /** So many at a time, 1 to 1 000. Default 100. After `kill -9` at most these are there twice. */
  readonly batch?: number;
  /** Aborting it ends the work after the batch that is under way. */
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (progress: DeadLetterProgress) => void;
}

/** How far the work is. */
export interface DeadLetterProgress {
  /** Replayed or dropped. */
  readonly done: number;
  /** Looked at. */
  readonly seen: number;
  /** In the queue when it began. */
  readonly total: number;
}

/** What the work came to. */
export interface DeadLetterResult extends DeadLetterProgress {
  /** There, but not looked at: the limit was reached, the signal aborted, or 10 000 others were kept. */
  readonly unseen: number;
  /** Whether the signal ended it. */
  readonly interrupted: boolean;
}

/** Does its part for a batch. What it returns leaves the queue, also when `error` then ends the work. */
export type BatchWork = (
  letters: readonly DeadLetter[],
  session: BrowseSession,
) => Promise<{ readonly done: readonly DeadLetter[]; readonly error?: Error }>;

/** Bodies of one batch are in memory together. */
const BATCH_BYTES = 16 * 1024 * 1024;

/** Goes through the queue once. Rejects with what ended it early; what was not done is in its place then. */
export async function runInBatches(
  where: DeadLetterConnection,
  queue: string,
  options: DeadLetterWork,
  work: BatchWork,
): Promise<DeadLetterResult> {
  const size = whole('batch', options.batch ?? 100, 1_000);
  const limit = options.limit === undefined ? Infinity : whole('limit', options.limit);
  const wanted = matchesFilter(options, systemClock.wall());
  const cursor = isSelective(options) ? MOST_HELD : Math.min(size, limit);
  return connected(where, async (connection) => {
    const session = await BrowseSession.begin(connection, { queue, cursor, signal: options.signal });
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
