// Turns methods into bytes and back by walking the method table. One loop for all sixty methods.
import { AmqpFailure } from '../model/failure.js';
import { Cursor } from './cursor.js';
import { binary } from './frames.js';
import {
  readFrequent,
  writeAck,
  writeDeliver,
  writeLong,
  writeLonglong,
  writeShortstr,
} from './frequent-methods.js';
import { type Args, type Method, type MethodName, METHODS, type WireType } from './methods.js';

interface Shape {
  readonly name: MethodName;
  readonly classId: number;
  readonly methodId: number;
  readonly fields: readonly (readonly [string, WireType])[];
  /** The most its payload can take; undefined when it has fields without a limit. */
  readonly maxSize: number | undefined;
}

/** Bytes that a field takes at most, without the contents of those that have no limit. */
const MOST: Readonly<Record<WireType, number>> = {
  bit: 1,
  octet: 1,
  short: 2,
  long: 4,
  longlong: 8,
  shortstr: 256,
  longstr: 4,
  table: 4,
};

function mostOf(types: readonly WireType[]): number | undefined {
  if (types.includes('longstr') || types.includes('table')) return undefined;
  return types.reduce((size, type) => size + MOST[type], 4);
}

const shapes = new Map<MethodName, Shape>();
const byId = new Map<number, Shape>();

for (const [name, [classId, methodId, fields]] of Object.entries(METHODS)) {
  const shape: Shape = {
    name: name as MethodName,
    classId,
    methodId,
    fields: Object.entries(fields),
    maxSize: mostOf(Object.values(fields)),
  };
  shapes.set(shape.name, shape);
  byId.set(classId * 0x10000 + methodId, shape);
}

/** The class and method id, as connection.close and channel.close name the culprit. */
export function methodIds(name: MethodName): readonly [number, number] {
  const [classId, methodId] = METHODS[name];
  return [classId, methodId];
}

/** Decodes the payload of a method frame. Throws 503 for a method that AMQP does not have, 501 for broken bytes. */
export function decodeMethod(payload: Buffer): Method {
  const cursor = new Cursor(payload);
  const id = cursor.long();
  try {
    const method = readFrequent(id, cursor) ?? readMethod(id, payload, cursor);
    if (cursor.left === 0) return method;
  } catch (error) {
    if (!(error instanceof AmqpFailure) || error.code !== 502) throw error;
  }
  throw new AmqpFailure(501, `cannot decode ${binary(payload.subarray(4))}`);
}

function readMethod(id: number, payload: Buffer, cursor: Cursor): Method {
  const shape = byId.get(id);
  if (!shape)
    throw new AmqpFailure(503, `unknown method ${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`);
  const args: Record<string, unknown> = {};
  for (const [field, type] of shape.fields) args[field] = readField(cursor, type);
  return { name: shape.name, args } as unknown as Method;
}

function readField(cursor: Cursor, type: WireType): unknown {
  switch (type) {
    case 'bit':
      return cursor.bit();
    case 'octet':
      return cursor.octet();
    case 'short':
      return cursor.short();
    case 'long':
      return cursor.long();
    case 'longlong':
      return cursor.longlong();
    case 'shortstr':
      return cursor.shortstr();
    default:
      return cursor.longstr();
  }
}

/** The payload of a method frame. Short strings are cut at 255 bytes, the most the wire can carry. */
export function encodeMethod<N extends MethodName>(name: N, args: Args<N>): Buffer {
  const payload = Buffer.allocUnsafe(methodRoom(name, args));
  return payload.subarray(0, writeMethod(payload, 0, name, args));
}

/** Writes the payload of a method frame into reserved bytes and returns its end. */
export function writeMethod<N extends MethodName>(
  into: Buffer,
  start: number,
  name: N,
  args: Args<N>,
): number {
  if (name === 'basic.deliver') return writeDeliver(into, start, args as Args<'basic.deliver'>);
  if (name === 'basic.ack') return writeAck(into, start, args as Args<'basic.ack'>);
  const shape = shapes.get(name) as Shape;
  const values = args as Readonly<Record<string, unknown>>;
  let at = writeLong(into, start, shape.classId * 0x10000 + shape.methodId);
  let bits = -1;
  for (const [field, type] of shape.fields) {
    const value = values[field];
    if (type === 'bit') {
      if (bits === -1 || bits === 8) {
        into[at++] = 0;
        bits = 0;
      }
      if (value) into[at - 1] = into[at - 1] | (1 << bits);
      bits += 1;
      continue;
    }
    bits = -1;
    at = writeField(into, at, type, value);
  }
  return at;
}

/** As many bytes as the payload of a method takes, or more. */
export function methodRoom<N extends MethodName>(name: N, args: Args<N>): number {
  return (shapes.get(name) as Shape).maxSize ?? sizeOf(shapes.get(name) as Shape, args);
}

function sizeOf(shape: Shape, values: Readonly<Record<string, unknown>>): number {
  let size = 4;
  for (const [field, type] of shape.fields) {
    const value = values[field];
    size += Buffer.isBuffer(value) ? 4 + value.length : MOST[type];
  }
  return size;
}

function writeField(into: Buffer, at: number, type: WireType, value: unknown): number {
  switch (type) {
    case 'octet':
      return into.writeUInt8(value as number, at);
    case 'short':
      return into.writeUInt16BE(value as number, at);
    case 'long':
      return into.writeUInt32BE(value as number, at);
    case 'longlong':
      return writeLonglong(into, at, value as number);
    case 'shortstr':
      return writeShortstr(into, at, value as string);
    default: {
      const bytes = value as Buffer;
      into.writeUInt32BE(bytes.length, at);
      return at + 4 + bytes.copy(into, at + 4);
    }
  }
}
