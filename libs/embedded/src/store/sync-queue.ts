// Who waits for the disk. One call serves all that asked before it began; meanwhile others gather for the next.
import type { SegmentWriter } from './segments.js';

type Done = (ok: boolean) => void;

export class SyncQueue {
  /** The disk failed; nobody is told that it has anything. */
  failed = false;
  private waiting: Done[] = [];
  private served: Done[] = [];
  private running = false;
  /** Something was written that the disk may not have. */
  private unsynced = false;

  constructor(
    private readonly writer: () => SegmentWriter | undefined,
    private readonly onError: (error: Error) => void,
  ) {}

  dirty(): void {
    this.unsynced = true;
  }

  after(done: Done): void {
    if (!this.unsynced && !this.running && this.waiting.length === 0) {
      done(!this.failed);
      return;
    }
    this.waiting.push(done);
    this.run();
  }

  /** Waits for the disk; everybody who waits is served. */
  now(): boolean {
    try {
      // One in progress has not ended, and those who wait for it are told below.
      if (this.unsynced || this.running) this.writer()?.sync();
      this.unsynced = false;
    } catch (error) {
      this.onError(error as Error);
    }
    this.serve();
    return !this.failed;
  }

  private run(): void {
    const writer = this.writer();
    if (this.running || this.waiting.length === 0 || !writer) return;
    this.running = true;
    this.unsynced = false;
    this.served = this.waiting;
    this.waiting = [];
    writer.syncLater((error) => {
      this.running = false;
      if (error) this.onError(error);
      const { served } = this;
      this.served = [];
      for (const done of served) done(!this.failed);
      this.run();
    });
  }

  private serve(): void {
    const all = [...this.served, ...this.waiting];
    this.served = [];
    this.waiting = [];
    for (const done of all) done(!this.failed);
  }
}
