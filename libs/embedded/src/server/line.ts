// The output path to one client. A test can delay it, or stop it for a while.
import type { Socket } from 'node:net';
import type { MovableClock } from '../model/movable-clock.js';

interface Batch {
  readonly blocks: readonly Buffer[];
  readonly bytes: number;
  readonly due: number;
}

export class Line {
  /** On their way, in order. */
  private batches: Batch[] = [];
  private bytes = 0;
  private latency = 0;
  private stopped = false;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly clock: MovableClock,
    /** What was on its way was handed to the system. */
    private readonly onArrived: () => void,
  ) {}

  /** Bytes not yet taken by the system. */
  get unsent(): number {
    return this.bytes + this.socket.writableLength;
  }

  send(blocks: readonly Buffer[]): void {
    if (!this.stopped && this.latency === 0 && this.batches.length === 0) {
      this.write(blocks);
      return;
    }
    const bytes = blocks.reduce((sum, { length }) => sum + length, 0);
    this.bytes += bytes;
    this.batches.push({ blocks, bytes, due: this.clock.monotonic() + this.latency });
    this.arm();
  }

  /** What is sent from now on takes so many milliseconds of the broker's time; nothing overtakes what is on its way. */
  delay(ms: number): void {
    this.latency = ms;
  }

  stop(stopped: boolean): void {
    this.stopped = stopped;
    this.cancel?.();
    this.cancel = undefined;
    this.arm();
  }

  private arm(): void {
    const [first] = this.batches;
    if (this.stopped || this.cancel || !first) return;
    this.cancel = this.clock.after(first.due - this.clock.monotonic(), () => this.arrive());
  }

  private arrive(): void {
    this.cancel = undefined;
    const now = this.clock.monotonic();
    let count = 0;
    for (const { due, blocks, bytes } of this.batches) {
      if (due > now) break;
      count += 1;
      this.bytes -= bytes;
      this.write(blocks);
    }
    this.batches = this.batches.slice(count);
    this.arm();
    if (count > 0) this.onArrived();
  }

  private write(blocks: readonly Buffer[]): void {
    if (!this.socket.writable) return;
    this.socket.cork();
    for (const block of blocks) this.socket.write(block);
    this.socket.uncork();
  }
}
