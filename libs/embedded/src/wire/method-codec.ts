// Turns methods into bytes and back by walking the method table. One loop for all sixty methods.
import { AmqpFailure } from '../model/failure.js';
import { Cursor } from './cursor.js';
import { type Args, type Method, type MethodName, METHODS, type WireType } from './methods.js';

interface Shape {
  readonly name: MethodName;
  readonly classId: number;
  readonly methodId: number;
  readonly fields: readonly (readonly [string, WireType])[];
}

const shapes = new Map<MethodName, Shape>();
const byId = new Map<number, Shape>();

for (const [name, [classId, methodId, fields]] of Object.entries(METHODS)) {
  const shape: Shape = {
    name: name as MethodName,
    classId,
    methodId,
    fields: Object.entries(fields),
  };
  shapes.set(shape.name, shape);
  byId.set(classId * 0x10000 + methodId, shape);
}

/** The class and method id, as connection.close and channel.close name the culprit. */
export function methodIds(name: MethodName): readonly [number, number] {
  const [classId, methodId] = METHODS[name];
  return [classId, methodId];
}

/** Decodes the payload of a method frame. Throws a 503 failure for a method that AMQP does not have. */
export function decodeMethod(payload: Buffer): Method {
  const cursor = new Cursor(payload);
  const shape = byId.get(cursor.long());
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
  const shape = shapes.get(name) as Shape;
  const values = args as Readonly<Record<string, unknown>>;
  const payload = Buffer.allocUnsafe(sizeOf(shape, values));
  payload.writeUInt32BE(shape.classId * 0x10000 + shape.methodId, 0);
  let at = 4;
  let bits = -1;
  for (const [field, type] of shape.fields) {
    const value = values[field];
    if (type === 'bit') {
      if (bits === -1 || bits === 8) {
        payload[at++] = 0;
        bits = 0;
      }
      if (value) payload[at - 1] = payload[at - 1] | (1 << bits);
      bits += 1;
      continue;
    }
    bits = -1;
    at = writeField(payload, at, type, value);
  }
  return payload.subarray(0, at);
}

function sizeOf(shape: Shape, values: Readonly<Record<string, unknown>>): number {
  let size = 4;
  for (const [field, type] of shape.fields) {
    const value = values[field];
    if (typeof value === 'string') size += 256;
    else if (Buffer.isBuffer(value)) size += 4 + value.length;
    else size += type === 'longlong' ? 8 : 4;
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
    case 'longlong': {
      const number = value as number;
      into.writeUInt32BE(Math.floor(number / 0x1_0000_0000), at);
      return into.writeUInt32BE(number % 0x1_0000_0000, at + 4);
    }
    case 'shortstr': {
      const size = into.write(value as string, at + 1, 255, 'utf8');
      into[at] = size;
      return at + 1 + size;
    }
    default: {
      const bytes = value as Buffer;
      into.writeUInt32BE(bytes.length, at);
      return at + 4 + bytes.copy(into, at + 4);
    }
  }
}
