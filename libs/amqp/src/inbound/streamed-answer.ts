// A handler that returned a generator: its items as replies, for callers who read a stream, or the last of them for
// callers who asked for one answer.

import { randomUUID } from 'node:crypto';
import type { Delivery } from '../model/delivery.js';
import { HEADER } from '../model/headers.js';
import type { OutgoingMessage } from '../model/message.js';
import { validate } from '../model/schema.js';
import { errorReply, replyAddress, replyMessage, valueReply, type Reply } from './answer.js';
import { KEEP_ALIVE, streamOut, type Credit, type StreamOutlet } from './answer-stream.js';
import { CallerLeftError } from './calls.js';
import type { HandlerRoom } from './step.js';

/** Whether a handler's value is items. */
export function isItems(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** The last item of all, for a caller who asked for one answer. */
export async function lastOf(items: AsyncIterable<unknown>, delivery: Delivery): Promise<unknown> {
  let last: unknown;
  for await (const item of items) {
    if (delivery.run.abortedBy !== undefined) throw delivery.run.abortedBy as Error;
    last = item;
  }
  return last;
}

/**
 * Sends all items, then the end; an error in the middle as the last reply. Rejects with that error, or with why nobody
 * reads any more.
 */
export async function answerStream(
  room: HandlerRoom,
  delivery: Delivery,
  items: AsyncIterable<unknown>,
  credit: Credit | undefined,
): Promise<void> {
  const replyTo = replyAddress(room, delivery);
  if (replyTo === undefined) return void (await items[Symbol.asyncIterator]().return?.());
  const to = { room, delivery, replyTo };
  const outlet = credit ? ownOutlet(to) : codecOutlet(to);
  try {
    await streamOut(checked(items, room), {
      outlet,
      credit,
      clock: room.clock,
      signal: delivery.signal,
      gone: () => delivery.abort(new CallerLeftError()),
      keepAlive: credit ? lifeEvery(delivery) : undefined,
    });
  } catch (error) {
    if (!(delivery.run.abortedBy instanceof CallerLeftError)) await send(to, errorReply(room, error));
    throw error;
  }
}

interface Target {
  readonly room: HandlerRoom;
  readonly delivery: Delivery;
  readonly replyTo: string;
}

function send({ room, delivery, replyTo }: Target, reply: Reply, headers = {}): Promise<void> {
  const message: OutgoingMessage = replyMessage(room, delivery, replyTo, reply, headers);
  return room.answers.send(message);
}

const EMPTY: Reply = { content: Buffer.alloc(0), isError: false };

/** Replies that are numbered, with the address for credit. */
function ownOutlet(to: Target): StreamOutlet {
  const { room } = to;
  const run = randomUUID();
  const about = (): Record<string, unknown> => ({
    [HEADER.run]: run,
    [HEADER.control]: room.calls.controlQueue,
  });
  return {
    item: (value, sequence) =>
      send(to, valueReply(room, value, true), { ...about(), [HEADER.sequence]: sequence }),
    alive: () => send(to, EMPTY, { ...about(), [HEADER.alive]: 1 }),
    end: (count) => send(to, EMPTY, { ...about(), [HEADER.end]: count }),
  };
}

/** Replies in the form of another wire, which marks the last one by itself. */
function codecOutlet(to: Target): StreamOutlet {
  const { room } = to;
  return {
    item: (value) => send(to, valueReply(room, value, true)),
    alive: () => Promise.resolve(),
    end: () => send(to, { ...(room.plan.codec?.encodeEnd?.() ?? EMPTY), isError: false }),
  };
}

/** Items must fit the response's schema, as a single answer must. */
async function* checked(
  items: AsyncIterable<unknown>,
  { plan }: HandlerRoom,
): AsyncGenerator<unknown, void, undefined> {
  const schema = plan.rpc?.response;
  for await (const item of items) {
    if (schema) await validate(schema, item);
    yield item;
  }
}

/** Three signs of life in the silence that the caller bears, which is what its request was given to live. */
function lifeEvery({ message }: Delivery): number {
  const silence = Number(message.properties.expiration);
  return silence > 0 ? Math.min(KEEP_ALIVE, Math.max(50, silence / 3)) : KEEP_ALIVE;
}
