// Reads and writes header tables as amqplib does: the same values for the same bytes, and the same bytes for the same
// values.

import { tableBytes } from '../../message/headers.js';

// Short texts from the wire that come again and again: keys, content types, addresses, names of headers. Decoding bytes
// calls into the runtime, which costs more than to see that they are the same as before.

/** A power of two. */
const SLOTS = 256;
/** Longer ones are decoded each time. */
const LONGEST = 128;

const bytesOf = new Uint8Array(SLOTS * LONGEST);
const texts = new Array<string>(SLOTS).fill('');
const lengths = new Uint8Array(SLOTS);

/** `length` bytes from `at` on as text; the same string as the last time if nothing took its place since. */
export function cachedString(bytes: Buffer, at: number, length: number): string {
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

/** Deeper tables would overflow the stack of whoever reads them. */
const MAX_DEPTH = 200;

/** The entries of a table between two places. @throws TypeError, RangeError for what cannot be read */
export function readTable(bytes: Buffer, from: number, until: number, depth = 0): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (until > bytes.length) throw new RangeError('a table is longer than its frame');
  const table: Record<string, unknown> = {};
  const reader = new ValueReader(bytes, from, until, depth);
  while (reader.at < until) {
    const length = bytes[reader.at++];
    const name = cachedString(bytes, reader.at, length);
    reader.at += length;
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

const MAX_BYTE = 127;

/** A value whose type is named. */
interface Typed {
  readonly '!': string;
  readonly value: unknown;
}

/** Where a table is written. */
export interface Target {
  readonly slab: Buffer;
  at: number;
}

/** A table with its length in front. There must be room. @throws TypeError for what has no form on the wire */
export function writeTable(to: Target, table: object): void {
  const start = to.at;
  to.at += 4;
  for (const name in table) {
    const value = (table as Record<string, unknown>)[name];
    if (value === undefined) continue;
    writeShort(to, name);
    writeValue(to, value);
  }
  to.slab.writeUInt32BE(to.at - start - 4, start);
}

/** Up to 255 bytes with their number in front. Nearly all are ASCII, for which a call into the runtime costs more. */
export function writeShort(to: Target, value: string): void {
  const { slab, at } = to;
  const { length } = value;
  let i = 0;
  if (length <= 48) {
    for (; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) break;
      slab[at + 1 + i] = code;
    }
  }
  if (i === length) {
    slab[at] = length;
    to.at = at + 1 + length;
    return;
  }
  const bytes = length > 255 ? length : slab.write(value, at + 1, 'utf8');
  if (bytes > 255) throw new RangeError('a string of more than 255 bytes cannot be a name or a property');
  slab[at] = bytes;
  to.at = at + 1 + bytes;
}

/** More bytes than a table can take, whatever its texts are made of. */
export function tableSize(table: object): number {
  let bytes = 4;
  for (const name in table) {
    const value = (table as Record<string, unknown>)[name];
    const simple = typeof value === 'string' ? 5 + 3 * value.length : 9;
    bytes += 1 + 3 * name.length + (typeof value === 'object' ? tableBytes({ value }) : simple);
  }
  return bytes;
}

function writeValue(to: Target, value: unknown): void {
  switch (typeof value) {
    case 'string':
      return writeText(to, value);
    case 'number':
      return writeNumber(to, value);
    case 'boolean':
      tag(to, 't');
      to.slab[to.at++] = value ? 1 : 0;
      return;
    case 'object':
      return value === null ? tag(to, 'V') : writeObject(to, value);
    default:
      throw new TypeError(`Unknown type to encode: ${typeof value}`);
  }
}

function writeText(to: Target, text: string): void {
  tag(to, 'S');
  const length = to.slab.write(text, to.at + 4, 'utf8');
  to.at = to.slab.writeUInt32BE(length, to.at) + length;
}

function writeObject(to: Target, value: object): void {
  if (Object.hasOwn(value, '!')) return writeTyped(to, value as Typed);
  if (Array.isArray(value)) {
    tag(to, 'A');
    const start = to.at;
    to.at += 4;
    for (const item of value) writeValue(to, item);
    to.slab.writeUInt32BE(to.at - start - 4, start);
  } else if (Buffer.isBuffer(value)) {
    tag(to, 'x');
    to.at = to.slab.writeUInt32BE(value.length, to.at);
    to.at += value.copy(to.slab, to.at);
  } else {
    tag(to, 'F');
    writeTable(to, value);
  }
}

function writeNumber(to: Target, value: number): void {
  const { slab } = to;
  if (value >= 2 ** 63 || (Math.abs(value) < 2 ** 50 && !Number.isInteger(value))) {
    tag(to, 'd');
    to.at = slab.writeDoubleBE(value, to.at);
  } else if (value <= MAX_BYTE && value >= -128) {
    tag(to, 'b');
    to.at = slab.writeInt8(value, to.at);
  } else if (value >= -0x8000 && value < 0x8000) {
    tag(to, 's');
    to.at = slab.writeInt16BE(value, to.at);
  } else if (value >= -0x80000000 && value < 0x80000000) {
    tag(to, 'I');
    to.at = slab.writeInt32BE(value, to.at);
  } else {
    tag(to, 'l');
    to.at = int64(slab, value, to.at);
  }
}

type Write = (slab: Buffer, value: number, at: number) => number;

const double: Write = (slab, value, at) => slab.writeDoubleBE(value, at);
const int8: Write = (slab, value, at) => slab.writeInt8(value, at);
const uint8: Write = (slab, value, at) => slab.writeUInt8(value, at);
const int16: Write = (slab, value, at) => slab.writeInt16BE(value, at);
const uint16: Write = (slab, value, at) => slab.writeUInt16BE(value, at);
const int32: Write = (slab, value, at) => slab.writeInt32BE(value, at);
const uint32: Write = (slab, value, at) => slab.writeUInt32BE(value, at);
const int64: Write = (slab, value, at) => {
  if (!Number.isSafeInteger(value)) return slab.writeBigInt64BE(BigInt(value), at);
  const high = Math.floor(value / 2 ** 32);
  return slab.writeUInt32BE(value - high * 2 ** 32, slab.writeInt32BE(high, at));
};

/** The letter of each type that can be named, and how it is written. */
const TYPES: Readonly<Record<string, readonly [letter: string, write: Write] | undefined>> = {
  double: ['d', double],
  float64: ['d', double],
  float: ['f', (slab, value, at) => slab.writeFloatBE(value, at)],
  byte: ['b', int8],
  int8: ['b', int8],
  unsignedbyte: ['B', uint8],
  uint8: ['B', uint8],
  short: ['s', int16],
  int16: ['s', int16],
  unsignedshort: ['u', uint16],
  uint16: ['u', uint16],
  int: ['I', int32],
  int32: ['I', int32],
  unsignedint: ['i', uint32],
  uint32: ['i', uint32],
  long: ['l', int64],
  int64: ['l', int64],
  timestamp: ['T', (slab, value, at) => slab.writeBigUInt64BE(BigInt(value), at)],
};

function writeTyped(to: Target, { '!': type, value }: Typed): void {
  const known = TYPES[type];
  if (known) {
    tag(to, known[0]);
    to.at = known[1](to.slab, value as number, to.at);
  } else if (type === 'decimal') {
    const { places, digits } = value as { readonly places: number; readonly digits: number };
    tag(to, 'D');
    to.at = uint32(to.slab, digits, uint8(to.slab, places, to.at));
  } else if (type === typeof value && type !== 'object') {
    writeValue(to, value);
  } else {
    throw new TypeError(`Unknown type to encode: ${type}`);
  }
}

function tag(to: Target, letter: string): void {
  to.slab[to.at++] = letter.charCodeAt(0);
}
