// Publisher confirms of one channel. Messages are settled in order and at once, so what is saved up during one turn
// of the loop leaves as few frames: neighbours with the same outcome become one `multiple`.
import type { Outbox } from './outbox.js';

export class Confirms {
  private published = 0;
  private dropped = false;
  private runs: { ok: boolean; last: number; count: number }[] = [];

  constructor(
    /** There is something to write. */
    private readonly onFirst: () => void,
  ) {}

  /** The next publish is number... */
  next(): number {
    return (this.published += 1);
  }

  settle(tag: number, ok: boolean): void {
    if (this.runs.length === 0) this.onFirst();
    // One that is never confirmed must not be confirmed along with later ones.
    const run = this.dropped ? undefined : this.runs.at(-1);
    if (run?.ok === ok) {
      run.last = tag;
      run.count += 1;
    } else {
      this.runs.push({ ok, last: tag, count: 1 });
    }
  }

  /** The last one is never settled. */
  drop(): void {
    this.dropped = true;
  }

  /** Writes what was saved up. */
  flush(channel: number, outbox: Outbox): void {
    if (this.runs.length === 0) return;
    const { runs } = this;
    this.runs = [];
    for (const { ok, last, count } of runs) {
      const args = { deliveryTag: last, multiple: count > 1 };
      if (ok) outbox.method(channel, 'basic.ack', args);
      else outbox.method(channel, 'basic.nack', { ...args, requeue: false });
    }
  }
}
