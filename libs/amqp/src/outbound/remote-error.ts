// Reads a reply: a value, or the error of the handler at the other side. Whatever odd shape a foreign
// service sends, the caller gets one of the two, and only text that is safe to show.

import { DecodeError } from '../model/errors.js';
import { RpcRemoteError } from '../model/rpc-errors.js';
import { HEADER, refuseUnreadable, safeHeaders } from '../model/headers.js';
import { describeError } from '../model/logger.js';
import type { Codec, CodecLookup, RemoteErrorFacts } from '../model/codec.js';
import type { ReceivedMessage } from '../model/message.js';

/** Another program chooses these texts, and they end in messages and logs of this one. */
const TEXT_LIMIT = 8_000;

/** The value of a reply. @throws RpcRemoteError, DecodeError */
export function readReply(message: ReceivedMessage, codecs: CodecLookup, codec: Codec | undefined): unknown {
  const { content, properties } = message;
  const headers = safeHeaders(properties.headers);
  refuseUnreadable(headers);
  if (codec?.decodeReply) {
    const reply = decoded(() => codec.decodeReply?.(codecs.decompress(content, properties), properties));
    if (reply?.kind === 'error') throw remoteError(reply.error);
    return reply?.value;
  }
  const marked = headers[HEADER.rpcError];
  if (marked === undefined || marked === null || marked === 0 || marked === false) {
    return codecs.decode(content, properties, codec);
  }
  throw remoteError(errorFacts(decoded(() => codecs.decode(content, properties))));
}

function decoded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError(
      `the reply cannot be read: ${describeError(error)}`,
      'does the other side speak this wire?',
      [],
      error,
    );
  }
}

function remoteError(facts: RemoteErrorFacts): RpcRemoteError {
  const { name, message, code, data } = facts;
  return new RpcRemoteError(name.slice(0, TEXT_LIMIT), message.slice(0, TEXT_LIMIT), code, data);
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
