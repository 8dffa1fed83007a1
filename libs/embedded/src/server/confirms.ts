// Publisher confirms of one channel. They are collected during one turn of the event loop; neighbours with
// the same outcome are sent as one frame with `multiple`.
import type { Outbox } from './outbox.js';

interface Run {
  readonly ok: boolean;
  last: number;
  count: number;
}

export class Confirms {
  private published = 0;
  private dropped = false;
  private runs: Run[] = [];

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

  /** Takes out what was saved up; what it returns writes it, as refused when it was not kept after all. */
  take(channel: number, outbox: Outbox): (kept: boolean) => void {
    const { runs } = this;
    this.runs = [];
    return (kept) => write(runs, kept, channel, outbox);
  }
}

function write(runs: readonly Run[], kept: boolean, channel: number, outbox: Outbox): void {
  for (const { ok, last, count } of runs) {
    const args = { deliveryTag: last, multiple: count > 1 };
    if (ok && kept) outbox.method(channel, 'basic.ack', args);
    else outbox.method(channel, 'basic.nack', { ...args, requeue: false });
  }
}
