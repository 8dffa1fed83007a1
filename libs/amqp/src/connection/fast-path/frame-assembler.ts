import type { MessageProperties } from '../../message/message.js';
import type { TrafficListener } from './channel-traffic.js';
import {
  ACK,
  DELIVER,
  NACK,
  readDeliver,
  readProperties,
  readTag,
  type DeliverFields,
} from './frame-reader.js';

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
