// Cuts the incoming bytes into frames. Pieces of a frame are collected and joined once, when it is whole, so that a
// client that sends byte by byte costs no more than one that sends everything at once.
import { AmqpFailure } from '../model/failure.js';

export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;
export const FRAME_END = 0xce;
/** Type, channel, size before the payload and the end octet after it. */
export const FRAME_OVERHEAD = 8;

/** Octets of a frame that an error tells. */
const SHOWN = 16;

export interface Frame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

/** What opens a connection. */
export const PROTOCOL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);

/** What a frame's receiver says: go on, hear nothing more, or bring me this frame again with the next push. */
export type FrameOutcome = 'next' | 'stop' | 'again';

export class FrameReader {
  /** The largest frame that is accepted, overhead included. Lowered once the client has agreed to less. */
  maxFrame: number;

  private pieces: Buffer[] = [];
  private collected = 0;
  private wanted: number;
  private greeted = false;

  constructor(
    maxFrame: number,
    private readonly onFrame: (frame: Frame) => FrameOutcome,
    private readonly onGreeting: (header: Buffer) => boolean,
    /** Asked before each frame: takes several at once and says where they end, or leaves them by answering where they begin. */
    private readonly onFrames: (bytes: Buffer, at: number) => number | 'stop' = (_, at) => at,
  ) {
    this.maxFrame = maxFrame;
    this.wanted = PROTOCOL_HEADER.length;
  }

  /** Bytes received that do not make a whole frame yet. */
  get waiting(): number {
    return this.collected;
  }

  /** Takes the next chunk (or none) and calls back for each whole frame. Throws on a broken frame. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.collected > 0) {
      this.pieces.push(chunk);
      this.collected += chunk.length;
      if (this.collected < this.wanted) return;
      bytes = Buffer.concat(this.pieces, this.collected);
      this.pieces = [];
      this.collected = 0;
    }
    let at = 0;
    while (bytes.length - at >= this.wanted) {
      const next = this.greeted ? this.frameAt(bytes, at) : this.greetingAt(bytes, at);
      if (next === 'stop') return;
      if (next === 'more') break;
      at = next;
    }
    this.keep(bytes, at);
  }

  private keep(bytes: Buffer, at: number): void {
    if (at >= bytes.length) return;
    const rest = bytes.subarray(at);
    this.pieces.push(rest);
    this.collected = rest.length;
  }

  private greetingAt(bytes: Buffer, at: number): number | 'stop' {
    const end = at + PROTOCOL_HEADER.length;
    this.greeted = true;
    this.wanted = FRAME_OVERHEAD;
    return this.onGreeting(bytes.subarray(at, end)) ? end : 'stop';
  }

  private frameAt(bytes: Buffer, at: number): number | 'more' | 'stop' {
    const after = this.onFrames(bytes, at);
    if (after !== at) {
      this.wanted = FRAME_OVERHEAD;
      return after;
    }
    const type = bytes[at];
    const size = bytes.readUInt32BE(at + 3);
    const whole = size + FRAME_OVERHEAD;
    if (whole > this.maxFrame) {
      throw new AmqpFailure(501, `a frame of ${whole} bytes is larger than the negotiated ${this.maxFrame}`);
    }
    if (bytes.length - at < whole) {
      this.wanted = whole;
      return 'more';
    }
    const end = at + 7 + size;
    const frame = { type, channel: bytes.readUInt16BE(at + 1), payload: bytes.subarray(at + 7, end) };
    if (bytes[end] !== FRAME_END) {
      throw new AmqpFailure(501, `${described(frame)}: {invalid_frame_end_marker,${bytes[end]}}`);
    }
    const verdict = this.onFrame(frame);
    this.wanted = verdict === 'again' ? whole : FRAME_OVERHEAD;
    if (verdict === 'next') return end + 1;
    return verdict === 'again' ? 'more' : 'stop';
  }
}

/** A frame in RabbitMQ's words. */
export function described({ type, payload }: Frame): string {
  const few = payload.length <= SHOWN;
  return `type ${type}, ${few ? 'all' : `first ${SHOWN}`} octets = ${binary(payload.subarray(0, SHOWN))}`;
}

/** Bytes as Erlang writes them: as text when they are, else as numbers. */
export function binary(bytes: Buffer): string {
  const isText =
    bytes.length > 0 && bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 10 || byte === 13);
  return `<<${isText ? JSON.stringify(bytes.toString('latin1')) : [...bytes].join(',')}>>`;
}
