// The frames that come for every message: a delivery (method, header, body), and the broker's word on a publish.

import { HEADER } from '../../model/headers.js';
import { describeError } from '../../model/logger.js';
import type { MessageProperties } from '../../model/message.js';
import { readTable } from './read-table.js';

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

/** Reads the arguments of a deliver method, which begin at `at`. */
export function readDeliver(bytes: Buffer, at: number): DeliverFields {
  // The consumer's tag: a channel has one consumer.
  at += 1 + bytes[at];
  const deliveryTag = readTag(bytes, at);
  const redelivered = (bytes[at + 8] & 1) !== 0;
  at += 9;
  const exchange = readShort(bytes, at);
  at += 1 + bytes[at];
  return { deliveryTag, redelivered, exchange, routingKey: readShort(bytes, at) };
}

/** A 64-bit number below 2^53. */
export function readTag(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x100000000 + bytes.readUInt32BE(at + 4);
}

/** The properties of a header frame whose flags are at `at`. */
export function readProperties(bytes: Buffer, at: number, end: number): MessageProperties {
  const flags = bytes.readUInt16BE(at);
  at += 2;
  // All names in every object: what reads them meets one shape.
  const properties: { -readonly [Name in keyof MessageProperties]: MessageProperties[Name] } = {
    contentType: undefined,
    contentEncoding: undefined,
    headers: undefined,
    deliveryMode: undefined,
    priority: undefined,
    correlationId: undefined,
    replyTo: undefined,
    expiration: undefined,
    messageId: undefined,
    timestamp: undefined,
    type: undefined,
    userId: undefined,
    appId: undefined,
  };
  if (flags & 0x8000) ((properties.contentType = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x4000) ((properties.contentEncoding = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x2000) {
    const length = bytes.readUInt32BE(at);
    at += 4;
    properties.headers = length === 0 ? {} : readHeaders(bytes, at, at + length);
    at += length;
  }
  if (flags & 0x1000) properties.deliveryMode = bytes[at++];
  if (flags & 0x0800) properties.priority = bytes[at++];
  if (flags & 0x0400) ((properties.correlationId = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x0200) ((properties.replyTo = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x0100) ((properties.expiration = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x0080) ((properties.messageId = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x0040) ((properties.timestamp = readTag(bytes, at)), (at += 8));
  if (flags & 0x0020) ((properties.type = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x0010) ((properties.userId = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (flags & 0x0008) ((properties.appId = readShort(bytes, at)), (at += 1 + bytes[at]));
  if (at > end) throw new RangeError('a header frame is shorter than its properties');
  return properties;
}

// One message with headers that nobody can read must not cost the connection, and come again on the next one.
function readHeaders(bytes: Buffer, from: number, until: number): Record<string, unknown> {
  try {
    return readTable(bytes, from, until);
  } catch (error) {
    return { [HEADER.unreadable]: describeError(error).slice(0, 200) };
  }
}

function readShort(bytes: Buffer, at: number): string {
  const length = bytes[at];
  return length === 0 ? '' : bytes.toString('utf8', at + 1, at + 1 + length);
}
