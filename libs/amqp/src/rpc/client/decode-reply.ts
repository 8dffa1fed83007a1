// Reads a reply: a value, or the error of the handler at the other side. Whatever odd shape a foreign
// service sends, the caller gets one of the two, and only text that is safe to show.

import { DecodeError } from '../../errors/errors.js';
import { RpcRemoteError } from '../../errors/rpc-errors.js';
import { HEADER, refuseUnreadable, safeHeaders } from '../../message/headers.js';
import { describeError, printable, visible } from '../../runtime/logger.js';
import { rebuiltError } from '../../errors/known-errors.js';
import type { Codec, CodecLookup, DecodedReply, RemoteErrorFacts } from '../../message/codecs/codec.js';
import type { ErrorClass } from '../../options/options.js';
import type { ReceivedMessage } from '../../message/message.js';

/** Another program chooses these texts, and they end in messages and logs of this one. */
const TEXT_LIMIT = 8_000;

/** One reply of an answer that may have several. */
export type ReplyPart = Exclude<DecodedReply, { readonly kind: 'error' }>;

/** How replies of one call are read. */
export interface ReplyReading {
  readonly codecs: CodecLookup;
  readonly codec: Codec | undefined;
  /** Errors that are rebuilt here. */
  readonly known: ReadonlyMap<string, ErrorClass>;
  /** What one reply may have. */
  readonly maxBytes: number;
}

/** The value of a reply. @throws RpcRemoteError or the error it stands for, DecodeError */
export function readReply(message: ReceivedMessage, reading: ReplyReading): unknown {
  const part = readPart(message, reading);
  return part.kind === 'end' ? undefined : part.value;
}

/** What one of several replies says. @throws RpcRemoteError or the error it stands for, DecodeError */
export function readPart(message: ReceivedMessage, reading: ReplyReading): ReplyPart {
  const { codecs, codec, known, maxBytes } = reading;
  const { content, properties } = message;
  if (content.length > maxBytes) {
    throw new DecodeError(
      `the reply has ${content.length} bytes, but maxMessageBytes is ${maxBytes}`,
      'raise the limit on both sides, or reply with a reference',
    );
  }
  const headers = safeHeaders(properties.headers);
  refuseUnreadable(headers);
  if (codec?.decodeReply) {
    const reply = decoded(() =>
      codec.decodeReply?.(codecs.decompress(content, properties, codec), properties),
    );
    if (reply?.kind === 'error') throw remoteError(reply.error, known);
    return reply ?? { kind: 'end' };
  }
  const marked = headers[HEADER.rpcError];
  if (marked === undefined || marked === null || marked === 0 || marked === false) {
    return { kind: 'value', value: codecs.decode(content, properties, codec) };
  }
  throw remoteError(errorFacts(decoded(() => codecs.decode(content, properties))), known);
}

function decoded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError(
      `the reply cannot be read: ${printable(describeError(error))}`,
      "check that the other side's content type matches the body",
      [],
      error,
    );
  }
}

function remoteError(facts: RemoteErrorFacts, known: ReadonlyMap<string, ErrorClass>): Error {
  const { data } = facts;
  // Errors are logged: line ends, escape sequences and the like must not be obeyed by what shows the log.
  const message = visible(facts.message.slice(0, TEXT_LIMIT));
  const code = typeof facts.code === 'string' ? visible(facts.code.slice(0, TEXT_LIMIT)) : facts.code;
  const error = new RpcRemoteError(visible(facts.name.slice(0, TEXT_LIMIT)), message, code, data);
  return rebuiltError(known, { ...facts, message }, error) ?? error;
}

function errorFacts(body: unknown): RemoteErrorFacts {
  if (typeof body !== 'object' || body === null) return { name: 'Error', message: String(body) };
  const { name, message, code, data } = body as Record<string, unknown>;
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : 'the remote handler failed',
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(data === undefined ? {} : { data }),
  };
}
