// The wire of Nest's own RabbitMQ transport: `{ pattern, data, id }` there, `{ response | err, isDisposed }`
// back. With `codec: nest` a handler serves Nest's ClientProxy, and a request reaches a Nest microservice.

import { holdsMoreThan, json, parseJson, utf8 } from './codecs.js';
import { DECODE_LIMITS } from '../../options/settings.js';
import type { Codec, DecodedReply, Encoded, OutgoingFacts, RemoteErrorFacts } from './codec.js';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Speaks with `ClientProxy` and `@MessagePattern` of `@nestjs/microservices` over RabbitMQ. */
export const nest: Codec = {
  name: 'nest',
  contentTypes: ['application/vnd.nestjs+json'],
  readsJson: true,
  // Nest's server tells requests from events by the id alone, and answers with the correlation id.
  encode: (payload, about) => encode(about.routingKey, payload, about),
  decode(content) {
    const packet = parseJson(utf8(content));
    return isPacket(packet) ? packet.data : packet;
  },
  // The id is that of the call, and asking again is another call.
  identity(content) {
    try {
      const packet = parseJson(utf8(content));
      return isPacket(packet) ? body({ ...packet, id: undefined }).content : content;
    } catch {
      return content;
    }
  },
  encodeReply: (value, more = false) =>
    body(more ? { response: value } : { response: value, isDisposed: true }),
  encodeEnd: () => body({ isDisposed: true }),
  encodeError: (error) => body({ err: error, isDisposed: true }),
  decodeReply(content): DecodedReply {
    const packet = parseJson(utf8(content));
    if (!isRecord(packet)) return { kind: 'value', value: packet };
    if (packet.err !== undefined && packet.err !== null)
      return { kind: 'error', error: errorFacts(packet.err) };
    // One value that is undefined looks like the end of several: `request` takes both for undefined.
    if (!('response' in packet) && packet.isDisposed === true) return { kind: 'end' };
    if (!('response' in packet)) return { kind: 'value', value: packet };
    return { kind: 'value', value: packet.response, more: packet.isDisposed !== true };
  },
};

/**
 * The codec `nest` for one pattern of a queue. A call names it where the queue has another name:
 * `request('stock-queue', data, { codec: nestPattern('stock') })`. A handler that has it gets the messages of this
 * pattern only: `@RpcHandler('stock', { queue: 'stock-queue', codec: nestPattern('stock') })`, so that the handlers of a
 * microservice can share its one queue. Objects such as `{ cmd: 'sum' }` are patterns too.
 */
export function nestPattern(pattern: string | Readonly<Record<string, unknown>>): Codec {
  const name = patternName(pattern);
  return {
    ...nest,
    name: `nest ${name}`,
    accepts: (content) => patternOf(content) === name,
    encode: (payload, about) => encode(pattern, payload, about),
  };
}

/** The patterns of bodies that were looked at: every handler of a queue asks. */
const patterns = new WeakMap<Buffer, string>();

/** What a body says it is for; '' when it says nothing. */
function patternOf(content: Buffer): string {
  const known = patterns.get(content);
  if (known !== undefined) return known;
  let packet: unknown;
  try {
    if (!holdsMoreThan(DECODE_LIMITS.maxJsonContainers, content)) packet = parseJson(utf8(content));
  } catch {
    // No packet, then.
  }
  const pattern = isPacket(packet) ? patternName(packet.pattern) : '';
  patterns.set(content, pattern);
  return pattern;
}

// The order of an object's keys makes no difference, and neither does it whether a client sent the object or, as some
// versions of Nest do, its JSON.
function patternName(pattern: unknown): string {
  if (typeof pattern !== 'string') return JSON.stringify(sorted(pattern)) ?? '';
  if (!pattern.startsWith('{')) return pattern;
  try {
    return JSON.stringify(sorted(parseJson(pattern)));
  } catch {
    return pattern;
  }
}

function sorted(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}

function encode(pattern: unknown, data: unknown, about: OutgoingFacts): Encoded {
  return { ...json.encode({ pattern, data, id: about.correlationId }, about), contentType: undefined };
}

// Other programs' JSON may have a field `pattern` as well: it must not lose the rest.
const PACKET = new Set(['pattern', 'data', 'id', 'metadata']);

function isPacket(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && 'pattern' in value && Object.keys(value).every((key) => PACKET.has(key));
}

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
