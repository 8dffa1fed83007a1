// The wire of Nest's own RabbitMQ transport: `{ pattern, data, id }` there, `{ response | err, isDisposed }`
// back. With `codec: nest` a handler serves Nest's ClientProxy, and a request reaches a Nest microservice.

import { json, parseJson } from './json.js';
import type { Codec, DecodedReply, RemoteErrorFacts } from '../model/codec.js';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Speaks with `ClientProxy` and `@MessagePattern` of `@nestjs/microservices` over RabbitMQ. */
export const nest: Codec = {
  name: 'nest',
  contentTypes: ['application/vnd.nestjs+json'],
  // Nest's server tells requests from events by the id alone, and answers with the correlation id.
  encode: (payload, about) => ({
    ...json.encode({ pattern: about.routingKey, data: payload, id: about.correlationId }, about),
    contentType: undefined,
  }),
  decode(content) {
    const packet = parseJson(content.toString('utf8'));
    return isRecord(packet) && 'pattern' in packet ? packet.data : packet;
  },
  encodeReply: (value) => body({ response: value, isDisposed: true }),
  encodeError: (error) => body({ err: error, isDisposed: true }),
  decodeReply(content): DecodedReply {
    const packet = parseJson(content.toString('utf8'));
    if (!isRecord(packet)) return { kind: 'value', value: packet };
    if (packet.err !== undefined && packet.err !== null)
      return { kind: 'error', error: errorFacts(packet.err) };
    if ('response' in packet || packet.isDisposed === true) return { kind: 'value', value: packet.response };
    return { kind: 'value', value: packet };
  },
};

function body(packet: unknown): { content: Buffer } {
  return { content: Buffer.from(JSON.stringify(packet)) };
}

function errorFacts(err: unknown): RemoteErrorFacts {
  if (!isRecord(err)) return { name: 'RpcException', message: String(err) };
  const { name, message, code, data } = err;
  return {
    name: typeof name === 'string' ? name : 'RpcException',
    message: typeof message === 'string' ? message : JSON.stringify(err),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    data: data ?? err,
  };
}
