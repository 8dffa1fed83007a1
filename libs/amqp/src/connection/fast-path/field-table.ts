// Writes header tables as amqplib does: the same bytes for the same values.

import { tableBytes } from '../../message/headers.js';

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

/** Writes a table after its length; the caller has reserved the bytes. @throws TypeError for a value that AMQP cannot encode */
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

/** The type tag of each type that can be named, and its encoder. */
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
