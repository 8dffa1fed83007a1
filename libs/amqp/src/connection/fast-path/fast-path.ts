import type { MessageProperties, OutgoingMessage } from '../../message/message.js';
import type { TrafficListener, ConsumeOptions, ChannelTraffic } from './channel-traffic.js';
import {
  ACK,
  DELIVER,
  NACK,
  readDeliver,
  readProperties,
  readTag,
  type DeliverFields,
} from './frame-reader.js';
import type { Channel, ChannelModel } from 'amqplib';
import { received } from './public-path.js';
import { clientConnection, type ClientConnection } from './amqplib-internals.js';
import { WriteBuffer, writeAck, writePublish, writeRequeue } from './frame-writer.js';

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
/** No Buffer of Node is larger; RabbitMQ takes 512 MiB at most. */
const MAX_BODY = 4 * 1024 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** The incoming hot frames of one channel: puts a delivery together from its frames, and hands confirms on. */
export class FrameAssembler {
  /** Whether deliveries are for us: others are for who consumes with the client library. */
  consuming = false;
  private fields: DeliverFields | undefined;
  private properties: MessageProperties | undefined;
  private missing = 0;
  private parts: Buffer[] | undefined;

  constructor(readonly listener: TrafficListener) {}

  /** Takes a frame, whose payload is between two places; false when it is not a hot one. */
  take(bytes: Buffer, type: number, from: number, end: number): boolean {
    if (type === METHOD) return this.method(bytes, from);
    // Headers and bodies belong to the method before them.
    if (!this.fields) return false;
    if (type === HEADER) {
      this.missing = readTag(bytes, from + 4);
      if (this.missing > MAX_BODY) throw new RangeError(`a body of ${this.missing} bytes was announced`);
      this.properties = readProperties(bytes, from + 12, end);
      if (this.missing === 0) this.deliver(NOTHING);
      return true;
    }
    if (type !== BODY) return false;
    this.missing -= end - from;
    if (this.missing < 0) throw new RangeError(`a body is ${-this.missing} bytes longer than announced`);
    const part = bytes.subarray(from, end);
    if (this.missing > 0) (this.parts ??= []).push(part);
    else this.deliver(this.parts ? Buffer.concat([...this.parts, part]) : part);
    return true;
  }

  private method(bytes: Buffer, from: number): boolean {
    switch (bytes.readUInt32BE(from)) {
      case DELIVER:
        if (!this.consuming) return false;
        this.fields = readDeliver(bytes, from + 4);
        if (this.fields.deliveryTag < 1 || this.fields.deliveryTag > Number.MAX_SAFE_INTEGER) {
          throw new RangeError(`a delivery has the tag ${this.fields.deliveryTag}`);
        }
        return true;
      case ACK:
      case NACK: {
        const outcome = bytes[from + 3] === (ACK & 0xff) ? 'confirmed' : 'nacked';
        this.listener.onConfirm(readTag(bytes, from + 4), (bytes[from + 12] & 1) !== 0, outcome);
        return true;
      }
      default:
        return false;
    }
  }

  private deliver(content: Buffer): void {
    const { deliveryTag, redelivered, exchange, routingKey } = this.fields as DeliverFields;
    const properties = this.properties as MessageProperties;
    this.fields = this.properties = this.parts = undefined;
    this.listener.onDelivery({ content, exchange, routingKey, redelivered, deliveryTag, properties });
  }
}

/**
 * The traffic of a channel past the client library, which only asks for the consumer and hears of its
 * cancel.
 */
export class FastChannel implements ChannelTraffic {
  private attached = false;
  private ended = false;

  constructor(
    private readonly fastPath: FastPath,
    private readonly number: number,
    private readonly channel: Channel,
    private readonly listener: TrafficListener,
  ) {}

  get writable(): boolean {
    return this.fastPath.writable;
  }

  async consume(queue: string, options: ConsumeOptions): Promise<string> {
    if (!this.ended) this.fastPath.attach(this.number, this.listener, true);
    this.attached = true;
    const { consumerTag } = await this.channel.consume(
      queue,
      // Deliveries come past the client library. If one does not, it is one all the same.
      (message) => this.listener.onDelivery(message === null ? 'cancelled' : received(message)),
      options,
    );
    return consumerTag;
  }

  publish(message: OutgoingMessage, replyTo?: string): void {
    this.attach();
    this.fastPath.publish(this.number, message, replyTo);
  }

  publishConfirmed(message: OutgoingMessage): void {
    this.publish(message);
  }

  ack(deliveryTag: number, multiple: boolean): void {
    this.fastPath.ack(this.number, deliveryTag, multiple);
  }

  requeue(deliveryTag: number): void {
    this.fastPath.requeue(this.number, deliveryTag);
  }

  settling(): void {
    this.fastPath.settling(this.listener);
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.fastPath.detach(this.number);
  }

  // Not before there is something to hear: whoever declares or looks into queues does that with the client library.
  private attach(): void {
    if (this.attached) return;
    this.attached = true;
    if (!this.ended) this.fastPath.attach(this.number, this.listener, false);
  }
}

/**
 * So many frames in one turn of the event loop, with what follows from them, leave time for others: the rest of what has
 * arrived stays in the socket until the next turn. Some 250 returned messages, or 1 000 confirms.
 */
const FRAMES_PER_TURN = 1_000;

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
  /** Frames of this turn. */
  private frames = 0;
  private held = false;
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
      this.frames = 0;
      this.flush();
      if (!this.held) return;
      this.held = false;
      // The client library takes frames when its stream says so.
      this.connection.stream.emit('readable');
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
          this.frames++;
          this.at = end + 1;
          if (incoming?.take(bytes, bytes[at], at + FRAME_HEADER, end)) continue;
          this.at = at;
          return this.hand(end + 1);
        }
      }
      // Here only: what was read is taken, since the stream may end.
      if (this.frames >= FRAMES_PER_TURN) {
        this.held = true;
        return false;
      }
      const read = connection.stream.read() as Buffer | null;
      if (read === null) return false;
      this.schedule();
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
