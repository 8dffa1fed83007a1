// The only file that uses undocumented fields of the client library's connection and channels. Each may be gone in its
// next version; whatever needs it is then skipped, and if the fast path is not possible, everything uses the library's
// public functions. A trial on each connection decides.

import type { ChannelModel, Channel } from 'amqplib';
import type { Peer } from '../../events/events.js';
import { HEADER } from '../../message/headers.js';
import { describeError } from '../../runtime/logger.js';
import { Duplex } from 'node:stream';

// A header table that the client library cannot read (some thousand levels deep, or a type it does not know) is an error
// of the connection there: the broker delivers the message again to the next connection, which dies of it as well, and
// one message keeps a service away for ever. Here such a table is replaced by one that says so, and the message goes on
// to the dead letters.

const FRAME_HEADER = 2;
const FRAME_OVERHEAD = 8;

/** Where the property flags of a header frame are: after type, channel, size, class, weight and the size of the body. */
const FLAGS = 19;
const CONTENT_TYPE = 0x8000;
const CONTENT_ENCODING = 0x4000;
const HEADERS = 0x2000;

/** Makes a connection survive header tables that cannot be read. */
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

/** The client library's connection, as far as the fast path needs it. */
export interface ClientConnection {
  /** The socket, plain or TLS. */
  readonly stream: Duplex & { readonly writableLength: number };
  /** Bytes that were read and are no frame yet. */
  rest: Buffer;
  /** The next frame, decoded; false when more bytes are needed. Called until then whenever the socket has something. */
  recvFrame: () => unknown;
  /** Frames of ours may have this size. */
  readonly frameMax: number;
  /** Frames of the broker may have this size; 0: any. */
  readonly maxFrameSize: number;
  /** Heartbeats look at these two. */
  recvSinceLastCheck: boolean;
  sentSinceLastCheck: boolean;
}

/** What its connection may have. */
interface Inside extends ClientConnection {
  readonly serverProperties: { readonly product?: unknown; readonly version?: unknown };
  /** As it was agreed upon, in seconds; 0: none. */
  readonly heartbeat: number;
  readonly stream: ClientConnection['stream'] & {
    readonly bytesRead: number;
    readonly remoteAddress?: string;
    readonly remotePort?: number;
  };
}

/** What receives frames. */
export type Receiving = Pick<ClientConnection, 'rest' | 'recvFrame'>;

function inside(owner: ChannelModel | Channel): Partial<Inside> {
  const { connection } = owner as unknown as { readonly connection?: unknown };
  return typeof connection === 'object' && connection !== null ? connection : {};
}

/** The other end of the socket: the node of the broker, or a proxy. */
export function peerOf(model: ChannelModel): Peer | undefined {
  const { remoteAddress: address, remotePort: port } = inside(model).stream ?? {};
  return address === undefined || port === undefined ? undefined : { address, port };
}

/** With which the broker greeted. */
export function serverProperties(model: ChannelModel): Inside['serverProperties'] | undefined {
  return inside(model).serverProperties;
}

/** The agreed heartbeat in seconds, and what counts the bytes that came; nothing when there is none or it is not known. */
export function pulse(model: ChannelModel): { seconds: number; bytesRead: () => number } | undefined {
  const { heartbeat, stream } = inside(model);
  if (typeof heartbeat !== 'number' || !(heartbeat > 0)) return undefined;
  return typeof stream?.bytesRead === 'number'
    ? { seconds: heartbeat, bytesRead: () => stream.bytesRead }
    : undefined;
}

/** The largest frame that both sides agreed upon, if it is known. */
export function frameMaxOf(channel: Channel): number | undefined {
  const { frameMax } = inside(channel);
  return typeof frameMax === 'number' ? frameMax : undefined;
}

/** What receives the frames of a connection, if that is known. */
export function receiverOf(model: ChannelModel): Receiving | undefined {
  const connection = inside(model);
  return Buffer.isBuffer(connection.rest) && typeof connection.recvFrame === 'function'
    ? (connection as Receiving)
    : undefined;
}

const HEARTBEAT = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);

/** The connection behind a model, if the fast path is possible and allowed. */
export function clientConnection(model: ChannelModel): ClientConnection | undefined {
  if (process.env.WARREN_DATA_PLANE === 'amqplib') return undefined;
  const connection = inside(model);
  return hasShape(connection) && readsFrames(connection) ? connection : undefined;
}

/** The number of a channel, if it can be known. */
export function channelNumber(channel: object): number | undefined {
  const { ch } = channel as { readonly ch?: unknown };
  return typeof ch === 'number' ? ch : undefined;
}

function hasShape(connection: Partial<ClientConnection>): connection is ClientConnection {
  return (
    connection.stream instanceof Duplex &&
    Buffer.isBuffer(connection.rest) &&
    typeof connection.recvFrame === 'function' &&
    typeof connection.frameMax === 'number' &&
    typeof connection.maxFrameSize === 'number' &&
    typeof connection.recvSinceLastCheck === 'boolean' &&
    typeof connection.sentSinceLastCheck === 'boolean'
  );
}

/** One heartbeat, put where bytes that were read are kept, must come out as a frame and leave what is behind it. */
function readsFrames(connection: ClientConnection): boolean {
  const { rest } = connection;
  try {
    connection.rest = Buffer.concat([HEARTBEAT, HEARTBEAT.subarray(0, 3)]);
    const frame = connection.recvFrame() as { readonly channel?: unknown };
    return frame.channel === 0 && connection.rest.length === 3;
  } catch {
    return false;
  } finally {
    connection.rest = rest;
  }
}
