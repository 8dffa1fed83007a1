// Answers the caller of an RPC handler: the value, or the facts of the error. The answer goes out before
// the request is settled, and an answer that cannot be sent never brings the request back.

import { randomUUID } from 'node:crypto';
import { describeError, printable } from '../../model/logger.js';
import { HEADER } from '../../model/headers.js';
import { RabbitError } from '../../model/errors.js';
import { PublishOutcomeUnknownError } from '../../model/publish-errors.js';
import { thrownFacts } from '../../model/thrown.js';
import { OutcomeSignal } from '../../model/signals.js';
import type { Encoded, RemoteErrorFacts } from '../../model/codec.js';
import type { Delivery } from '../../model/delivery.js';
import type { OutgoingMessage } from '../../model/message.js';
import type { Verdict } from '../../model/verdict.js';
import { mayReplyTo } from '../reply-address.js';
import type { HandlerRoom, Step } from '../step.js';

export const reply: Step = (room) => (next) => {
  if (room.plan.registration.kind !== 'rpc') return next;
  return async (delivery) => {
    const expiration = Number(delivery.message.properties.expiration);
    if (expiration > 0) delivery.deadline = room.clock.now() + expiration;
    const verdict = await next(delivery);
    if (verdict.kind !== 'retry' && verdict.kind !== 'requeue') await answer(room, delivery, verdict);
    return verdict;
  };
};

async function answer(room: HandlerRoom, delivery: Delivery, verdict: Verdict): Promise<void> {
  const { logger, plan } = room;
  const { replyTo } = delivery.message.properties;
  if (!replyTo) {
    logger.warn(`${plan.id} answered a request without reply-to; the answer was dropped`);
    return;
  }
  if (!mayReplyTo(replyTo, delivery.queue, room.settings.rpc.replyTo)) {
    logger.error(
      `${plan.id} got a request whose reply-to '${printable(replyTo)}' is refused; no answer was sent`,
    );
    return;
  }
  try {
    const message = replyMessage(room, delivery, replyTo, verdict);
    // A second answer is ignored by its caller, so one that may have been lost with its channel is sent again.
    await room.outlet.send(message).catch((error: unknown) => {
      if (error instanceof PublishOutcomeUnknownError) return room.outlet.send(message);
      throw error;
    });
  } catch (error) {
    logger.warn(
      `${plan.id}: the answer for '${printable(replyTo)}' was not delivered: ${printable(describeError(error))}`,
    );
  }
}

function replyMessage(
  room: HandlerRoom,
  delivery: Delivery,
  replyTo: string,
  verdict: Verdict,
): OutgoingMessage {
  const failed = verdict.kind === 'dead-letter';
  let encoded: Encoded;
  let isError = failed;
  try {
    encoded = failed ? encodeError(room, verdict.error) : encodeValue(room, verdict);
  } catch (error) {
    // The handler returned what cannot travel: the caller must not wait for its time-out to learn it.
    encoded = encodeError(room, error);
    isError = true;
  }
  const requestId = delivery.headers['X-Request-ID'];
  return {
    exchange: '',
    routingKey: replyTo,
    content: encoded.content,
    mandatory: true,
    properties: {
      messageId: randomUUID(),
      timestamp: Math.floor(room.clock.now() / 1_000),
      deliveryMode: 1,
      contentType: encoded.contentType,
      correlationId: delivery.message.properties.correlationId,
      headers: {
        ...(isError ? { [HEADER.rpcError]: 1 } : {}),
        // One library of the field matches replies by this header, so it alone is handed back.
        ...(typeof requestId === 'string' ? { 'X-Request-ID': requestId } : {}),
      },
    },
  };
}

function encodeValue({ outlet, plan, settings }: HandlerRoom, verdict: Verdict): Encoded {
  const value = verdict.kind === 'ack' ? verdict.value : undefined;
  const encoded = plan.codec?.encodeReply
    ? plan.codec.encodeReply(value)
    : outlet.codecs.encode(value, undefined, plan.codec, { exchange: '', routingKey: '' });
  const { length } = encoded.content;
  if (length <= settings.maxMessageBytes) return encoded;
  throw new RabbitError(
    'WARREN_TOO_LARGE',
    `the answer has ${length} bytes, but maxMessageBytes of the service is ${settings.maxMessageBytes}`,
    'answer with a reference instead, or raise the limit on both sides',
  );
}

function encodeError(room: HandlerRoom, error: unknown): Encoded {
  const facts = errorFacts(room, error);
  try {
    return encodeFacts(room, facts);
  } catch {
    // Its data cannot travel; the rest can.
    return encodeFacts(room, { name: facts.name, message: facts.message, code: facts.code });
  }
}

function encodeFacts({ plan, settings }: HandlerRoom, facts: RemoteErrorFacts): Encoded {
  const encoded = plan.codec?.encodeError?.(facts) ?? {
    content: Buffer.from(JSON.stringify(facts)),
    contentType: 'application/json',
  };
  if (encoded.content.length > settings.maxMessageBytes) throw new RangeError('too large');
  return encoded;
}

/** What a caller may know: what was meant for it, else the class of the error and an id that is in our log. */
function errorFacts(room: HandlerRoom, error: unknown): RemoteErrorFacts {
  const known = room.remoteError?.(error);
  if (known) return known;
  const { name, message } = thrownFacts(error);
  const code = codeOf(error);
  if (room.settings.rpc.exposeErrors || isForCaller(error)) {
    return { name, message, ...(code === undefined ? {} : { code }) };
  }
  const id = randomUUID();
  room.logger.error(`${room.plan.id}: error ${id} for a remote caller: ${printable(describeError(error))}`);
  return {
    name,
    message: `internal error ${id}`,
    code: error instanceof RabbitError ? error.code : 'INTERNAL',
  };
}

// Other errors of this library that a handler runs into (a publish of its own that failed) are its own affair.
function isForCaller(error: unknown): boolean {
  if (error instanceof OutcomeSignal) return true;
  return error instanceof RabbitError && ABOUT_THE_CALL.has(error.code);
}

const ABOUT_THE_CALL = new Set([
  'WARREN_DECODE',
  'WARREN_ENCODE',
  'WARREN_HANDLER_TIMEOUT',
  'WARREN_TOO_LARGE',
  'WARREN_POISON',
]);

function codeOf(error: unknown): string | number | undefined {
  try {
    const { code } = (error ?? {}) as { code?: unknown };
    return typeof code === 'string' || typeof code === 'number' ? code : undefined;
  } catch {
    return undefined;
  }
}
