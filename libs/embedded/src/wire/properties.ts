// The properties of a message, kept as the bytes that came: the broker looks at few of them and changes fewer, and
// what it does not touch must leave exactly as it arrived.
import { AmqpFailure } from '../model/failure.js';
import { Cursor } from './cursor.js';

/** Property names in wire order; the flag of the first is bit 15. */
const NAMES = [
  'contentType',
  'contentEncoding',
  'headers',
  'deliveryMode',
  'priority',
  'correlationId',
  'replyTo',
  'expiration',
  'messageId',
  'timestamp',
  'type',
  'userId',
  'appId',
  'clusterId',
] as const;

export type PropertyName = (typeof NAMES)[number];

/** Where each present property sits: its bytes as on the wire, length prefix included. */
export type Properties = ReadonlyMap<PropertyName, Buffer>;

export const NO_PROPERTIES = Buffer.alloc(2);

const BIT = new Map<PropertyName, number>(NAMES.map((name, index) => [name, 1 << (15 - index)]));

/** A quick look at the flags, without walking the properties. */
export function hasProperty(raw: Buffer, name: PropertyName): boolean {
  return (raw.readUInt16BE(0) & (BIT.get(name) as number)) !== 0;
}

/** Throws a 502 failure when the flags and the bytes do not fit together. */
export function checkProperties(raw: Buffer): void {
  placeOf(raw, 0);
}

/** One property as on the wire. Throws a 502 failure when the flags and the bytes do not fit together. */
export function findProperty(raw: Buffer, name: PropertyName): Buffer | undefined {
  if (!hasProperty(raw, name)) return undefined;
  const [from, to] = placeOf(raw, BIT.get(name) as number);
  return raw.subarray(from, to);
}

/** Walks all properties and says where the wanted one begins and ends. */
function placeOf(raw: Buffer, wanted: number): [from: number, to: number] {
  const flags = raw.readUInt16BE(0);
  const cursor = new Cursor(raw, 2);
  let from = 0;
  let to = 0;
  for (let index = 0, bit = 0x8000; index < NAMES.length; index += 1, bit >>= 1) {
    if ((flags & bit) === 0) continue;
    const before = raw.length - cursor.left;
    const after = raw.length - skip(cursor, NAMES[index]);
    if (bit === wanted) [from, to] = [before, after];
  }
  assertEnd(cursor);
  return [from, to];
}

/** Splits flags and values. Throws a 502 failure when they do not fit together. */
export function splitProperties(raw: Buffer): Properties {
  const cursor = new Cursor(raw, 2);
  const flags = raw.readUInt16BE(0);
  const found = new Map<PropertyName, Buffer>();
  for (const [index, name] of NAMES.entries()) {
    if ((flags & (1 << (15 - index))) === 0) continue;
    found.set(name, raw.subarray(raw.length - cursor.left, raw.length - skip(cursor, name)));
  }
  assertEnd(cursor);
  return found;
}

function assertEnd(cursor: Cursor): void {
  if (cursor.left > 0) throw new AmqpFailure(502, 'bytes after the last property');
}

/** Moves past one property and says how much is left. */
function skip(cursor: Cursor, name: PropertyName): number {
  if (name === 'headers') cursor.longstr();
  else if (name === 'deliveryMode' || name === 'priority') cursor.octet();
  else if (name === 'timestamp') cursor.take(8);
  else cursor.take(cursor.octet());
  return cursor.left;
}

export function joinProperties(properties: Properties): Buffer {
  let flags = 0;
  const parts: Buffer[] = [NO_PROPERTIES];
  for (const name of NAMES) {
    const bytes = properties.get(name);
    if (!bytes) continue;
    flags |= BIT.get(name) as number;
    parts.push(bytes);
  }
  const raw = Buffer.concat(parts);
  raw.writeUInt16BE(flags, 0);
  return raw;
}

/** The same properties with some replaced; `undefined` takes one away. */
export function changeProperties(
  raw: Buffer,
  changes: Iterable<readonly [PropertyName, Buffer | undefined]>,
): Buffer {
  const properties = new Map(splitProperties(raw));
  for (const [name, bytes] of changes) {
    if (bytes) properties.set(name, bytes);
    else properties.delete(name);
  }
  return joinProperties(properties);
}

export function textProperty(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8').subarray(0, 255);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

export function tableProperty(table: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(4 + table.length);
  bytes.writeUInt32BE(table.length, 0);
  table.copy(bytes, 4);
  return bytes;
}
