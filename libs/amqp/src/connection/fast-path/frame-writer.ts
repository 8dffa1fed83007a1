// The frames that leave for every message: a publish (method, header, body), and what settles a delivery.

import type { MessageProperties, OutgoingMessage } from '../../message/message.js';
import type { WriteBuffer } from './write-buffer.js';
import { tableSize, writeShort, writeTable } from './field-table.js';

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const END = 0xce;
/** Type, channel, size before a frame, its end after it. */
const OVERHEAD = 8;

const BASIC = 60;
const PUBLISH = 40;
const ACK = 80;
const NACK = 120;

/** Everything of a publish but its table and body at its longest: eleven texts of 255 bytes, and what is fixed. */
const MOST = 3_000;

const EMPTY = {};

/** Writes a publish. @throws when a property cannot be written; then nothing of it is left */
export function writePublish(
  to: WriteBuffer,
  channel: number,
  message: OutgoingMessage,
  replyTo: string | undefined,
  frameMax: number,
): void {
  const { content, properties } = message;
  const headers = properties.headers ?? EMPTY;
  to.reserve(MOST + tableSize(headers) + Math.min(content.length, 8_192));
  const start = to.at;
  try {
    writeMethod(to, channel, message);
    writeHeader(to, channel, properties, headers, replyTo, content.length);
  } catch (error) {
    to.at = start;
    throw error;
  }
  const largest = frameMax > 0 ? frameMax - OVERHEAD : Infinity;
  if (content.length <= largest) {
    if (content.length > 0) writeBody(to, channel, content);
  } else {
    for (let offset = 0; offset < content.length; offset += largest)
      writeBody(to, channel, content.subarray(offset, offset + largest));
  }
  to.written();
}

/** Writes an ack, of all up to that tag when `multiple`. */
export function writeAck(to: WriteBuffer, channel: number, deliveryTag: number, multiple: boolean): void {
  to.reserve(32);
  const { slab } = to;
  let at = open(slab, to.at, METHOD, channel, 13);
  at = slab.writeUInt16BE(BASIC, at);
  at = slab.writeUInt16BE(ACK, at);
  at = writeTag(slab, deliveryTag, at);
  slab[at++] = multiple ? 1 : 0;
  slab[at++] = END;
  to.at = at;
  to.written();
}

/** Writes a nack of one message that gives it back to its queue. */
export function writeRequeue(to: WriteBuffer, channel: number, deliveryTag: number): void {
  to.reserve(32);
  const { slab } = to;
  let at = open(slab, to.at, METHOD, channel, 13);
  at = slab.writeUInt16BE(BASIC, at);
  at = slab.writeUInt16BE(NACK, at);
  at = writeTag(slab, deliveryTag, at);
  slab[at++] = 2;
  slab[at++] = END;
  to.at = at;
  to.written();
}

function writeMethod(
  to: WriteBuffer,
  channel: number,
  { exchange, routingKey, mandatory }: OutgoingMessage,
): void {
  const start = to.at;
  const { slab } = to;
  to.at = open(slab, start, METHOD, channel, 0);
  to.at = slab.writeUInt32BE(BASIC * 0x10000 + PUBLISH, to.at);
  to.at = slab.writeUInt16BE(0, to.at);
  writeShort(to, exchange);
  writeShort(to, routingKey);
  slab[to.at++] = mandatory ? 1 : 0;
  close(to, start);
}

function writeHeader(
  to: WriteBuffer,
  channel: number,
  properties: MessageProperties,
  headers: object,
  replyTo: string | undefined,
  size: number,
): void {
  const start = to.at;
  const { slab } = to;
  to.at = open(slab, start, HEADER, channel, 0);
  to.at = slab.writeUInt32BE(BASIC * 0x10000, to.at);
  to.at = slab.writeUInt32BE(0, to.at);
  to.at = slab.writeUInt32BE(size, to.at);
  const flagsAt = to.at;
  to.at += 2;
  let flags = text(to, properties.contentType, 0x8000);
  flags |= text(to, properties.contentEncoding, 0x4000);
  flags |= 0x2000;
  writeTable(to, headers);
  flags |= octet(to, properties.deliveryMode, 0x1000);
  flags |= octet(to, properties.priority, 0x0800);
  flags |= text(to, properties.correlationId, 0x0400);
  flags |= text(to, replyTo ?? properties.replyTo, 0x0200);
  flags |= text(to, properties.expiration, 0x0100);
  flags |= text(to, properties.messageId, 0x0080);
  flags |= time(to, properties.timestamp, 0x0040);
  flags |= text(to, properties.type, 0x0020);
  flags |= text(to, properties.userId, 0x0010);
  flags |= text(to, properties.appId, 0x0008);
  slab.writeUInt16BE(flags, flagsAt);
  close(to, start);
}

// Each writes a property if there is one, and returns its flag.

function text(to: WriteBuffer, value: string | undefined, flag: number): number {
  if (value === undefined) return 0;
  writeShort(to, value);
  return flag;
}

function octet(to: WriteBuffer, value: number | undefined, flag: number): number {
  if (value === undefined) return 0;
  to.at = to.slab.writeUInt8(value, to.at);
  return flag;
}

function time(to: WriteBuffer, value: number | undefined, flag: number): number {
  if (value === undefined) return 0;
  if (!(value >= 0) || !Number.isInteger(value)) throw new RangeError(`${value} cannot be a timestamp`);
  to.at = value < 2 ** 53 ? writeTag(to.slab, value, to.at) : to.slab.writeBigUInt64BE(BigInt(value), to.at);
  return flag;
}

function writeBody(to: WriteBuffer, channel: number, content: Buffer): void {
  to.reserve(Math.min(content.length, 8_192) + 64);
  to.at = open(to.slab, to.at, BODY, channel, content.length);
  to.body(content);
  to.reserve(1);
  to.slab[to.at++] = END;
}

function open(slab: Buffer, at: number, type: number, channel: number, size: number): number {
  slab[at] = type;
  slab[at + 1] = channel >> 8;
  slab[at + 2] = channel & 0xff;
  return slab.writeUInt32BE(size, at + 3);
}

/** Ends a frame whose size was not known when it was opened. */
function close(to: WriteBuffer, start: number): void {
  to.slab.writeUInt32BE(to.at - start - OVERHEAD + 1, start + 3);
  to.slab[to.at++] = END;
}

/** 64 bits of a number below 2^53. */
function writeTag(slab: Buffer, value: number, at: number): number {
  at = slab.writeUInt32BE(Math.floor(value / 0x100000000), at);
  return slab.writeUInt32BE(value % 0x100000000, at);
}
