// What comes with every message, found by its offsets and without an object for each frame: a publish whose method, header
// and body came in one piece, as clients send small messages, and an ack. Everything unusual is left to the frame reader,
// which knows what to refuse.
import { decodeMethod } from './method-codec.js';
import { FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD, FRAME_OVERHEAD } from './frames.js';
import { ACK, PUBLISH } from './frequent-methods.js';
import type { Args, Method } from './methods.js';

/** Type, channel and size. */
const PREFIX = 7;
const BASIC = 60;
/** The frame of an ack: its ids, a delivery tag and an octet. */
export const ACK_FRAME = FRAME_OVERHEAD + 13;
/** Class, weight and size of the body, before the properties. */
const HEADER = 12;

/** Methods longer than this are decoded each time. */
const LONGEST = 128;
const SLOTS = 1024;

export interface PublishArgs extends Args<'basic.publish'> {
  /** The routing key as a list, shared by all messages that have the same. */
  readonly keys: readonly string[];
}

export class WholePublish {
  channel = 0;
  methodEnd = 0;
  propertiesAt = 0;
  propertiesEnd = 0;
  bodyAt = 0;
  bodyEnd = 0;

  /** Whether a publish with a body begins here, is whole, and is as it should be. */
  find(bytes: Buffer, at: number, maxFrame: number): boolean {
    const method = payloadEnd(bytes, at, FRAME_METHOD, maxFrame);
    if (method < at + PREFIX + 4 || long(bytes, at + PREFIX) !== PUBLISH) return false;
    const head = method + 1;
    const header = payloadEnd(bytes, head, FRAME_HEADER, maxFrame);
    const properties = head + PREFIX + HEADER;
    if (header < properties + 2 || long(bytes, head + PREFIX) >>> 16 !== BASIC) return false;
    const body = header + 1;
    const end = payloadEnd(bytes, body, FRAME_BODY, maxFrame);
    const size = end - body - PREFIX;
    if (size < 1 || long(bytes, properties - 8) !== 0 || long(bytes, properties - 4) !== size) return false;
    if (!sameChannel(bytes, at, head) || !sameChannel(bytes, at, body)) return false;
    this.channel = (bytes[at + 1] << 8) | bytes[at + 2];
    this.methodEnd = method;
    this.propertiesAt = properties;
    this.propertiesEnd = header;
    this.bodyAt = body + PREFIX;
    this.bodyEnd = end;
    return true;
  }
}

/** Where the payload of the frame ends that begins here; 0 when it is not whole, too large or of another type. */
function payloadEnd(bytes: Buffer, at: number, type: number, maxFrame: number): number {
  if (at + FRAME_OVERHEAD > bytes.length || bytes[at] !== type) return 0;
  const size = long(bytes, at + 3);
  const end = at + PREFIX + size;
  return size + FRAME_OVERHEAD > maxFrame || bytes[end] !== FRAME_END ? 0 : end;
}

/** The ack that is whole and begins here. */
export function wholeAck(bytes: Buffer, at: number): Method | undefined {
  if (bytes[at] !== FRAME_METHOD || bytes[at + ACK_FRAME - 1] !== FRAME_END) return undefined;
  if (long(bytes, at + 3) !== ACK_FRAME - FRAME_OVERHEAD || long(bytes, at + PREFIX) !== ACK)
    return undefined;
  const deliveryTag = long(bytes, at + 11) * 0x1_0000_0000 + long(bytes, at + 15);
  return { name: 'basic.ack', args: { deliveryTag, multiple: (bytes[at + 19] & 1) !== 0 } };
}

function sameChannel(bytes: Buffer, one: number, other: number): boolean {
  return bytes[one + 1] === bytes[other + 1] && bytes[one + 2] === bytes[other + 2];
}

function long(bytes: Buffer, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

interface Known {
  readonly bytes: Buffer;
  readonly args: PublishArgs;
}

/** Publishes repeat: their exchanges and keys are decoded once, and many waiting messages share them. */
export class PublishCache {
  private readonly slots: (Known | undefined)[] = Array<undefined>(SLOTS).fill(undefined);

  /** The method of the publish at these bytes. Throws 501 for broken ones. */
  read(bytes: Buffer, from: number, to: number): PublishArgs {
    if (to - from > LONGEST) return decoded(bytes.subarray(from, to));
    let hash = 0;
    for (let at = from; at < to; at += 1) hash = (Math.imul(hash, 31) + bytes[at]) | 0;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.slots[slot];
    if (known && equals(known.bytes, bytes, from, to)) return known.args;
    // Not of the pool, of which each copy would hold a whole block.
    const copy = Buffer.allocUnsafeSlow(to - from);
    bytes.copy(copy, 0, from, to);
    const args = decoded(copy);
    this.slots[slot] = { bytes: copy, args };
    return args;
  }
}

function decoded(payload: Buffer): PublishArgs {
  const args = decodeMethod(payload).args as Args<'basic.publish'>;
  return { ...args, keys: [args.routingKey] };
}

/** For few bytes: a loop costs less than a call into Node. */
export function equals(known: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (known.length !== to - from) return false;
  for (let at = 0; at < known.length; at += 1) if (known[at] !== bytes[from + at]) return false;
  return true;
}
