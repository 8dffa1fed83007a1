// A header table that the client library cannot read (some thousand levels deep, or a type it does not know) is an error
// of the connection there: the broker delivers the message again to the next connection, which dies of it as well, and
// one message keeps a service away for ever. Here such a table is replaced by one that says so, and the message goes on
// to the dead letters.

import type { ChannelModel } from 'amqplib';
import { receiverOf, type Receiving } from './amqplib-internals.js';
import { HEADER } from '../../message/headers.js';
import { describeError } from '../../runtime/logger.js';

const FRAME_HEADER = 2;
const FRAME_OVERHEAD = 8;

/** Where the property flags of a header frame are: after type, channel, size, class, weight and the size of the body. */
const FLAGS = 19;
const CONTENT_TYPE = 0x8000;
const CONTENT_ENCODING = 0x4000;
const HEADERS = 0x2000;

/** From now on a connection outlives header tables that cannot be read. */
export function readAnyHeaders(model: ChannelModel): void {
  const connection = receiverOf(model);
  if (!connection) return;
  const receive = connection.recvFrame;
  connection.recvFrame = function (this: Receiving) {
    const { rest } = this;
    try {
      return receive.call(this);
    } catch (error) {
      // Bytes that were not taken off make no frame, and nothing can be read after them.
      const readable = this.rest === rest ? undefined : withoutHeaders(rest, describeError(error));
      if (!readable) throw error;
      this.rest = Buffer.concat([readable, this.rest]);
      return receive.call(this);
    }
  };
}

/** The frame at the beginning of `bytes` with a table of one header instead of its own; nothing when that is no cure. */
export function withoutHeaders(bytes: Buffer, why: string): Buffer | undefined {
  if (bytes[0] !== FRAME_HEADER) return undefined;
  const end = bytes.readUInt32BE(3) + FRAME_OVERHEAD - 1;
  const flags = bytes.readUInt16BE(FLAGS);
  if (!(flags & HEADERS)) return undefined;
  let start = FLAGS + 2;
  if (flags & CONTENT_TYPE) start += 1 + bytes[start];
  if (flags & CONTENT_ENCODING) start += 1 + bytes[start];
  const after = start + 4 + bytes.readUInt32BE(start);
  const frame = Buffer.concat([bytes.subarray(0, start), table(why), bytes.subarray(after, end + 1)]);
  frame.writeUInt32BE(frame.length - FRAME_OVERHEAD, 3);
  return frame;
}

function table(why: string): Buffer {
  const name = Buffer.from(HEADER.unreadable);
  const value = Buffer.from(why.slice(0, 200));
  const buffer = Buffer.alloc(4 + 1 + name.length + 1 + 4 + value.length);
  let offset = buffer.writeUInt32BE(buffer.length - 4, 0);
  offset = buffer.writeUInt8(name.length, offset);
  offset += name.copy(buffer, offset);
  offset += buffer.write('S', offset);
  offset = buffer.writeUInt32BE(value.length, offset);
  value.copy(buffer, offset);
  return buffer;
}
