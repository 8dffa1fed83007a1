// Requests that come twice (a caller that asked again, a delivery after a lost connection): the second is answered
// from the stored reply of the first, or waits for the first when that is still running. Whoever may publish to the
// queue can send any message id, so a reply is only handed out for the request that it was made for.

import { type Clock, inTime } from '../../runtime/clock.js';
import type { ReplyStore, StoredReply } from '../../options/options.js';
import { createHash } from 'node:crypto';
import { type Delivery, ACK, type Verdict } from '../../message/delivery.js';
import { RabbitError } from '../../errors/errors.js';
import { bodyBytes } from '../../message/message.js';
import { describeError, printable } from '../../runtime/logger.js';
import { errorReply, type Reply } from './reply.js';
import type { RpcContext } from './active-calls.js';
import { errorFields } from '../../errors/error-facts.js';

interface Kept {
  readonly reply: StoredReply;
  readonly until: number;
}

/**
 * Replies kept in the memory of this process, for requests that come twice. Bounded in number and bytes: the
 * oldest go first, and a repeat of them runs the handler again.
 */
export class MemoryReplyStore implements ReplyStore {
  private readonly kept = new Map<string, Kept>();
  private bytes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly limit: { readonly replies: number; readonly bytes: number } = {
      replies: 10_000,
      bytes: 16 * 1024 * 1024,
    },
  ) {}

  get(key: string): StoredReply | undefined {
    const found = this.kept.get(key);
    if (found && found.until > this.clock.monotonic()) return found.reply;
    this.forget(key);
    return undefined;
  }

  set(key: string, reply: StoredReply, ttlMs: number): void {
    this.forget(key);
    if (reply.content.length > this.limit.bytes) return;
    this.kept.set(key, { reply, until: this.clock.monotonic() + ttlMs });
    this.bytes += reply.content.length;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.limit.replies && this.bytes <= this.limit.bytes) break;
      this.forget(oldest);
    }
  }

  private forget(key: string): void {
    const found = this.kept.get(key);
    if (!found) return;
    this.bytes -= found.reply.content.length;
    this.kept.delete(key);
  }
}

/** The outcome of a request: its verdict, and its reply unless it is retried. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly reply: Reply | undefined;
}

/** The outcome that is known already, or that of a run. */
export type Idempotency = (delivery: Delivery, run: () => Promise<Outcome>) => Promise<Outcome>;

/** One request that is being worked on. */
interface Running {
  readonly delivery: Delivery;
  readonly request: string;
  readonly outcome: Promise<Outcome>;
}

/** How long a store may take, in ms. Some clients of databases wait until they are connected again. */
const STORE_TIMEOUT = 2_000;

/** Uses the store; when it fails or takes too long, that is logged, and the request goes on without. */
function storing({ plan, logger, clock }: RpcContext) {
  const late = (): Error => new Error(`it did not answer within ${STORE_TIMEOUT} ms`);
  return async <T>(
    what: string,
    work: () => T | Promise<T>,
    checked = (found: T): T => found,
  ): Promise<T | undefined> => {
    try {
      const result = work();
      const isPending = typeof (result as Partial<Promise<T>> | undefined)?.then === 'function';
      return checked(
        await (isPending ? inTime(clock, STORE_TIMEOUT, Promise.resolve(result), late) : result),
      );
    } catch (error) {
      const text = printable(describeError(error));
      logger.error(`${plan.id}: the reply store could not ${what}: ${text}; continuing without it`, {
        event: 'reply-store-failed',
        handler: plan.id,
        ...errorFields(error),
      });
      return undefined;
    }
  };
}

/** A request, and what tells it from others. */
interface Repeatable {
  readonly key: string;
  readonly request: string;
  readonly delivery: Delivery;
}

/** For one handler. */
export function idempotency(
  context: RpcContext,
  { ttl, store = new MemoryReplyStore(context.clock) }: { readonly ttl: number; readonly store?: ReplyStore },
): Idempotency {
  const running = new Map<string, Running>();
  const logged = storing(context);
  const first = async (
    { key, request, delivery }: Repeatable,
    run: () => Promise<Outcome>,
  ): Promise<Outcome> => {
    const kept = await logged('be read', () => store.get(key), readable);
    if (kept?.request === request) return { verdict: ACK, reply: fromStore(kept) };
    if (kept) return reused(context, delivery);
    const result = await run();
    const { reply } = result;
    // An error is not kept: asking again is how a caller gets over it.
    if (reply && !reply.isError) {
      const { content, contentType } = reply;
      await logged('keep a reply', () =>
        store.set(key, { content: bodyBytes(content), contentType, request }, ttl),
      );
    }
    return result;
  };
  return async (delivery, run) => {
    const { messageId } = delivery.message.properties;
    if (messageId === undefined || messageId === '') return run();
    const key = keyOf(context, delivery);
    const request = digestOf(context, delivery);
    for (;;) {
      const other = running.get(key);
      if (!other) break;
      if (other.request !== request) return reused(context, delivery);
      const outcome = await other.outcome;
      delivery.run.errorId = other.delivery.run.errorId;
      // It was told to stop for reasons that are not those of this request.
      if (other.delivery.run.abortedBy === undefined || delivery.run.abortedBy !== undefined) return outcome;
    }
    // Entered before the store is read: a repeat that comes meanwhile waits, however slow the store is.
    const outcome = first({ key, request, delivery }, run).finally(() => running.delete(key));
    running.set(key, { delivery, request, outcome });
    return outcome;
  };
}

/** Under which a reply is kept. A store may be shared by services, and the texts are chosen by others: no two lists have one hash. */
function keyOf({ plan, source }: RpcContext, { queue, message }: Delivery): string {
  const { messageId, userId = '' } = message.properties;
  return hash(
    JSON.stringify([source.service, source.name, source.connection.vhost, queue, plan.id, userId, messageId]),
  );
}

/** Tells one request from another with the same id. */
function digestOf({ plan: { codec } }: RpcContext, { message, exchange, routingKey }: Delivery): string {
  const { content, properties } = message;
  const { contentType, contentEncoding } = properties;
  const facts = JSON.stringify([exchange, routingKey, contentType, contentEncoding]);
  return hash(facts, codec?.identity?.(content, properties) ?? content);
}

function hash(text: string, content: Buffer = EMPTY): string {
  return createHash('sha256').update(text).update('\n').update(content).digest('base64url');
}

const EMPTY = Buffer.alloc(0);

function readable(kept: StoredReply | undefined): StoredReply | undefined {
  if (kept === undefined || typeof kept.request === 'string') return kept;
  throw new TypeError('the field request of a reply is missing');
}

function reused(context: RpcContext, delivery: Delivery): Outcome {
  delivery.run.refused = true;
  const error = new RabbitError(
    'WARREN_MESSAGE_ID_REUSED',
    'a different request with this message id was handled before',
    'give each request a unique id that cannot be guessed',
  );
  return {
    verdict: { kind: 'dead-letter', reason: 'not-retryable', error },
    reply: errorReply(context, error, delivery),
  };
}

function fromStore({ content, contentType }: StoredReply): Reply {
  return { content: Buffer.from(content), contentType, isError: false };
}
