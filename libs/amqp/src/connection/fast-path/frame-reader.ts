// The frames that come for every message: a delivery (method, header, body), and the broker's word on a publish.

import { HEADER } from '../../message/headers.js';
import { describeError } from '../../runtime/logger.js';
import type { MessageProperties } from '../../message/message.js';
import { cachedString, readTable } from './field-table.js';

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
  const exchange = cachedString(bytes, at + 1, bytes[at]);
  at += 1 + bytes[at];
  return { deliveryTag, redelivered, exchange, routingKey: cachedString(bytes, at + 1, bytes[at]) };
}

/** A 64-bit number below 2^53. */
export function readTag(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x100000000 + bytes.readUInt32BE(at + 4);
}

/** The properties of a header frame whose flags are at `at`. */
export function readProperties(bytes: Buffer, at: number, end: number): MessageProperties {
  const flags = bytes.readUInt16BE(at);
  const reader = new PropertyReader(bytes, at + 2);
  // All names in every object, in this order: what reads them meets one shape.
  const properties: MessageProperties = {
    contentType: flags & 0x8000 ? reader.known() : undefined,
    contentEncoding: flags & 0x4000 ? reader.known() : undefined,
    headers: flags & 0x2000 ? reader.headers() : undefined,
    deliveryMode: flags & 0x1000 ? reader.octet() : undefined,
    priority: flags & 0x0800 ? reader.octet() : undefined,
    correlationId: flags & 0x0400 ? reader.text() : undefined,
    replyTo: flags & 0x0200 ? reader.known() : undefined,
    expiration: flags & 0x0100 ? reader.known() : undefined,
    messageId: flags & 0x0080 ? reader.text() : undefined,
    timestamp: flags & 0x0040 ? reader.time() : undefined,
    type: flags & 0x0020 ? reader.known() : undefined,
    userId: flags & 0x0010 ? reader.known() : undefined,
    appId: flags & 0x0008 ? reader.known() : undefined,
  };
  if (reader.at > end) throw new RangeError('a header frame is shorter than its properties');
  return properties;
}

/** One property after the other. */
class PropertyReader {
  constructor(
    private readonly bytes: Buffer,
    public at: number,
  ) {}

  /** One that is another in each message. */
  text(): string {
    const { bytes, at } = this;
    this.at += 1 + bytes[at];
    return bytes.toString('utf8', at + 1, this.at);
  }

  /** One that is the same in many. */
  known(): string {
    const { bytes, at } = this;
    this.at += 1 + bytes[at];
    return cachedString(bytes, at + 1, bytes[at]);
  }

  octet(): number {
    return this.bytes[this.at++];
  }

  time(): number {
    this.at += 8;
    return readTag(this.bytes, this.at - 8);
  }

  headers(): Record<string, unknown> {
    const from = this.at + 4;
    this.at = from + this.bytes.readUInt32BE(this.at);
    return this.at === from ? {} : readHeaders(this.bytes, from, this.at);
  }
}

// One message with headers that nobody can read must not cost the connection, and come again on the next one.
function readHeaders(bytes: Buffer, from: number, until: number): Record<string, unknown> {
  try {
    return readTable(bytes, from, until);
  } catch (error) {
    return { [HEADER.unreadable]: describeError(error).slice(0, 200) };
  }
}
