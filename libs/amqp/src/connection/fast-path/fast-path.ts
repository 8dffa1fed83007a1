import type { ChannelModel } from 'amqplib';
import type { OutgoingMessage } from '../../message/message.js';
import type { TrafficListener } from './channel-traffic.js';
import { clientConnection, type ClientConnection } from './amqplib-internals.js';
import { FrameAssembler } from './frame-assembler.js';
import { WriteBuffer } from './write-buffer.js';
import { writeAck, writePublish, writeRequeue } from './frame-writer.js';

const FRAME_HEADER = 7;
const FRAME_END = 0xce;
const EMPTY = Buffer.alloc(0);

/**
 * The four frames that come and go for every message (publish, deliver, ack, confirm) read and written by
 * ourselves, beside the client library, on its connection: its own way of doing it is more than half of what
 * a message costs. Everything else, handshake, declarations, errors and heartbeats, stays with the library,
 * which never notices. One per life of a connection.
 */
export class FastPath {
  private readonly incoming: (FrameAssembler | undefined)[] = [];
  private readonly writeBuffer: WriteBuffer;
  private bytes: Buffer = EMPTY;
  private at = 0;
  private readonly cold: () => unknown;
  private readonly dirty: TrafficListener[] = [];
  private scheduled = false;
  private readonly giveBack: () => void;
  /** Whether the client library takes its frames from here. */
  isUsed = false;

  /** On a connection of the client library; nothing when that is not as we know it. */
  static on(model: ChannelModel): FastPath | undefined {
    const connection = clientConnection(model);
    return connection && new FastPath(connection);
  }

  private constructor(private readonly connection: ClientConnection) {
    this.writeBuffer = new WriteBuffer(
      connection,
      () => this.schedule(),
      () => this.drained(),
    );
    const own = connection.recvFrame;
    this.cold = own.bind(connection);
    connection.recvFrame = () => {
      if (!this.isUsed) this.takeOver();
      return this.next();
    };
    this.giveBack = () => (connection.recvFrame = own);
  }

  /** Not used by the client library, which reads in another way than the one we know: it goes on without. */
  release(): undefined {
    this.giveBack();
    return undefined;
  }

  /** Whether the socket takes more. */
  get writable(): boolean {
    return this.writeBuffer.writable;
  }

  /** From now on the hot frames of a channel come here; its deliveries only when it is `consuming`. */
  attach(channel: number, listener: TrafficListener, consuming: boolean): void {
    const incoming = (this.incoming[channel] ??= new FrameAssembler(listener));
    if (consuming) incoming.consuming = true;
  }

  /** The channel is gone, or going. What was written for it leaves at once: after its end nothing may. */
  detach(channel: number): void {
    this.flush();
    this.incoming[channel] = undefined;
  }

  /** @throws when a property cannot be written */
  publish(channel: number, message: OutgoingMessage, replyTo: string | undefined): void {
    writePublish(this.writeBuffer, channel, message, replyTo, this.connection.frameMax);
  }

  ack(channel: number, deliveryTag: number, multiple: boolean): void {
    writeAck(this.writeBuffer, channel, deliveryTag, multiple);
  }

  requeue(channel: number, deliveryTag: number): void {
    writeRequeue(this.writeBuffer, channel, deliveryTag);
  }

  /** Asks for `atTurnsEnd` at the end of this turn. */
  settling(listener: TrafficListener): void {
    this.dirty.push(listener);
    this.schedule();
  }

  /** To the socket, now. */
  flush(): void {
    for (const listener of this.dirty.splice(0)) listener.atTurnsEnd();
    this.writeBuffer.flush();
  }

  /** The connection ends: what was written leaves, the rest is the client library's. */
  end(): void {
    this.flush();
    this.writeBuffer.end();
    this.incoming.length = 0;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private drained(): void {
    for (const incoming of this.incoming) incoming?.listener.onDrain();
  }

  private takeOver(): void {
    this.isUsed = true;
    this.bytes = this.connection.rest;
    this.connection.rest = EMPTY;
  }

  /** Takes hot frames until there is one for the client library, or no whole one. */
  private next(): unknown {
    const { connection } = this;
    for (;;) {
      const { bytes, at } = this;
      const left = bytes.length - at;
      if (left >= FRAME_HEADER) {
        const size = bytes.readUInt32BE(at + 3);
        const end = at + FRAME_HEADER + size;
        const incoming = this.incoming[bytes.readUInt16BE(at + 1)];
        const tooLarge = connection.maxFrameSize > 0 && size > connection.maxFrameSize;
        // What is wrong with a frame is for the client library to say.
        if (tooLarge || (end < bytes.length && bytes[end] !== FRAME_END)) return this.hand(bytes.length);
        if (end < bytes.length) {
          this.at = end + 1;
          if (incoming?.take(bytes, bytes[at], at + FRAME_HEADER, end)) continue;
          this.at = at;
          return this.hand(end + 1);
        }
      }
      const read = connection.stream.read() as Buffer | null;
      if (read === null) return false;
      connection.recvSinceLastCheck = true;
      this.bytes = left === 0 ? read : Buffer.concat([bytes.subarray(at), read]);
      this.at = 0;
    }
  }

  /** The bytes up to `end`, as the client library reads them. */
  private hand(end: number): unknown {
    this.connection.rest = this.bytes.subarray(this.at, end);
    this.at = end;
    return this.cold();
  }
}
