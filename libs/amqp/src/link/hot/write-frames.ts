// The frames that leave for every message: a publish (method, header, body), and what settles a delivery.

import { tableBytes } from '../../model/header-table.js';
import type { MessageProperties, OutgoingMessage } from '../../model/message.js';
import type { Outbox } from './outbox.js';
import { writeTable } from './write-table.js';

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
  to: Outbox,
  channel: number,
  message: OutgoingMessage,
  replyTo: string | undefined,
  frameMax: number,
): void {
  const { content, properties } = message;
  const headers = properties.headers ?? EMPTY;
  to.reserve(MOST + tableBytes(headers) + Math.min(content.length, 8_192));
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
export function writeAck(to: Outbox, channel: number, deliveryTag: number, multiple: boolean): void {
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
export function writeRequeue(to: Outbox, channel: number, deliveryTag: number): void {
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
  to: Outbox,
  channel: number,
  { exchange, routingKey, mandatory }: OutgoingMessage,
): void {
  const { slab } = to;
  const start = to.at;
  let at = open(slab, start, METHOD, channel, 0);
  at = slab.writeUInt32BE(BASIC * 0x10000 + PUBLISH, at);
  at = slab.writeUInt16BE(0, at);
  at = writeShort(slab, exchange, at);
  at = writeShort(slab, routingKey, at);
  slab[at++] = mandatory ? 1 : 0;
  to.at = close(slab, start, at);
}

function writeHeader(
  to: Outbox,
  channel: number,
  properties: MessageProperties,
  headers: object,
  replyTo: string | undefined,
  size: number,
): void {
  const { slab } = to;
  const start = to.at;
  let at = open(slab, start, HEADER, channel, 0);
  at = slab.writeUInt32BE(BASIC * 0x10000, at);
  at = slab.writeUInt32BE(0, at);
  at = slab.writeUInt32BE(size, at);
  const flagsAt = at;
  at += 2;
  let flags = 0x2000;
  const { contentType, contentEncoding, deliveryMode, priority, correlationId } = properties;
  if (contentType !== undefined) ((flags |= 0x8000), (at = writeShort(slab, contentType, at)));
  if (contentEncoding !== undefined) ((flags |= 0x4000), (at = writeShort(slab, contentEncoding, at)));
  to.at = at;
  writeTable(to, headers);
  at = to.at;
  if (deliveryMode !== undefined) ((flags |= 0x1000), (at = writeOctet(slab, deliveryMode, at)));
  if (priority !== undefined) ((flags |= 0x0800), (at = writeOctet(slab, priority, at)));
  if (correlationId !== undefined) ((flags |= 0x0400), (at = writeShort(slab, correlationId, at)));
  const answerTo = replyTo ?? properties.replyTo;
  if (answerTo !== undefined) ((flags |= 0x0200), (at = writeShort(slab, answerTo, at)));
  const { expiration, messageId, timestamp, type, userId, appId } = properties;
  if (expiration !== undefined) ((flags |= 0x0100), (at = writeShort(slab, expiration, at)));
  if (messageId !== undefined) ((flags |= 0x0080), (at = writeShort(slab, messageId, at)));
  if (timestamp !== undefined) ((flags |= 0x0040), (at = writeLong(slab, timestamp, at)));
  if (type !== undefined) ((flags |= 0x0020), (at = writeShort(slab, type, at)));
  if (userId !== undefined) ((flags |= 0x0010), (at = writeShort(slab, userId, at)));
  if (appId !== undefined) ((flags |= 0x0008), (at = writeShort(slab, appId, at)));
  slab.writeUInt16BE(flags, flagsAt);
  to.at = close(slab, start, at);
}

function writeBody(to: Outbox, channel: number, content: Buffer): void {
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
function close(slab: Buffer, start: number, at: number): number {
  slab.writeUInt32BE(at - start - OVERHEAD + 1, start + 3);
  slab[at] = END;
  return at + 1;
}

/** Up to 255 bytes with their number in front. Nearly all are ASCII, for which a call into the runtime costs more. */
function writeShort(slab: Buffer, text: string, at: number): number {
  const { length } = text;
  if (length <= 48) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      slab[at + 1 + i] = code;
    }
    if (i === length) {
      slab[at] = length;
      return at + 1 + length;
    }
  }
  if (length > 255) throw new RangeError('a text of more than 255 bytes cannot be a property');
  const bytes = slab.write(text, at + 1, 'utf8');
  if (bytes > 255) throw new RangeError('a text of more than 255 bytes cannot be a property');
  slab[at] = bytes;
  return at + 1 + bytes;
}

function writeOctet(slab: Buffer, value: number, at: number): number {
  return slab.writeUInt8(value, at);
}

function writeLong(slab: Buffer, value: number, at: number): number {
  if (!(value >= 0) || !Number.isInteger(value)) throw new RangeError(`${value} cannot be a timestamp`);
  if (value < 2 ** 53) return writeTag(slab, value, at);
  return slab.writeBigUInt64BE(BigInt(value), at);
}

/** 64 bits of a number below 2^53. */
function writeTag(slab: Buffer, value: number, at: number): number {
  at = slab.writeUInt32BE(Math.floor(value / 0x100000000), at);
  return slab.writeUInt32BE(value % 0x100000000, at);
}
