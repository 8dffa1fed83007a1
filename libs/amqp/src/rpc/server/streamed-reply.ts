// A handler that returned a generator: its items as replies, for callers who read a stream, or the last of them for
// callers who asked for one reply.

import { randomUUID } from 'node:crypto';
import type { Deadline } from '../../runtime/clock.js';
import type { Delivery } from '../../message/delivery.js';
import { HandlerTimeoutError, PluginError } from '../../errors/errors.js';
import { asBuffer } from '../../message/codecs/codecs.js';
import { HEADER } from '../../message/headers.js';
import { bodySize, type OutgoingMessage } from '../../message/message.js';
import { assertFits } from '../../message/schema.js';
import {
  errorReply,
  replyAddress,
  replyMessage,
  replyWithPlugins,
  valueReply,
  type Reply,
  type ReplyAddress,
} from './reply.js';
import { KEEP_ALIVE, streamOut, type Credit, type SentItem, type ItemSender } from './reply-stream.js';
import { CallerLeftError, ShuttingDownError } from '../../errors/rpc-errors.js';
import { returnIterator } from '../../runtime/abort-signals.js';
import type { RpcContext } from './active-calls.js';

/** Why a stream ended before its end, and whether its caller may have got items by then. */
export interface BrokenStream {
  readonly error: unknown;
  readonly begun: boolean;
}

/**
 * Sends all items, then the end; an error in the middle as the last reply. The handler's `timeout` is for all of it.
 * Never rejects: resolves to that error, or to the reason why the caller is gone.
 */
export async function streamReply(
  context: RpcContext,
  delivery: Delivery,
  items: AsyncIterable<unknown>,
  credit: Credit | undefined,
): Promise<BrokenStream | undefined> {
  const replyTo = replyAddress(context, delivery);
  if (replyTo === undefined) {
    returnIterator(items[Symbol.asyncIterator]());
    return undefined;
  }
  const to: Target = { context, delivery, replyTo, before: Promise.resolve() };
  const forwarder = credit ? ownOutlet(to) : codecOutlet(to);
  const stopWatch = watch(context, delivery);
  const stopAsking = credit ? () => undefined : askForCaller(to);
  let begun = false;
  try {
    await streamOut(checked(items, context), {
      forwarder: {
        ...forwarder,
        item: (value, sequence) => ((begun = true), forwarder.item(value, sequence)),
      },
      credit,
      clock: context.clock,
      signal: delivery.signal,
      gone: (reason) => {
        if (delivery.run.abortedBy === undefined) context.counters.repliesLost++;
        // What a plugin refused to send is missing for a caller who is still there.
        delivery.abort(reason instanceof PluginError ? reason : new CallerLeftError());
      },
      keepAlive: credit ? lifeEvery(delivery) : undefined,
    });
    return undefined;
  } catch (error) {
    if (isWorthTelling(delivery, begun)) await tell(to, error);
    return { error, begun };
  } finally {
    stopWatch();
    stopAsking();
  }
}

/** A caller that left reads nothing; one that got nothing yet is better served by an instance that does not shut down. */
function isWorthTelling({ run: { abortedBy } }: Delivery, begun: boolean): boolean {
  if (abortedBy instanceof ShuttingDownError) return begun;
  return !(abortedBy instanceof CallerLeftError);
}

async function tell(to: Target, error: unknown): Promise<void> {
  const { counters } = to.context;
  await to.before.catch(() => undefined);
  await send(to, errorReply(to.context, error, to.delivery)).catch(() => counters.repliesLost++);
}

/** Ends a stream that runs too long, and gives its request back to the broker before the broker would take it. */
function watch({ plan, settings, deadlines, clock }: RpcContext, delivery: Delivery): () => void {
  const { timeout, ack } = plan;
  const { run } = delivery;
  const set: Deadline[] = [];
  if (timeout !== undefined) {
    const left = (run.deadline ?? clock.monotonic() + timeout) - clock.monotonic();
    set.push(deadlines.set(left, () => delivery.abort(new HandlerTimeoutError(plan.id, timeout))));
  }
  // From then on a lost server is known by its silence, no longer by another one that begins anew.
  if (settings.consumerTimeout > 0 && ack !== 'none') {
    set.push(deadlines.set(settings.consumerTimeout / 2, () => delivery.ack()));
  }
  return () => {
    for (const deadline of set) deadlines.clear(deadline);
  };
}

/** How often to check for a reader of a stream in a format without keep-alives. */
const ASK_EVERY = 2_000;

/** Nothing comes back from a direct address, so whether its caller left must be asked. */
function askForCaller({ context, delivery, replyTo }: Target): () => void {
  if (!replyTo.direct) return () => undefined;
  let cancel: () => void;
  const wait = (): void => {
    cancel = context.clock.after(ASK_EVERY, () => {
      wait();
      void context.callers
        .isGone(replyTo.name)
        .then((isGone) => isGone && delivery.abort(new CallerLeftError()));
    });
  };
  wait();
  return () => cancel();
}

interface Target {
  readonly context: RpcContext;
  readonly delivery: Delivery;
  readonly replyTo: ReplyAddress;
  /** Resolves when the plugins are done with all items so far and these were sent; rejects when one of them never will be. */
  before: Promise<void>;
}

function send({ context, delivery, replyTo }: Target, reply: Reply, headers = {}): Promise<void> {
  const message: OutgoingMessage = replyMessage(context, delivery, replyTo, reply, headers);
  return context.replies.send(message);
}

function sentItem(to: Target, value: unknown, part: number, headers = {}): SentItem {
  const { context, delivery, replyTo } = to;
  const reply = valueReply(context, value, true);
  const message = replyMessage(context, delivery, replyTo, reply, headers);
  const arrived = new Promise<void>((resolve, reject) => {
    if (context.plugins.none) context.replies.begin(message, { onArrived: resolve, onLost: reject });
    else throughPlugins(to, message, part).then(resolve, reject);
  });
  return { bytes: bodySize(reply.content), arrived };
}

function throughPlugins(to: Target, message: OutgoingMessage, number: number): Promise<void> {
  const { context, delivery, before } = to;
  return new Promise((onArrived, onLost) => {
    to.before = new Promise((onSent, onRefused) => {
      const lost = (error: Error): void => (onRefused(error), onLost(error));
      replyWithPlugins(context, delivery, message, { onArrived, onLost: lost }, { number, before, onSent });
    });
    // Whoever sends what comes next asks for it, which may be nobody.
    to.before.catch(() => undefined);
  });
}

/** A request that was sent on for another attempt has lost what it was given to live. */
const SAFE_LIFE = 1_000;

const EMPTY: Reply = { content: Buffer.alloc(0), isError: false };

/** Replies that are numbered, with the address for credit. */
function ownOutlet(to: Target): ItemSender {
  const { context } = to;
  const run = randomUUID();
  const about = (): Record<string, unknown> => ({
    [HEADER.run]: run,
    [HEADER.control]: context.calls.controlQueue,
  });
  return {
    item: (value, sequence) => sentItem(to, value, sequence, { ...about(), [HEADER.sequence]: sequence }),
    alive: async () => {
      await send(to, EMPTY, { ...about(), [HEADER.alive]: 1 });
      // A direct reply-to address returns nothing, whether it has a consumer or not.
      if (to.replyTo.direct && (await context.callers.isGone(to.replyTo.name))) throw new CallerLeftError();
    },
    end: (count) => to.before.then(() => send(to, EMPTY, { ...about(), [HEADER.end]: count })),
  };
}

/** Replies in the form of another wire, which marks the last one by itself. */
function codecOutlet(to: Target): ItemSender {
  const { codec } = to.context.plan;
  const last = (): Reply => {
    const end = codec?.encodeEnd?.();
    return codec && end ? { ...asBuffer(end, codec), isError: false } : EMPTY;
  };
  return {
    item: (value, sequence) => sentItem(to, value, sequence),
    alive: () => Promise.resolve(),
    end: () => to.before.then(() => send(to, last())),
  };
}

/**
 * Items must match the response's schema, as a single reply must. Not a generator: it could not be ended while it
 * waits.
 */
function checked(items: AsyncIterable<unknown>, { plan }: RpcContext): AsyncIterable<unknown> {
  const schema = plan.rpc?.response;
  if (!schema) return items;
  const iterator = items[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<unknown>> => {
    const item = await iterator.next();
    if (!item.done) await assertFits(schema, item.value, `an item of ${plan.id}`);
    return item;
  };
  const end = async (): Promise<IteratorResult<unknown>> => {
    await iterator.return?.();
    return { done: true, value: undefined };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
}

/** Three keep-alives in the idle time that the caller accepts, which is the expiration of its request. */
function lifeEvery({ message }: Delivery): number {
  const silence = Number(message.properties.expiration);
  return silence > 0 ? Math.min(KEEP_ALIVE, Math.max(50, silence / 3)) : SAFE_LIFE;
}
