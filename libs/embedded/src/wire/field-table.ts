// Field tables: headers, queue arguments, client properties. Values keep their wire type, because RabbitMQ compares
// and reports by type, and because a broker must hand a header on exactly as it came.
import { AmqpFailure } from '../model/failure.js';
import { Cursor } from './cursor.js';

/** One value of a table with the name that RabbitMQ gives its wire type. */
export type Field =
  | { readonly type: NumberType; readonly value: number | bigint }
  | { readonly type: 'decimal'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'longstr'; readonly value: string }
  | { readonly type: 'binary'; readonly value: Buffer }
  | { readonly type: 'void'; readonly value: null }
  | { readonly type: 'array'; readonly value: readonly Field[] }
  | { readonly type: 'table'; readonly value: Table };

export type NumberType =
  | 'byte'
  | 'unsignedbyte'
  | 'short'
  | 'unsignedshort'
  | 'signedint'
  | 'unsignedint'
  | 'long'
  | 'timestamp'
  | 'float'
  | 'double';

export type Table = ReadonlyMap<string, Field>;

export const EMPTY_TABLE: Table = new Map();

const MAX_DEPTH = 64;

/** Decodes the inside of a table (without its length). Throws a 502 failure on broken bytes. */
export function decodeTable(bytes: Buffer, depth = 0): Table {
  if (bytes.length === 0) return EMPTY_TABLE;
  const cursor = new Cursor(bytes);
  const table = new Map<string, Field>();
  while (cursor.left > 0) table.set(cursor.looseShortstr(), readField(cursor, depth));
  return table;
}

function readField(cursor: Cursor, depth: number): Field {
  if (depth > MAX_DEPTH) throw new AmqpFailure(502, 'a field table is nested too deeply');
  const letter = String.fromCharCode(cursor.octet());
  switch (letter) {
    case 'S':
      return { type: 'longstr', value: cursor.longstr().toString('utf8') };
    case 't':
      return { type: 'bool', value: cursor.octet() !== 0 };
    case 'x':
      return { type: 'binary', value: cursor.longstr() };
    case 'V':
      return { type: 'void', value: null };
    case 'D':
      return { type: 'decimal', value: `${cursor.octet()}:${cursor.long()}` };
    case 'F':
      return { type: 'table', value: decodeTable(cursor.longstr(), depth + 1) };
    case 'A': {
      const inner = new Cursor(cursor.longstr());
      const value: Field[] = [];
      while (inner.left > 0) value.push(readField(inner, depth + 1));
      return { type: 'array', value };
    }
    default:
      return readNumber(cursor, letter);
  }
}

function readNumber(cursor: Cursor, letter: string): Field {
  switch (letter) {
    case 'b':
      return { type: 'byte', value: cursor.signedOctet() };
    case 'B':
      return { type: 'unsignedbyte', value: cursor.octet() };
    case 's':
      return { type: 'short', value: cursor.signedShort() };
    case 'u':
      return { type: 'unsignedshort', value: cursor.short() };
    case 'I':
      return { type: 'signedint', value: cursor.signedLong() };
    case 'i':
      return { type: 'unsignedint', value: cursor.long() };
    case 'l':
    case 'L':
      return { type: 'long', value: cursor.big() };
    case 'T':
      return { type: 'timestamp', value: BigInt.asUintN(64, cursor.big()) };
    case 'f':
      return { type: 'float', value: cursor.float() };
    case 'd':
      return { type: 'double', value: cursor.double() };
    default:
      throw new AmqpFailure(502, `a field table has a value of unknown type ${JSON.stringify(letter)}`);
  }
}

/** The inside of a table as bytes (without its length). */
export function encodeTable(table: Table): Buffer {
  const parts: Buffer[] = [];
  for (const [name, field] of table) parts.push(shortstr(name), encodeField(field));
  return Buffer.concat(parts);
}

function encodeField(field: Field): Buffer {
  switch (field.type) {
    case 'longstr':
      return tagged('S', sized(Buffer.from(field.value, 'utf8')));
    case 'binary':
      return tagged('x', sized(field.value));
    case 'bool':
      return tagged('t', Buffer.from([field.value ? 1 : 0]));
    case 'void':
      return Buffer.from('V');
    case 'table':
      return tagged('F', sized(encodeTable(field.value)));
    case 'array':
      return tagged('A', sized(Buffer.concat(field.value.map(encodeField))));
    case 'decimal': {
      const [scale, digits] = field.value.split(':').map(Number) as [number, number];
      const bytes = Buffer.alloc(5);
      bytes.writeUInt32BE(digits, bytes.writeUInt8(scale, 0));
      return tagged('D', bytes);
    }
    default:
      return encodeNumber(field.type, field.value);
  }
}

function encodeNumber(type: NumberType, value: number | bigint): Buffer {
  const bytes = Buffer.alloc(9);
  const number = Number(value);
  const put = (letter: string, end: number): Buffer => {
    bytes.write(letter, 0, 'latin1');
    return bytes.subarray(0, end);
  };
  switch (type) {
    case 'byte':
      return put('b', bytes.writeInt8(number, 1));
    case 'unsignedbyte':
      return put('B', bytes.writeUInt8(number, 1));
    case 'short':
      return put('s', bytes.writeInt16BE(number, 1));
    case 'unsignedshort':
      return put('u', bytes.writeUInt16BE(number, 1));
    case 'signedint':
      return put('I', bytes.writeInt32BE(number, 1));
    case 'unsignedint':
      return put('i', bytes.writeUInt32BE(number, 1));
    case 'float':
      return put('f', bytes.writeFloatBE(number, 1));
    case 'double':
      return put('d', bytes.writeDoubleBE(number, 1));
    case 'timestamp':
      return put('T', bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)), 1));
    default:
      return put('l', bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)), 1));
  }
}

function tagged(letter: string, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(letter, 'latin1'), bytes]);
}

function sized(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bytes.length, 0);
  return Buffer.concat([size, bytes]);
}

function shortstr(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8').subarray(0, 255);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
