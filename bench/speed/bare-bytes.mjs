// Bytes of the protocol that the client of bare-client.mjs sends: frames, texts, tables, and what is the same in all messages to
// one queue.
export const METHOD = 1;
export const HEADER = 2;
export const BODY = 3;
export const END = 0xce;

/** Bits of the properties that the benchmark uses. */
export const CONTENT_TYPE = 1 << 15;
export const ENCODING = 1 << 14;
export const HEADERS = 1 << 13;
export const MODE = 1 << 12;
export const PRIORITY = 1 << 11;
export const CORRELATION = 1 << 10;
export const REPLY_TO = 1 << 9;

const PERSISTENT = 2;
const JSON_TYPE = 'application/json';

/** @param {string} text */
export const short = (text) => Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)]);
/** @param {string | Buffer} text */
export const long = (text) => {
  const bytes = Buffer.from(text);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
};
/** A table of texts. @param {Record<string, string>} fields */
export const table = (fields) =>
  long(
    Buffer.concat(
      Object.entries(fields).flatMap(([name, value]) => [short(name), Buffer.from('S'), long(value)]),
    ),
  );
/** @param {number} value */
export const two = (value) => Buffer.of(value >> 8, value & 255);
/** No fields. */
export const TABLE = Buffer.alloc(4);
/** The reserved short at the start of most methods. */
export const RESERVED = two(0);

/** @param {number} type @param {number} channel @param {Buffer[]} parts */
export function frame(type, channel, ...parts) {
  const payload = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(type), two(channel), long(payload), Buffer.of(END)]);
}

/** @param {number} method */
export const named = (method) => Buffer.concat([two(Math.floor(method / 1000)), two(method % 1000)]);

/**
 * What is the same in all messages to one queue: the method, and the header up to the correlation id.
 *
 * @param {number} channel
 * @param {string} queue
 * @param {{ persistent?: boolean, replyTo?: string, correlated?: boolean }} options
 */
export function template(channel, queue, { persistent = false, replyTo, correlated = false }) {
  const method = frame(METHOD, channel, named(60_040), RESERVED, short(''), short(queue), Buffer.of(0));
  const flags =
    CONTENT_TYPE | (persistent ? MODE : 0) | (correlated ? CORRELATION : 0) | (replyTo ? REPLY_TO : 0);
  const mode = Buffer.from(persistent ? [PERSISTENT] : []);
  const head = Buffer.concat([two(60), two(0), Buffer.alloc(8), two(flags), short(JSON_TYPE), mode]);
  const tail = replyTo ? short(replyTo) : Buffer.alloc(0);
  return { channel, method, head, tail, correlated };
}
