// What goes out to one client. Frames are written into one growing block and leave together once per turn of the
// event loop, because a write per frame costs more than everything else the broker does.
import type { Socket } from 'node:net';
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD,
} from '../wire/frames.js';
import { encodeMethod } from '../wire/method-codec.js';
import type { Args, MethodName } from '../wire/methods.js';

/** Above this many unsent bytes a client gets no more deliveries, and is not listened to, until it reads. */
export const SATURATED = 4 * 1024 * 1024;
/** Bodies from this size on are passed on as they are instead of being copied into the block. */
const BY_REFERENCE = 16 * 1024;
const BLOCK = 64 * 1024;

const nextTurn = setImmediate;

export class Outbox {
  /** Largest frame that may be sent, overhead included. */
  frameMax = 131_072;

  private blocks: Buffer[] = [];
  private block = Buffer.allocUnsafe(BLOCK);
  private start = 0;
  private at = 0;
  private pending = 0;
  private scheduled = false;

  constructor(
    private readonly socket: Socket,
    /** Called before each flush, to add what was saved up (confirms). */
    private readonly beforeFlush: () => void,
    private readonly afterFlush: () => void,
  ) {}

  /** Bytes not yet taken by the system. */
  get unsent(): number {
    return this.pending + this.socket.writableLength;
  }

  get saturated(): boolean {
    return this.unsent > SATURATED;
  }

  method<N extends MethodName>(channel: number, name: N, args: Args<N>): void {
    this.frame(FRAME_METHOD, channel, encodeMethod(name, args));
  }

  heartbeat(): void {
    this.frame(FRAME_HEARTBEAT, 0, Buffer.alloc(0));
  }

  /** A method that carries a message: method, header and body frames, never torn apart by others. */
  content<N extends MethodName>(
    channel: number,
    name: N,
    args: Args<N>,
    properties: Buffer,
    body: Buffer,
  ): void {
    this.frame(FRAME_METHOD, channel, encodeMethod(name, args));
    const size = 12 + properties.length;
    const head = this.open(FRAME_HEADER, channel, size);
    this.block.writeUInt32BE(60 << 16, head);
    this.block.writeUInt32BE(0, head + 4);
    this.block.writeUInt32BE(body.length, head + 8);
    properties.copy(this.block, head + 12);
    this.end(size);
    const step = this.frameMax - FRAME_OVERHEAD;
    for (let at = 0; at < body.length; at += step) {
      this.frame(FRAME_BODY, channel, body.subarray(at, at + step));
    }
  }

  /** Everything leaves now. */
  flush(): void {
    this.scheduled = false;
    this.beforeFlush();
    this.cut();
    const { blocks } = this;
    this.blocks = [];
    this.pending = 0;
    if (blocks.length === 0 || !this.socket.writable) return;
    this.socket.cork();
    for (const block of blocks) this.socket.write(block);
    this.socket.uncork();
    this.afterFlush();
  }

  /** Makes sure there is a flush at the end of this turn. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    nextTurn(() => this.flush());
  }

  private frame(type: number, channel: number, payload: Buffer): void {
    if (payload.length >= BY_REFERENCE) {
      this.open(type, channel, payload.length, 0);
      this.cut();
      this.blocks.push(payload);
      this.pending += payload.length;
      this.reserve(1);
      this.block[this.at++] = FRAME_END;
      this.pending += 1;
      return;
    }
    // The place first: open() may begin a new block, and the payload belongs into that one.
    const place = this.open(type, channel, payload.length);
    payload.copy(this.block, place);
    this.end(payload.length);
  }

  /** Writes the start of a frame and says where its payload goes. */
  private open(type: number, channel: number, size: number, room: number = size): number {
    this.reserve(room + FRAME_OVERHEAD);
    const { block, at } = this;
    block[at] = type;
    block.writeUInt16BE(channel, at + 1);
    block.writeUInt32BE(size, at + 3);
    this.at = at + 7;
    this.pending += 7;
    this.schedule();
    return this.at;
  }

  private end(size: number): void {
    this.at += size;
    this.block[this.at++] = FRAME_END;
    this.pending += size + 1;
  }

  private reserve(size: number): void {
    if (this.block.length - this.at >= size) return;
    this.cut();
    this.block = Buffer.allocUnsafe(Math.max(BLOCK, size));
    this.start = 0;
    this.at = 0;
  }

  /** What was written so far becomes a piece of its own; writing goes on behind it. */
  private cut(): void {
    if (this.at === this.start) return;
    this.blocks.push(this.block.subarray(this.start, this.at));
    this.start = this.at;
  }
}
