// What is used of the client library's connection that its documentation does not promise, and the trial that shows
// whether it still is as we know it. When it is not, everything goes over the library's public functions.

import { Duplex } from 'node:stream';
import type { ChannelModel } from 'amqplib';

/** The client library's connection, as far as the hot frames need it. */
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

const HEARTBEAT = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);

/** The connection behind a model, if hot frames can go past the client library, and may. */
export function clientConnection(model: ChannelModel): ClientConnection | undefined {
  if (process.env.WARREN_DATA_PLANE === 'amqplib') return undefined;
  const connection = model.connection as unknown as ClientConnection;
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
