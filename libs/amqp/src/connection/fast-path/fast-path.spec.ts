import { Duplex } from 'node:stream';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ChannelModel } from 'amqplib';
import type { ReceivedMessage } from '../../message/message.js';
import type { TrafficListener } from './channel-traffic.js';
import { FastChannel, FastPath, readers, socketReader } from './fast-path.js';

const require = createRequire(import.meta.url);
const library = dirname(require.resolve('amqplib'));
const { Connection } = require(join(library, 'lib', 'connection.js')) as {
  Connection: new (stream: Duplex) => FakeConnection;
};
const defs = require(join(library, 'lib', 'defs.js')) as {
  encodeMethod(method: number, channel: number, fields: object): Buffer;
  encodeProperties(kind: number, channel: number, size: number, fields: object): Buffer;
};

interface FakeConnection {
  rest: Buffer;
  recvFrame(): unknown;
  stream: unknown;
}

const DELIVER = 60 * 0x10000 + 60;
const RETURN = 60 * 0x10000 + 50;
const ACK = 60 * 0x10000 + 80;

/** The client library's own connection over a stream that the test feeds. */
function peer(): {
  model: ChannelModel;
  feed: (bytes: Buffer) => void;
  connection: FakeConnection;
  written: Buffer[];
} {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => (written.push(chunk), done()),
  });
  const connection = new Connection(stream);
  return { model: { connection } as never, feed: (bytes) => stream.push(bytes), connection, written };
}

/** A stream whose next piece is there as soon as one is taken, as that of a socket in one turn of the event loop. */
function flooding(pieces: Buffer[]): Connected {
  const stream = new Duplex({
    highWaterMark: 1,
    read: () => process.nextTick(() => pieces.length > 0 && stream.push(pieces.shift())),
    write: (_chunk: Buffer, _encoding, done) => done(),
  });
  const connection = new Connection(stream);
  const take = (): void => {
    while (connection.recvFrame());
  };
  return { model: { connection } as never, start: () => (stream.on('readable', take), take()) };
}

interface Connected {
  readonly model: ChannelModel;
  readonly start: () => void;
}

function listening(): { listener: TrafficListener; heard: unknown[] } {
  const heard: unknown[] = [];
  return {
    heard,
    listener: {
      onDelivery: (message) => heard.push(`${(message as ReceivedMessage).content.toString('latin1')}`),
      onConfirm: (...args) => heard.push(args),
      onDrain: () => undefined,
    },
  };
}

/** Channel 1, which consumes, or only publishes. */
function attach(fastPath: FastPath, listener: TrafficListener, consuming: boolean): FastChannel {
  const library = { consume: () => Promise.resolve({ consumerTag: 'c' }) };
  const channel = new FastChannel(fastPath, 1, library as never, listener);
  if (consuming) void channel.consume('q', { noAck: false });
  else fastPath.attach(1, channel);
  return channel;
}

function content(method: number, channel: number, fields: object, body: string, cut = 1_000): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  const frames = [
    defs.encodeMethod(method, channel, fields),
    defs.encodeProperties(60, channel, bytes.length, { contentType: 'text/plain', headers: { n: 1 } }),
  ];
  for (let at = 0; at < bytes.length; at += cut) {
    const part = bytes.subarray(at, at + cut);
    const head = Buffer.from([3, 0, channel, 0, 0, part.length >> 8, part.length & 0xff]);
    frames.push(head, part, Buffer.from([0xce]));
  }
  return Buffer.concat(frames);
}

const deliver = (tag: number, body: string, channel = 1): Buffer =>
  content(
    DELIVER,
    channel,
    { consumerTag: 'c', deliveryTag: tag, redelivered: false, exchange: 'e', routingKey: 'k' },
    body,
  );
const ack = (tag: number, multiple: boolean): Buffer =>
  defs.encodeMethod(ACK, 1, { deliveryTag: tag, multiple });

/** Where the header frame of a delivery begins: behind the frame of its method. */
const HEADER_AT = 8 + deliver(1, 'x').readUInt32BE(3);

function flipped(bytes: Buffer, at: number): Buffer {
  const wrong = Buffer.from(bytes);
  wrong[at] ^= 0x80;
  return wrong;
}

/** The same delivery, with three bytes more in its body. */
function longer(bytes: Buffer): Buffer {
  const body = Buffer.from([3, 0, 1, 0, 0, 0, 4, 1, 2, 3, 4, 0xce]);
  return Buffer.concat([bytes.subarray(0, bytes.length - 9), body]);
}

function readAll(connection: FakeConnection): unknown[] {
  const frames: unknown[] = [];
  for (let frame = connection.recvFrame(); frame; frame = connection.recvFrame()) frames.push(frame);
  return frames;
}

describe('a data plane', () => {
  afterEach(() => void delete process.env.WARREN_DATA_PLANE);

  it('takes hot frames and leaves all others to the client library, wherever the bytes are cut', () => {
    const bytes = Buffer.concat([
      deliver(1, 'one'),
      deliver(2, ''),
      ack(3, true),
      Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]),
      content(RETURN, 1, { replyCode: 312, replyText: 'x', exchange: 'e', routingKey: 'k' }, 'back'),
      deliver(3, 'x'.repeat(2_500)),
      deliver(1, 'of another channel', 2),
      deliver(4, 'last'),
      ack(4, false),
    ]);
    for (let size = 1; size <= bytes.length; size += size < 40 ? 1 : 97) {
      const { model, feed, connection } = peer();
      const fastPath = FastPath.on(model) as FastPath;
      const { listener, heard } = listening();
      attach(fastPath, listener, true);
      const cold: unknown[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        feed(bytes.subarray(at, at + size));
        cold.push(...readAll(connection));
      }
      expect(heard).toEqual([
        ...['one', '', [3, true, 'confirmed'], 'x'.repeat(2_500), 'last'],
        [4, false, 'confirmed'],
      ]);
      const kinds = cold.map((frame) => (frame as { id?: number; channel: number }).id ?? 'other');
      expect(kinds).toEqual(['other', RETURN, 60, 'other', DELIVER, 60, 'other']);
    }
  });

  it('leaves the deliveries of a channel that only publishes to whoever consumes there', () => {
    const { model, feed, connection } = peer();
    const fastPath = FastPath.on(model) as FastPath;
    const { listener, heard } = listening();
    attach(fastPath, listener, false);
    feed(Buffer.concat([deliver(1, 'mine'), ack(1, false)]));
    expect(readAll(connection)).toHaveLength(3);
    expect(heard).toEqual([[1, false, 'confirmed']]);
  });

  it('hands broken and oversized frames to the client library, which says what is wrong', () => {
    for (const broken of [
      Buffer.from([1, 0, 1, 0, 0, 0, 1, 0, 0]),
      Buffer.from([1, 0, 1, 0x7f, 0xff, 0xff, 0xff, 0]),
    ]) {
      const { model, feed, connection } = peer();
      const fastPath = FastPath.on(model) as FastPath;
      attach(fastPath, listening().listener, true);
      feed(broken);
      expect(() => connection.recvFrame()).toThrow(/Invalid frame|exceeds/);
    }
  });

  it.each<[string, Buffer, RegExp]>([
    ['a delivery tag of 0', deliver(0, 'x'), /has the tag 0/],
    ['a delivery tag that is no exact number', flipped(deliver(1, 'x'), 14), /has the tag \d+/],
    ['a body that is longer than announced', longer(deliver(1, 'x')), /3 bytes longer than announced/],
    ['a body of 2^56 bytes', flipped(deliver(1, 'x'), HEADER_AT + 12), /a body of \d+ bytes was announced/],
  ])('ends the connection for %s, with the reason', (_, bytes, reason) => {
    const { model, feed, connection } = peer();
    const fastPath = FastPath.on(model) as FastPath;
    const { listener, heard } = listening();
    attach(fastPath, listener, true);
    feed(bytes);
    expect(() => readAll(connection)).toThrow(reason);
    expect(heard).toEqual([]);
  });

  it('writes what one turn brings in one piece, and nothing after its end', async () => {
    const { model, written } = peer();
    const fastPath = FastPath.on(model) as FastPath;
    const message = {
      exchange: '',
      routingKey: 'q',
      content: Buffer.from('1'),
      mandatory: false,
      properties: {},
    };
    const channel = attach(fastPath, listening().listener, false);
    for (let n = 0; n < 10; n++) channel.publish(message, undefined);
    channel.ack(5, true);
    expect(written).toHaveLength(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toHaveLength(1);
    fastPath.end();
    channel.publish(message, undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toHaveLength(1);
  });

  it('is not there when the client library is not as we know it, or when it is switched off', () => {
    const changes: ((connection: Record<string, unknown>) => void)[] = [
      (connection) => (connection.rest = 'text'),
      (connection) => (connection.stream = {}),
      (connection) => (connection.recvFrame = undefined),
      (connection) => (connection.recvFrame = () => false),
      (connection) => (connection.recvFrame = () => ({ channel: 0 })),
      (connection) =>
        (connection.recvFrame = () => {
          throw new Error('changed');
        }),
      (connection) => (connection.frameMax = undefined),
      (connection) => (connection.recvSinceLastCheck = undefined),
    ];
    for (const change of changes) {
      const { model, connection } = peer();
      change(connection as never);
      const before = connection.recvFrame;
      expect(FastPath.on(model)).toBeUndefined();
      expect(connection.recvFrame).toBe(before);
    }
    process.env.WARREN_DATA_PLANE = 'amqplib';
    expect(FastPath.on(peer().model)).toBeUndefined();
    delete process.env.WARREN_DATA_PLANE;
    expect(FastPath.on(peer().model)).toBeDefined();
  });
});

describe('a burst of frames', () => {
  it('is taken over many turns of the event loop, so that others have theirs, and whole', async () => {
    const pieces = Array.from({ length: 100 }, (_, piece) =>
      Buffer.concat(Array.from({ length: 100 }, (_, n) => ack(piece * 100 + n + 1, false))),
    );
    const { model, start } = flooding(pieces);
    const { listener, heard } = listening();
    attach(FastPath.on(model) as FastPath, listener, false);
    start();
    const turns: number[] = [];
    while (heard.length < 10_000) {
      const before = heard.length;
      await new Promise((resolve) => setImmediate(resolve));
      turns.push(heard.length - before);
    }
    expect(Math.max(...turns)).toBeLessThanOrEqual(1_100);
    expect(heard).toEqual(Array.from({ length: 10_000 }, (_, n) => [n + 1, false, 'confirmed']));
  });
});

/** A connection whose socket is read into one buffer, as far as it is open: `read` is what the socket does. */
function readDirectly(): { fastPath: FastPath; read: (bytes: Buffer) => boolean; cold: unknown[] } {
  const { model, connection } = peer();
  const stream = connection.stream as Duplex;
  const reader = socketReader();
  readers.set(model, reader);
  const fastPath = FastPath.on(model) as FastPath;
  const cold: unknown[] = [];
  stream.on('readable', () => cold.push(...readAll(connection)));
  const read = (bytes: Buffer): boolean => {
    bytes.copy(reader.buffer);
    const more = reader.callback.call(stream, bytes.length);
    reader.buffer.fill(0xff);
    return more;
  };
  return { fastPath, read, cold };
}

describe('a socket that is read into one buffer', () => {
  const heartbeat = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);

  it('loses nothing when the next read overwrites it, wherever the bytes are cut', async () => {
    const bytes = Buffer.concat([
      ack(1, true),
      deliver(1, 'one'),
      heartbeat,
      deliver(2, ''),
      ack(2, false),
      content(RETURN, 1, { replyCode: 312, replyText: 'x', exchange: 'e', routingKey: 'k' }, 'back'),
      deliver(3, 'x'.repeat(2_500)),
      ack(3, false),
    ]);
    for (let size = 1; size <= bytes.length; size += size < 40 ? 1 : 97) {
      const { fastPath, read, cold } = readDirectly();
      const { listener } = listening();
      const heard: unknown[] = [];
      attach(fastPath, { ...listener, onDelivery: (message) => heard.push(message) }, true);
      // The first read is before the connection is ours.
      read(heartbeat);
      await new Promise((resolve) => setImmediate(resolve));
      for (let at = 0; at < bytes.length; at += size) expect(read(bytes.subarray(at, at + size))).toBe(true);
      expect(heard.map((message) => (message as ReceivedMessage).content.toString('latin1'))).toEqual([
        ...['one', '', 'x'.repeat(2_500)],
      ]);
      expect((heard[0] as ReceivedMessage).properties.headers).toEqual({ n: 1 });
      const back = cold.find((frame) => (frame as { content?: Buffer }).content) as { content: Buffer };
      expect(back.content.toString('latin1')).toBe('back');
      expect(cold).toHaveLength(5);
    }
  });

  it('is read no further in a turn of the event loop that took many frames', async () => {
    const { fastPath, read } = readDirectly();
    const { listener, heard } = listening();
    attach(fastPath, listener, false);
    read(heartbeat);
    await new Promise((resolve) => setImmediate(resolve));
    const many = Buffer.concat(Array.from({ length: 700 }, (_, n) => ack(n + 1, false)));
    expect(read(many)).toBe(true);
    expect(read(many)).toBe(false);
    expect(heard).toHaveLength(1_400);
    await new Promise((resolve) => setImmediate(resolve));
    expect(read(many)).toBe(true);
  });

  it('is left to its stream when it does not know the option', () => {
    const { model, feed, connection } = peer();
    readers.set(model, socketReader());
    const fastPath = FastPath.on(model) as FastPath;
    const { listener, heard } = listening();
    attach(fastPath, listener, true);
    expect(readAll(connection)).toEqual([]);
    feed(deliver(1, 'one'));
    expect(readAll(connection)).toEqual([]);
    expect(heard).toEqual(['one']);
  });
});
