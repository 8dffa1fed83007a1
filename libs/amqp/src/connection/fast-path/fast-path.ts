import type { MessageProperties, OutgoingMessage } from '../../message/message.js';
import type { ChannelTraffic, Collected, ConsumeOptions, TrafficListener } from './channel-traffic.js';
import {
  ACK,
  DELIVER,
  NACK,
  readDeliver,
  readProperties,
  readTag,
  type DeliverFields,
} from './frame-reader.js';
import type { Duplex } from 'node:stream';
import type { Channel, ChannelModel } from 'amqplib';
import { received } from './public-path.js';
import { clientConnection, type ClientConnection } from './amqplib-internals.js';
import { WriteBuffer, writePublish, writeSettlement } from './frame-writer.js';

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
/** No Buffer of Node is larger; RabbitMQ takes 512 MiB at most. */
const MAX_BODY = 4 * 1024 * 1024 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);
/** The flag of a nack that gives the message back. */
const REQUEUE = 2;

/**
 * The frames of one channel that bypass the client library: assembles deliveries, reads confirms, writes publishes and
 * acks. Only consume and cancel use the library.
 */
export class FastChannel implements ChannelTraffic {
  private attached = false;
  private ended = false;
  /** Whether deliveries are for us: others are for who consumes with the client library. */
  private consuming = false;
  private fields: DeliverFields | undefined;
  private properties: MessageProperties | undefined;
  private missing = 0;
  private parts: Buffer[] | undefined;
  readonly socket: WriteBuffer;

  constructor(
    private readonly fastPath: FastPath,
    private readonly number: number,
    private readonly channel: Channel,
    readonly listener: TrafficListener,
  ) {
    this.socket = fastPath.writeBuffer;
  }

  async consume(queue: string, options: ConsumeOptions): Promise<string> {
    this.attach();
    this.consuming = true;
    const { consumerTag } = await this.channel.consume(
      queue,
      // Deliveries bypass the client library. One that does not is delivered all the same.
      (message) => this.listener.onDelivery(message === null ? 'cancelled' : received(message)),
      options,
    );
    return consumerTag;
  }

  publish(message: OutgoingMessage, replyTo: string | undefined): void {
    if (!this.attached) this.attach();
    const { writeBuffer, connection } = this.fastPath;
    writePublish(writeBuffer, this.number, message, replyTo, connection.frameMax);
  }

  ack(deliveryTag: number, multiple: boolean): void {
    writeSettlement(this.fastPath.writeBuffer, this.number, ACK, deliveryTag, multiple ? 1 : 0);
  }

  requeue(deliveryTag: number): void {
    writeSettlement(this.fastPath.writeBuffer, this.number, NACK, deliveryTag, REQUEUE);
  }

  settling(acks: Collected): void {
    this.fastPath.collected.push(acks);
    this.fastPath.schedule();
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.fastPath.detach(this.number);
  }

  /** Takes a frame, whose payload is between `from` and `end`; false when it is for the client library. */
  take(bytes: Buffer, type: number, from: number, end: number): boolean {
    let content = NOTHING;
    if (type === METHOD) {
      const method = bytes.readUInt32BE(from);
      if (method === DELIVER) {
        if (this.consuming) this.fields = readDeliver(bytes, from + 4);
        return this.consuming;
      }
      if (method !== ACK && method !== NACK) return false;
      const outcome = method === ACK ? 'confirmed' : 'nacked';
      this.listener.onConfirm(readTag(bytes, from + 4), (bytes[from + 12] & 1) !== 0, outcome);
      return true;
    }
    // Headers and bodies belong to the method before them.
    if (!this.fields) return false;
    if (type === HEADER) {
      this.missing = readTag(bytes, from + 4);
      if (this.missing > MAX_BODY) throw new RangeError(`a body of ${this.missing} bytes was announced`);
      this.properties = readProperties(bytes, from + 12, end);
    } else if (type === BODY) {
      this.missing -= end - from;
      if (this.missing < 0) throw new RangeError(`a body is ${-this.missing} bytes longer than announced`);
      content = bytes.subarray(from, end);
      if (this.missing > 0) (this.parts ??= []).push(content);
      else if (this.parts) content = Buffer.concat([...this.parts, content]);
    } else return false;
    if (this.missing > 0) return true;
    const { deliveryTag, redelivered, exchange, routingKey } = this.fields;
    const properties = this.properties as MessageProperties;
    this.fields = this.properties = this.parts = undefined;
    this.listener.onDelivery({ content, exchange, routingKey, redelivered, deliveryTag, properties });
    return true;
  }

  // Only when a listener needs it: declarations and reads of queues use the client library.
  private attach(): void {
    if (this.attached) return;
    this.attached = true;
    if (!this.ended) this.fastPath.attach(this.number, this);
  }
}

/**
 * The maximum number of frames in one turn of the event loop, so that other work gets its time: the rest stays in the
 * socket until the next turn. About 250 returned messages, or 1 000 confirms.
 */
const FRAMES_PER_TURN = 1_000;

const FRAME_HEADER = 7;
const FRAME_END = 0xce;
const EMPTY = Buffer.alloc(0);

/** As much as Node reads from a socket at a time. */
const READ_AT_ONCE = 64 * 1024;

/** The option `onread` of a socket, and what it has read. */
export interface SocketReader {
  readonly buffer: Buffer;
  /** False ends reading until the stream is asked for more. */
  readonly callback: (this: Duplex, size: number) => boolean;
  /** It is called, so the socket knows the option. */
  works: boolean;
  /** Whether bytes stay here. Until then the stream gets them. */
  direct: boolean;
  /** What was read and is not taken yet; the next read writes over it. */
  fresh: Buffer | undefined;
  /** Enough for this turn of the event loop. */
  held: boolean;
}

/**
 * Reads a socket into one buffer, over and over: a new buffer for each read, and a stream that keeps it until somebody asks,
 * cost more than the frames of a message.
 */
export function socketReader(): SocketReader {
  const buffer = Buffer.allocUnsafeSlow(READ_AT_ONCE);
  const reader: SocketReader = {
    buffer,
    callback(size) {
      const bytes = buffer.subarray(0, size);
      reader.works = true;
      if (!reader.direct) return this.push(Buffer.from(bytes));
      reader.fresh = bytes;
      // The client library takes frames when its stream says so.
      this.emit('readable');
      return !reader.held;
    },
    works: false,
    direct: false,
    fresh: undefined,
    held: false,
  };
  return reader;
}

/** What reads the socket of a connection, if that is ours. */
export const readers: WeakMap<ChannelModel, SocketReader> = new WeakMap();

/**
 * Reads and writes the four frames of every message (publish, deliver, ack, confirm) on the client library's connection,
 * bypassing the library, whose own path is more than half of the cost of a message. Everything else (handshake,
 * declarations, errors, heartbeats) stays with the library. One for each time a connection is opened.
 */
export class FastPath {
  /** The channels write here. */
  readonly writeBuffer: WriteBuffer;
  /** What waits for the end of this turn: see `schedule`. */
  readonly collected: Collected[] = [];
  /** Whether the client library takes its frames from here. */
  isUsed = false;
  private readonly channels: (FastChannel | undefined)[] = [];
  private bytes: Buffer = EMPTY;
  private at = 0;
  /** The next read writes over `bytes`. */
  private borrowed = false;
  private readonly libraryNext: () => unknown;
  private scheduled = false;
  /** Frames since the last pause. */
  private frames = 0;
  private readonly giveBack: () => void;

  /** On a connection of the client library; undefined when its internals are not as expected. */
  static on(model: ChannelModel): FastPath | undefined {
    const connection = clientConnection(model);
    return connection && new FastPath(connection, readers.get(model) ?? socketReader());
  }

  private constructor(
    readonly connection: ClientConnection,
    private readonly reader: SocketReader,
  ) {
    this.writeBuffer = new WriteBuffer(connection, this.schedule, () => this.drained());
    const own = connection.recvFrame;
    this.libraryNext = own.bind(connection);
    connection.recvFrame = this.next;
    this.giveBack = () => (connection.recvFrame = own);
  }

  /** Gives the connection back: the client library reads in another way than expected. */
  release(): undefined {
    this.giveBack();
    return undefined;
  }

  /** From now on the frames of a channel come here. */
  attach(number: number, channel: FastChannel): void {
    this.channels[number] = channel;
  }

  /** The channel is closed or closing. What was written for it is sent now: after its end nothing may be. */
  detach(number: number): void {
    this.flush();
    this.channels[number] = undefined;
  }

  /** Writes to the socket now. */
  flush(): void {
    for (const each of this.collected.splice(0)) each.atTurnsEnd();
    this.writeBuffer.flush();
  }

  /** The connection ends: sends what was written, and leaves the rest to the client library. */
  end(): void {
    this.flush();
    this.writeBuffer.end();
    this.channels.length = 0;
  }

  /** Asks for a `flush` at the end of this turn. */
  readonly schedule = (): void => {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.turnEnds);
  };

  private readonly turnEnds = (): void => {
    const { reader, connection } = this;
    try {
      this.flush();
    } finally {
      // Now: what was written meanwhile has left.
      this.scheduled = false;
    }
    if (!reader.held) return;
    reader.held = false;
    this.frames = 0;
    if (reader.direct) connection.stream.read(0);
    // The client library takes frames when its stream says so.
    else connection.stream.emit('readable');
  };

  private drained(): void {
    for (const channel of this.channels) channel?.listener.onDrain();
  }

  private takeOver(): void {
    this.isUsed = true;
    this.bytes = this.connection.rest;
    this.connection.rest = EMPTY;
  }

  /** Takes frames until one is for the client library, or none is complete. */
  private readonly next = (): unknown => {
    if (!this.isUsed) this.takeOver();
    const { connection, reader } = this;
    for (;;) {
      const { bytes, at } = this;
      const left = bytes.length - at;
      if (left >= FRAME_HEADER) {
        const size = bytes.readUInt32BE(at + 3);
        const end = at + FRAME_HEADER + size;
        const channel = this.channels[bytes.readUInt16BE(at + 1)];
        const tooLarge = connection.maxFrameSize > 0 && size > connection.maxFrameSize;
        // What is wrong with a frame is for the client library to say.
        if (tooLarge || (end < bytes.length && bytes[end] !== FRAME_END)) return this.hand(bytes.length);
        if (end < bytes.length) {
          // Bodies and values of headers are parts of the bytes.
          if (this.borrowed && bytes[at] !== METHOD) {
            this.keep();
            continue;
          }
          this.frames++;
          this.at = end + 1;
          if (channel?.take(bytes, bytes[at], at + FRAME_HEADER, end)) continue;
          this.at = at;
          return this.hand(end + 1);
        }
      }
      let read: Buffer | null | undefined = reader.fresh;
      if (read !== undefined) {
        reader.fresh = undefined;
      } else if (this.frames >= FRAMES_PER_TURN) {
        reader.held = true;
        this.schedule();
      } else if (!reader.direct) {
        read = connection.stream.read() as Buffer | null;
        // Here only: the stream has nothing that came before.
        reader.direct = read === null && reader.works;
      }
      if (!read) {
        if (this.borrowed && left > 0) this.keep();
        return false;
      }
      connection.recvSinceLastCheck = true;
      this.borrowed = left === 0 && reader.direct;
      this.bytes = left === 0 ? read : Buffer.concat([bytes.subarray(at), read]);
      this.at = 0;
    }
  };

  /** The bytes that are left, safe from the next read. */
  private keep(): void {
    const kept = Buffer.allocUnsafe(this.bytes.length - this.at);
    this.bytes.copy(kept, 0, this.at);
    this.bytes = kept;
    this.at = 0;
    this.borrowed = false;
  }

  /** The bytes up to `end`, as the client library reads them. */
  private hand(end: number): unknown {
    const bytes = this.bytes.subarray(this.at, end);
    this.connection.rest = this.borrowed ? Buffer.from(bytes) : bytes;
    this.at = end;
    return this.libraryNext();
  }
}
