import type { ClientConnection } from './amqplib-internals.js';

const SLAB = 64 * 1024;

/** What is collected before it goes to the socket without waiting for the end of the turn. */
const PIECE = 256 * 1024;

/** More than this in the socket's own buffer, and publishers wait. */
const HIGH_WATER = 1024 * 1024;

/** Bodies from here on are not copied: nobody writes into a message once it is made. */
const LARGE = 8 * 1024;

/** So much moves to a new slab, since to write two pieces costs more than to copy one. */
const MOVED = 32 * 1024;

/**
 * Frames of one connection on their way to its socket. What is written in one turn of the event loop leaves
 * in one piece: for small messages, each system call costs more than all the rest of the publish.
 */
export class WriteBuffer {
  /** Where the next frame is written, from `at` on; `reserve` makes room. */
  slab: Buffer = Buffer.allocUnsafeSlow(SLAB);
  at = 0;
  /** False while the socket has more than it can send. */
  writable = true;
  private from = 0;
  private bytes = 0;
  private readonly pieces: Buffer[] = [];
  /** Somebody will call `flush`. */
  private waiting = false;
  private ended = false;

  /** `wake` has to see to it that `flush` is called at the end of the turn. */
  constructor(
    private readonly connection: ClientConnection,
    private readonly wake: () => void,
    onDrain: () => void,
  ) {
    connection.stream.on('drain', () => {
      if (this.writable) return;
      this.writable = true;
      onDrain();
    });
  }

  /** Room for a frame of at most so many bytes. */
  reserve(bytes: number): void {
    if (this.slab.length - this.at >= bytes) return;
    if (this.at - this.from > MOVED) this.cut();
    const { slab, from, at } = this;
    this.slab = Buffer.allocUnsafeSlow(Math.max(SLAB, bytes + at - from));
    slab.copy(this.slab, 0, from, at);
    this.at -= from;
    this.from = 0;
  }

  /** What was written up to `at` may leave. */
  written(): void {
    if (!this.waiting) {
      this.waiting = true;
      this.wake();
    }
    if (this.at - this.from + this.bytes >= PIECE) this.flush();
  }

  /** A body: small ones are copied, `reserve` has made room for that; large ones go as they are. */
  body(content: Buffer): void {
    if (content.length < LARGE) {
      this.at += content.copy(this.slab, this.at);
      return;
    }
    this.cut();
    this.pieces.push(content);
    this.bytes += content.length;
  }

  /** To the socket with everything. */
  flush(): void {
    this.waiting = false;
    this.cut();
    if (this.pieces.length === 0) return;
    const { connection, pieces } = this;
    const { stream } = connection;
    this.bytes = 0;
    if (this.ended || stream.destroyed || !stream.writable) {
      pieces.length = 0;
      return;
    }
    connection.sentSinceLastCheck = true;
    let room = true;
    if (pieces.length === 1) {
      room = stream.write(pieces[0]);
    } else {
      stream.cork();
      for (const piece of pieces) room = stream.write(piece);
      stream.uncork();
    }
    pieces.length = 0;
    // Only a socket that said no tells when it has room again.
    if (!room && stream.writableLength > HIGH_WATER) this.writable = false;
  }

  /** Nothing more leaves. */
  end(): void {
    this.flush();
    this.ended = true;
  }

  private cut(): void {
    if (this.at === this.from) return;
    this.pieces.push(this.slab.subarray(this.from, this.at));
    this.bytes += this.at - this.from;
    this.from = this.at;
  }
}
