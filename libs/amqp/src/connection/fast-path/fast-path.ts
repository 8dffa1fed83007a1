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
 * One channel's frames past the client library, which only asks for the consumer and hears of its cancel: puts each
 * delivery together, hears confirms, writes publishes and acks.
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

  constructor(
    private readonly fastPath: FastPath,
    private readonly number: number,
    private readonly channel: Channel,
    readonly listener: TrafficListener,
  ) {}

  get writable(): boolean {
    return this.fastPath.writeBuffer.writable;
  }

  async consume(queue: string, options: ConsumeOptions): Promise<string> {
    this.attach();
    this.consuming = true;
    const { consumerTag } = await this.channel.consume(
      queue,
      // Deliveries come past the client library. If one does not, it is one all the same.
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

  /** Takes a frame, whose payload is between two places; false when it is not a hot one. */
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
  /** What the channels write goes here. */
  readonly writeBuffer: WriteBuffer;
  /** What waits for the end of this turn: see `schedule`. */
  readonly collected: Collected[] = [];
  /** Whether the client library takes its frames from here. */
  isUsed = false;
  private readonly channels: (FastChannel | undefined)[] = [];
  private bytes: Buffer = EMPTY;
  private at = 0;
  private readonly cold: () => unknown;
  private scheduled = false;
  /** Frames of this turn. */
  private frames = 0;
  private held = false;
  private readonly giveBack: () => void;

  /** On a connection of the client library; nothing when that is not as we know it. */
  static on(model: ChannelModel): FastPath | undefined {
    const connection = clientConnection(model);
    return connection && new FastPath(connection);
  }

  private constructor(readonly connection: ClientConnection) {
    this.writeBuffer = new WriteBuffer(connection, this.schedule, () => this.drained());
    const own = connection.recvFrame;
    this.cold = own.bind(connection);
    connection.recvFrame = this.next;
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

  /** From now on the hot frames of a channel come here. */
  attach(number: number, channel: FastChannel): void {
    this.channels[number] = channel;
  }

  /** The channel is gone, or going. What was written for it leaves at once: after its end nothing may. */
  detach(number: number): void {
    this.flush();
    this.channels[number] = undefined;
  }

  /** To the socket, now. */
  flush(): void {
    for (const each of this.collected.splice(0)) each.atTurnsEnd();
    this.writeBuffer.flush();
  }

  /** The connection ends: what was written leaves, the rest is the client library's. */
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
    this.scheduled = false;
    this.frames = 0;
    this.flush();
    if (!this.held) return;
    this.held = false;
    // The client library takes frames when its stream says so.
    this.connection.stream.emit('readable');
  };

  private drained(): void {
    for (const channel of this.channels) channel?.listener.onDrain();
  }

  private takeOver(): void {
    this.isUsed = true;
    this.bytes = this.connection.rest;
    this.connection.rest = EMPTY;
  }

  /** Takes hot frames until there is one for the client library, or no whole one. */
  private readonly next = (): unknown => {
    if (!this.isUsed) this.takeOver();
    const { connection } = this;
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
          this.frames++;
          this.at = end + 1;
          if (channel?.take(bytes, bytes[at], at + FRAME_HEADER, end)) continue;
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
  };

  /** The bytes up to `end`, as the client library reads them. */
  private hand(end: number): unknown {
    this.connection.rest = this.bytes.subarray(this.at, end);
    this.at = end;
    return this.cold();
  }
}
