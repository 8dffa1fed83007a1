// The write buffer of one client. Frames are collected in one growing block and written once per turn of the event loop,
// because a write per frame would cost more than everything else the broker does.
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD,
} from '../wire/frames.js';
import { writeLong } from '../wire/frequent-methods.js';
import { methodRoom, writeMethod } from '../wire/method-codec.js';
import type { Args, MethodName } from '../wire/methods.js';

/** Above this many unsent bytes a client gets no more deliveries, and is not listened to, until it reads. */
export const SATURATED = 4 * 1024 * 1024;
/** Bodies from this size on are passed on as they are instead of being copied into the block. */
const BY_REFERENCE = 16 * 1024;
const BLOCK = 64 * 1024;

const nextTurn = setImmediate;

/** Where what is written goes; see line.ts. */
export interface Way {
  /** Bytes not yet taken by the system. */
  readonly unsent: number;
  send(blocks: readonly Buffer[]): void;
}

export class Outbox {
  /** Largest frame that may be sent, overhead included. */
  frameMax = 131_072;
  /** Something is written and not flushed. */
  scheduled = false;

  private blocks: Buffer[] = [];
  private block = Buffer.allocUnsafe(BLOCK);
  private start = 0;
  private at = 0;
  private pending = 0;

  constructor(
    private readonly line: Way,
    /** Called before each flush, to add what was saved up (confirms). */
    private readonly beforeFlush: () => void,
    private readonly afterFlush: () => void,
  ) {}

  /** Bytes not yet taken by the system. */
  get unsent(): number {
    return this.pending + this.line.unsent;
  }

  get saturated(): boolean {
    return this.unsent > SATURATED;
  }

  /** Unsent bytes beyond what every client may have: replies and what it asked for, since deliveries stop before. */
  get excess(): number {
    return Math.max(0, this.unsent - SATURATED);
  }

  method<N extends MethodName>(channel: number, name: N, args: Args<N>): void {
    const place = this.open(FRAME_METHOD, channel, methodRoom(name, args));
    this.end(place, writeMethod(this.block, place, name, args));
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
    this.method(channel, name, args);
    const head = this.open(FRAME_HEADER, channel, 12 + properties.length);
    writeLong(this.block, head, 60 << 16);
    writeLong(this.block, head + 4, 0);
    writeLong(this.block, head + 8, body.length);
    this.block.set(properties, head + 12);
    this.end(head, head + 12 + properties.length);
    const step = this.frameMax - FRAME_OVERHEAD;
    if (body.length <= step) {
      if (body.length > 0) this.frame(FRAME_BODY, channel, body);
      return;
    }
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
    if (blocks.length === 0) return;
    this.line.send(blocks);
    this.afterFlush();
  }

  /** Makes sure there is a flush at the end of this turn. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    nextTurn(() => this.flush());
  }

  private frame(type: number, channel: number, payload: Buffer): void {
    const size = payload.length;
    // The place first: open() may begin a new block, and the payload belongs into that one.
    const place = this.open(type, channel, size < BY_REFERENCE ? size : 0);
    if (size < BY_REFERENCE) {
      this.block.set(payload, place);
      this.end(place, place + size);
      return;
    }
    writeLong(this.block, place - 4, size);
    this.at = place;
    this.cut();
    this.blocks.push(payload);
    this.reserve(1);
    this.block[this.at++] = FRAME_END;
    this.pending += size + FRAME_OVERHEAD;
  }

  /** Reserves bytes for a frame and returns the offset of its payload; the frame counts only when it is closed. */
  private open(type: number, channel: number, size: number): number {
    this.reserve(size + FRAME_OVERHEAD);
    const { block, at } = this;
    block[at] = type;
    block[at + 1] = channel >>> 8;
    block[at + 2] = channel;
    this.schedule();
    return at + 7;
  }

  private end(place: number, end: number): void {
    writeLong(this.block, place - 4, end - place);
    this.block[end] = FRAME_END;
    this.pending += end + 1 - this.at;
    this.at = end + 1;
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
