// Reads the frames that arrive for every message: a delivery (method, header, body) and confirms. Header tables are read
// as amqplib reads them: the same values for the same bytes.

import { HEADER } from '../../message/headers.js';
import { describeError } from '../../runtime/logger.js';
import type { MessageProperties } from '../../message/message.js';

// A cache of short strings that repeat: keys, content types, addresses, names of headers. Decoding bytes calls into the
// runtime, which costs more than comparing them with the last ones.

/** A power of two. */
const SLOTS = 256;
/** Longer ones are decoded each time. */
const LONGEST = 128;

const bytesOf = new Uint8Array(SLOTS * LONGEST);
const texts = new Array<string>(SLOTS).fill('');
const lengths = new Uint8Array(SLOTS);

/** The short text whose length is the byte at `at`; the same string as the last time if nothing took its place since. */
export function cachedString(bytes: Buffer, at: number): string {
  const length = bytes[at++];
  if (length === 0) return '';
  const end = at + length;
  if (length > LONGEST || end > bytes.length) return bytes.toString('utf8', at, end);
  const slot = (length * 7 + bytes[at] * 31 + bytes[end - 1] * 13 + bytes[at + (length >> 1)]) & (SLOTS - 1);
  const first = slot * LONGEST;
  let same = lengths[slot] === length;
  for (let i = 0; same && i < length; i++) same = bytesOf[first + i] === bytes[at + i];
  if (same) return texts[slot];
  const text = bytes.toString('utf8', at, end);
  bytesOf.set(bytes.subarray(at, end), first);
  lengths[slot] = length;
  texts[slot] = text;
  return text;
}

/** Deeper tables would overflow the stack of recursive readers. */
const MAX_DEPTH = 200;

/** The entries of a table between two places. @throws TypeError, RangeError for what cannot be read */
export function readTable(bytes: Buffer, from: number, until: number, depth = 0): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (until > bytes.length) throw new RangeError('a table is longer than its frame');
  const table: Record<string, unknown> = {};
  const reader = new ValueReader(bytes, from, until, depth);
  while (reader.at < until) {
    const name = cachedString(bytes, reader.at);
    reader.at += 1 + bytes[reader.at];
    if (reader.at >= until) throw new RangeError('an entry is longer than its table');
    table[name] = reader.value();
  }
  return table;
}

/** Values one after the other. */
class ValueReader {
  constructor(
    private readonly bytes: Buffer,
    public at: number,
    private readonly until: number,
    private readonly depth: number,
  ) {}

  value(): unknown {
    const { bytes } = this;
    const letter = String.fromCharCode(bytes[this.past(1)]);
    switch (letter) {
      case 'S': {
        const end = this.end();
        const text = bytes.toString('utf8', this.at, end);
        this.at = end;
        return text;
      }
      case 't':
        return bytes[this.past(1)] !== 0;
      case 'b':
        return bytes.readInt8(this.past(1));
      case 'B':
        return bytes.readUInt8(this.past(1));
      case 's':
        return bytes.readInt16BE(this.past(2));
      case 'u':
        return bytes.readUInt16BE(this.past(2));
      case 'I':
        return bytes.readInt32BE(this.past(4));
      case 'i':
        return bytes.readUInt32BE(this.past(4));
      case 'l':
        // The sum is rounded as the whole number would be.
        return bytes.readInt32BE(this.past(4)) * 2 ** 32 + bytes.readUInt32BE(this.past(4));
      case 'f':
        return bytes.readFloatBE(this.past(4));
      case 'd':
        return bytes.readDoubleBE(this.past(8));
      case 'T':
        return { '!': 'timestamp', value: Number(bytes.readBigUInt64BE(this.past(8))) };
      case 'V':
        return null;
      default:
        return this.composed(letter);
    }
  }

  private composed(letter: string): unknown {
    const { bytes } = this;
    switch (letter) {
      case 'D': {
        const at = this.past(5);
        return { '!': 'decimal', value: { places: bytes[at], digits: bytes.readUInt32BE(at + 1) } };
      }
      case 'x': {
        const end = this.end();
        const part = bytes.subarray(this.at, end);
        this.at = end;
        return part;
      }
      case 'F': {
        const end = this.end();
        const table = readTable(bytes, this.at, end, this.depth + 1);
        this.at = end;
        return table;
      }
      case 'A':
        return this.list();
      default:
        throw new TypeError(`Unexpected type tag "${letter}"`);
    }
  }

  private list(): unknown[] {
    const end = this.end();
    if (this.depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
    const inner = new ValueReader(this.bytes, this.at, end, this.depth + 1);
    const list: unknown[] = [];
    while (inner.at < end) list.push(inner.value());
    this.at = end;
    return list;
  }

  /** The end of something with its length in front. */
  private end(): number {
    const length = this.bytes.readUInt32BE(this.past(4));
    if (this.at + length > this.until) throw new RangeError('a value is longer than its table');
    return this.at + length;
  }

  private past(length: number): number {
    const { at } = this;
    this.at += length;
    if (this.at > this.until) throw new RangeError('a value is longer than its table');
    return at;
  }
}

/** Class and method of what is read here. */
export const DELIVER = 60 * 0x10000 + 60;
export const ACK = 60 * 0x10000 + 80;
export const NACK = 60 * 0x10000 + 120;

/** What a delivery's method says. */
export interface DeliverFields {
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
}

/** Reads the arguments of a deliver method, which begin at `at`. @throws RangeError for a tag that cannot be acked */
export function readDeliver(bytes: Buffer, at: number): DeliverFields {
  // The consumer's tag: a channel has one consumer.
  at += 1 + bytes[at];
  const deliveryTag = readTag(bytes, at);
  if (deliveryTag < 1 || deliveryTag > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`a delivery has the tag ${deliveryTag}`);
  }
  const redelivered = (bytes[at + 8] & 1) !== 0;
  at += 9;
  const exchange = cachedString(bytes, at);
  at += 1 + bytes[at];
  return { deliveryTag, redelivered, exchange, routingKey: cachedString(bytes, at) };
}

/** A 64-bit number below 2^53. */
export function readTag(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x100000000 + bytes.readUInt32BE(at + 4);
}

/** The properties of a header frame whose flags are at `at`. */
export function readProperties(bytes: Buffer, at: number, end: number): MessageProperties {
  const flags = bytes.readUInt16BE(at);
  const reader = { bytes, at: at + 2 };
  // All properties in every object, in this order, so that V8 sees one shape.
  const properties: MessageProperties = {
    contentType: flags & 0x8000 ? known(reader) : undefined,
    contentEncoding: flags & 0x4000 ? known(reader) : undefined,
    headers: flags & 0x2000 ? headers(reader) : undefined,
    deliveryMode: flags & 0x1000 ? bytes[reader.at++] : undefined,
    priority: flags & 0x0800 ? bytes[reader.at++] : undefined,
    correlationId: flags & 0x0400 ? text(reader) : undefined,
    replyTo: flags & 0x0200 ? known(reader) : undefined,
    expiration: flags & 0x0100 ? known(reader) : undefined,
    messageId: flags & 0x0080 ? text(reader) : undefined,
    timestamp: flags & 0x0040 ? time(reader) : undefined,
    type: flags & 0x0020 ? known(reader) : undefined,
    userId: flags & 0x0010 ? known(reader) : undefined,
    appId: flags & 0x0008 ? known(reader) : undefined,
  };
  if (reader.at > end) throw new RangeError('a header frame is shorter than its properties');
  return properties;
}

/** A place in a header frame: each of these reads one property there and moves on. */
interface PropertyReader {
  readonly bytes: Buffer;
  at: number;
}

/** A property that differs in each message. */
function text(reader: PropertyReader): string {
  const { bytes, at } = reader;
  reader.at += 1 + bytes[at];
  return bytes.toString('utf8', at + 1, reader.at);
}

/** A property that is the same in many messages. */
function known(reader: PropertyReader): string {
  const { bytes, at } = reader;
  reader.at += 1 + bytes[at];
  return cachedString(bytes, at);
}

function time(reader: PropertyReader): number {
  reader.at += 8;
  return readTag(reader.bytes, reader.at - 8);
}

// One message with unreadable headers must not close the connection, only to be delivered again on the next one.
function headers(reader: PropertyReader): Record<string, unknown> {
  const { bytes } = reader;
  const from = reader.at + 4;
  reader.at = from + bytes.readUInt32BE(reader.at);
  if (reader.at === from) return {};
  try {
    return readTable(bytes, from, reader.at);
  } catch (error) {
    return { [HEADER.unreadable]: describeError(error).slice(0, 200) };
  }
}
