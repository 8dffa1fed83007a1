// Writes the frames that are sent for every message: a publish (method, header, body), an ack or a nack.

import type { MessageProperties, OutgoingMessage } from '../../message/message.js';
import type { ClientConnection } from './amqplib-internals.js';
import { tableSize, writeShort, writeTable } from './field-table.js';

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const END = 0xce;
/** Type, channel, size before a frame, its end after it. */
const OVERHEAD = 8;

const BASIC = 60;
const PUBLISH = 40;

/** The frame of an ack or a nack. */
const SETTLEMENT = 21;

/** The maximum size of a publish without its table and body: eleven strings of 255 bytes and the fixed parts. */
const MOST = 3_000;

/** Larger bodies are not copied into their frames: a message is never changed after it was created. */
const COPIED = 8 * 1024 - 1;

/** The size of up to this many characters is not counted before they are written: each takes three bytes at most. */
const SHORT = 1_024;

/** Where a header frame has the size of the body, in its low half: after type, channel, size, class and weight. */
const SIZE_IN_HEADER = 15;

const EMPTY = {};

/** Where the publish before went, and its method frame from the second time in a row on. */
interface LastMethod {
  channel: number;
  exchange: string;
  routingKey: string;
  mandatory: boolean;
  frame: Buffer | undefined;
}

/** Writes a publish. @throws when a property cannot be written; then nothing of it is left */
export function writePublish(
  to: WriteBuffer,
  channel: number,
  message: OutgoingMessage,
  replyTo: string | undefined,
  frameMax: number,
): void {
  const { properties } = message;
  const headers = properties.headers ?? EMPTY;
  const largest = frameMax > 0 ? frameMax - OVERHEAD : Infinity;
  let { content } = message;
  let most = content.length;
  if (typeof content === 'string') {
    most = most > SHORT ? Buffer.byteLength(content) : 3 * most;
    if (most > largest) content = Buffer.from(content);
  } else if (!Buffer.isBuffer(content)) throw new TypeError('the body is no Buffer');
  to.reserve(MOST + tableSize(headers) + (typeof content === 'string' ? most : Math.min(most, COPIED)));
  const start = to.at;
  let sizeAt: number;
  try {
    writeMethod(to, channel, message);
    const header = to.at;
    sizeAt = header + SIZE_IN_HEADER;
    writeHeader(to, channel, properties, headers, replyTo, content.length);
    // Properties are never split: the broker closes the connection.
    if (to.at - header - OVERHEAD > largest) throw new RangeError(tooLarge(to.at - header, frameMax));
  } catch (error) {
    to.at = start;
    throw error;
  }
  if (typeof content !== 'string' && content.length > Math.min(largest, COPIED)) {
    writeBodies(to, channel, content, largest);
  } else if (content.length > 0) {
    const { slab } = to;
    const body = open(slab, to.at, BODY, channel, content.length);
    const size = typeof content === 'string' ? slab.write(content, body) : content.copy(slab, body);
    // Of a text, the size is known only now.
    slab.writeUInt32BE(size, body - 4);
    slab.writeUInt32BE(size, sizeAt);
    to.at = body + size;
    slab[to.at++] = END;
  }
  to.written();
}

/** Says that properties do not fit. */
export function tooLarge(bytes: number, frameMax: number): string {
  return `its properties and headers need a frame of ${bytes} bytes, but the broker takes ${frameMax}`;
}

/** Writes an ack or a nack of a delivery; `bits` are the flags of the method. */
export function writeSettlement(
  to: WriteBuffer,
  channel: number,
  method: number,
  deliveryTag: number,
  bits: number,
): void {
  to.reserve(SETTLEMENT);
  const { slab, at } = to;
  slab[at] = METHOD;
  slab.writeUInt16BE(channel, at + 1);
  slab.writeUInt32BE(SETTLEMENT - OVERHEAD, at + 3);
  slab.writeUInt32BE(method, at + 7);
  slab.writeUInt32BE(Math.floor(deliveryTag / 0x100000000), at + 11);
  slab.writeUInt32BE(deliveryTag % 0x100000000, at + 15);
  slab[at + 19] = bits;
  slab[at + 20] = END;
  to.at = at + SETTLEMENT;
  to.written();
}

function writeMethod(
  to: WriteBuffer,
  channel: number,
  { exchange, routingKey, mandatory }: OutgoingMessage,
): void {
  const start = to.at;
  const { slab, last } = to;
  const isSame =
    channel === last.channel &&
    routingKey === last.routingKey &&
    exchange === last.exchange &&
    mandatory === last.mandatory;
  if (isSame && last.frame) {
    slab.set(last.frame, start);
    to.at = start + last.frame.length;
    return;
  }
  to.at = open(slab, start, METHOD, channel, 0);
  to.at = slab.writeUInt32BE(BASIC * 0x10000 + PUBLISH, to.at);
  to.at = slab.writeUInt16BE(0, to.at);
  writeShort(to, exchange);
  writeShort(to, routingKey);
  slab[to.at++] = mandatory ? 1 : 0;
  close(to, start);
  last.frame = isSame ? Buffer.from(slab.subarray(start, to.at)) : undefined;
  last.channel = channel;
  last.exchange = exchange;
  last.routingKey = routingKey;
  last.mandatory = mandatory;
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
  if (properties.deliveryMode !== undefined) {
    to.at = slab.writeUInt8(properties.deliveryMode, to.at);
    flags |= 0x1000;
  }
  if (properties.priority !== undefined) {
    to.at = slab.writeUInt8(properties.priority, to.at);
    flags |= 0x0800;
  }
  flags |= text(to, properties.correlationId, 0x0400);
  flags |= text(to, replyTo ?? properties.replyTo, 0x0200);
  flags |= text(to, properties.expiration, 0x0100);
  flags |= text(to, properties.messageId, 0x0080);
  if (properties.timestamp !== undefined) {
    to.at = writeTime(slab, properties.timestamp, to.at);
    flags |= 0x0040;
  }
  flags |= text(to, properties.type, 0x0020);
  flags |= text(to, properties.userId, 0x0010);
  flags |= text(to, properties.appId, 0x0008);
  slab.writeUInt16BE(flags, flagsAt);
  close(to, start);
}

/** Writes a text if there is one, and returns its flag. */
function text(to: WriteBuffer, value: string | undefined, flag: number): number {
  if (value === undefined) return 0;
  writeShort(to, value);
  return flag;
}

function writeTime(slab: Buffer, value: number, at: number): number {
  if (!(value >= 0) || !Number.isInteger(value)) throw new RangeError(`${value} cannot be a timestamp`);
  if (value >= 2 ** 53) return slab.writeBigUInt64BE(BigInt(value), at);
  at = slab.writeUInt32BE(Math.floor(value / 0x100000000), at);
  return slab.writeUInt32BE(value % 0x100000000, at);
}

/** A body that is not copied, or takes several frames. */
function writeBodies(to: WriteBuffer, channel: number, content: Buffer, largest: number): void {
  for (let offset = 0; offset < content.length; offset += largest) {
    const part = content.subarray(offset, offset + largest);
    to.reserve(Math.min(part.length, COPIED) + OVERHEAD);
    to.at = open(to.slab, to.at, BODY, channel, part.length);
    to.body(part);
    to.slab[to.at++] = END;
  }
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

const SLAB = 64 * 1024;

/** More than this is sent without waiting for the end of the turn. */
const PIECE = 256 * 1024;

/** More than this in the socket's own buffer, and publishers wait. */
const HIGH_WATER = 1024 * 1024;

/** Up to this much is copied to a new slab, since writing two pieces costs more than copying. */
const MOVED = 32 * 1024;

/**
 * Collects the frames of one connection. What is written in one turn of the event loop is sent in one piece: for small
 * messages, a system call costs more than the rest of the publish.
 */
export class WriteBuffer {
  /** The buffer for the next frame, written from `at` on; `reserve` makes it large enough. */
  slab: Buffer = Buffer.allocUnsafeSlow(SLAB);
  at = 0;
  readonly last: LastMethod = {
    channel: 0,
    exchange: '',
    routingKey: '',
    mandatory: false,
    frame: undefined,
  };
  /** False while the socket has more than it can send. */
  writable = true;
  private from = 0;
  private bytes = 0;
  private readonly pieces: Buffer[] = [];
  /** `flush` will be called. */
  private waiting = false;
  private ended = false;

  /** `wake` has to see to it that `flush` is called at the end of the turn. */
  constructor(
    private readonly connection: ClientConnection,
    private readonly wake: () => void,
    onDrain: () => void,
  ) {
    connection.stream.on('drain', () => {
      if (this.writable) return;
      this.writable = true;
      onDrain();
    });
  }

  /** Makes the buffer large enough for a frame of at most this many bytes. */
  reserve(bytes: number): void {
    if (this.slab.length - this.at >= bytes) return;
    if (this.at - this.from > MOVED) this.cut();
    const { slab, from, at } = this;
    this.slab = Buffer.allocUnsafeSlow(Math.max(SLAB, bytes + at - from));
    slab.copy(this.slab, 0, from, at);
    this.at -= from;
    this.from = 0;
  }

  /** What was written up to `at` may leave. */
  written(): void {
    if (!this.waiting) {
      this.waiting = true;
      this.wake();
    }
    if (this.at - this.from + this.bytes >= PIECE) this.flush();
  }

  /** A body: small ones are copied into reserved bytes; large ones are written without a copy. */
  body(content: Buffer): void {
    if (content.length <= COPIED) {
      this.at += content.copy(this.slab, this.at);
      return;
    }
    this.cut();
    this.pieces.push(content);
    this.bytes += content.length;
  }

  /** To the socket with everything. */
  flush(): void {
    this.waiting = false;
    const { connection, pieces, slab, from, at } = this;
    if (at > from) pieces.push(slab.subarray(from, at));
    if (pieces.length === 0) return;
    const { stream } = connection;
    this.from = at;
    this.bytes = 0;
    if (this.ended || stream.destroyed || !stream.writable) {
      pieces.length = 0;
      return;
    }
    connection.sentSinceLastCheck = true;
    let drained = true;
    if (pieces.length === 1) {
      drained = stream.write(pieces[0]);
    } else {
      stream.cork();
      for (const piece of pieces) drained = stream.write(piece);
      stream.uncork();
    }
    pieces.length = 0;
    // Only a socket whose write returned false emits drain.
    if (!drained && stream.writableLength > HIGH_WATER) this.writable = false;
  }

  /** Nothing more leaves. */
  end(): void {
    this.flush();
    this.ended = true;
  }

  private cut(): void {
    if (this.at === this.from) return;
    this.pieces.push(this.slab.subarray(this.from, this.at));
    this.bytes += this.at - this.from;
    this.from = this.at;
  }
}
