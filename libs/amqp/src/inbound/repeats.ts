// Requests that come twice (a caller that asked again, a delivery after a lost connection): the second is answered
// from the stored reply of the first, or waits for the first when that is still running.

import type { Delivery } from '../model/delivery.js';
import { describeError, printable } from '../model/logger.js';
import type { ReplyStore, StoredReply } from '../model/options.js';
import { ACK, type Verdict } from '../model/verdict.js';
import type { Reply } from './answer.js';
import { MemoryReplyStore } from './reply-store.js';
import type { HandlerRoom } from './step.js';

/** What came of a request: its verdict, and its reply unless it is tried again. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly reply: Reply | undefined;
}

/** The outcome that is known already, or that of a run. */
export type Repeats = (delivery: Delivery, run: () => Promise<Outcome>) => Promise<Outcome>;

/** For one handler. */
export function repeats(
  room: HandlerRoom,
  { ttl, store = new MemoryReplyStore(room.clock) }: { readonly ttl: number; readonly store?: ReplyStore },
): Repeats {
  const running = new Map<string, { readonly delivery: Delivery; readonly outcome: Promise<Outcome> }>();
  const logged = async <T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      const text = printable(describeError(error));
      room.logger.error(`${room.plan.id}: the reply store could not ${what}: ${text}; going on without it`);
      return undefined;
    }
  };
  const first = async (key: string, run: () => Promise<Outcome>): Promise<Outcome> => {
    const result = await run();
    const { reply } = result;
    // An error is not kept: asking again is how a caller gets over it.
    if (reply && !reply.isError) {
      const { content, contentType } = reply;
      await logged('keep a reply', () => store.set(key, { content, contentType }, ttl));
    }
    return result;
  };
  return async (delivery, run) => {
    const { messageId } = delivery.message.properties;
    if (messageId === undefined || messageId === '') return run();
    const key = `${delivery.queue}/${messageId}`;
    const kept = running.has(key) ? undefined : await logged('be read', () => store.get(key));
    if (kept) return { verdict: ACK, reply: fromStore(kept) };
    for (;;) {
      const other = running.get(key);
      if (!other) break;
      const outcome = await other.outcome;
      // It was told to stop for reasons that are not those of this request.
      if (other.delivery.run.abortedBy === undefined || delivery.run.abortedBy !== undefined) return outcome;
    }
    const outcome = first(key, run).finally(() => running.delete(key));
    running.set(key, { delivery, outcome });
    return outcome;
  };
}

function fromStore({ content, contentType }: StoredReply): Reply {
  return { content: Buffer.from(content), contentType, isError: false };
}
