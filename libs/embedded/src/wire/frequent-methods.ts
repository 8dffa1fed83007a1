// The methods that come with every message, written out by hand: a publish and an ack on the way in, a delivery and an
// ack on the way out. All others go through the table of methods, which is shorter and several times slower.
import type { Cursor } from './cursor.js';
import type { Args, Method } from './methods.js';

export const PUBLISH = (60 << 16) | 40;
export const ACK = (60 << 16) | 80;
const DELIVER = (60 << 16) | 60;

/** The whole method behind its ids; undefined for one that is not frequent. */
export function readFrequent(id: number, cursor: Cursor): Method | undefined {
  if (id === PUBLISH) {
    const args: Args<'basic.publish'> = {
      ticket: cursor.short(),
      // RabbitMQ takes any bytes here.
      exchange: cursor.looseShortstr(),
      routingKey: cursor.looseShortstr(),
      mandatory: cursor.bit(),
      immediate: cursor.bit(),
    };
    return { name: 'basic.publish', args };
  }
  if (id !== ACK) return undefined;
  return { name: 'basic.ack', args: { deliveryTag: cursor.longlong(), multiple: cursor.bit() } };
}

/** Writes the payload and says where it ends. */
export function writeDeliver(into: Buffer, start: number, args: Args<'basic.deliver'>): number {
  let at = writeLong(into, start, DELIVER);
  at = writeShortstr(into, at, args.consumerTag);
  at = writeLonglong(into, at, args.deliveryTag);
  into[at++] = args.redelivered ? 1 : 0;
  at = writeShortstr(into, at, args.exchange);
  return writeShortstr(into, at, args.routingKey);
}

export function writeAck(into: Buffer, start: number, args: Args<'basic.ack'>): number {
  const at = writeLonglong(into, writeLong(into, start, ACK), args.deliveryTag);
  into[at] = args.multiple ? 1 : 0;
  return at + 1;
}

export function writeLong(into: Buffer, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

export function writeLonglong(into: Buffer, at: number, value: number): number {
  return writeLong(into, writeLong(into, at, Math.floor(value / 0x1_0000_0000)), value % 0x1_0000_0000);
}

/** Cut at 255 bytes, the most the wire can carry. ASCII is copied here, since a call into Node costs more than that. */
export function writeShortstr(into: Buffer, at: number, value: string): number {
  const { length } = value;
  if (length < 64) {
    let n = 0;
    for (; n < length; n += 1) {
      const code = value.charCodeAt(n);
      if (code > 0x7f) break;
      into[at + 1 + n] = code;
    }
    if (n === length) {
      into[at] = length;
      return at + 1 + length;
    }
  }
  const size = into.write(value, at + 1, 255, 'utf8');
  into[at] = size;
  return at + 1 + size;
}
