// Jobs as they go on: what pages hear of them, and which messages a replay has sent.

import type { Clock, DeadLetter } from '@warren/nestjs';
import type { Job } from '../api/dead-letters.js';

/** Ids that are remembered. */
const MOST_IDS = 20_000;

/** Between two progresses of a job, in ms. */
const EVERY = 250;

/** Tells of jobs. A replay changes with every message, and nobody reads faster than four times a second. */
export class JobNews {
  /** Jobs that were told of a moment ago, and whether they have changed since. */
  private readonly recent = new Map<string, { changed: boolean; readonly cancel: () => void }>();

  constructor(
    private readonly clock: Clock,
    private readonly tell: (job: Job) => void,
  ) {}

  /** It has another state: told at once. */
  now(job: Job): void {
    this.recent.get(job.id)?.cancel();
    this.recent.delete(job.id);
    this.tell({ ...job });
  }

  /** It has other numbers: told now, or a moment later with those of then. */
  soon(job: Job): void {
    const recent = this.recent.get(job.id);
    if (recent) {
      recent.changed = true;
      return;
    }
    this.tell({ ...job });
    const cancel = this.clock.after(EVERY, () => {
      const { changed } = this.recent.get(job.id)!;
      this.recent.delete(job.id);
      if (changed) this.soon(job);
    });
    this.recent.set(job.id, { changed: false, cancel });
  }

  close(): void {
    for (const { cancel } of this.recent.values()) cancel();
    this.recent.clear();
  }
}

/** What a replay has sent: what failed again is back in its queue meanwhile, and is not sent twice. */
export class Replayed {
  private readonly ids = new Set<string>();

  /** `since`: when it began, by the wall clock. */
  constructor(
    private readonly since: number,
    private readonly most = MOST_IDS,
  ) {}

  add(id: string | undefined): void {
    if (id !== undefined && this.ids.size < this.most) this.ids.add(id);
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  /**
   * Whether it failed since then. Where its id cannot tell (there is none, or not all are remembered), its time does, which
   * is by the clock of the process where it failed.
   */
  isBack({ id, failedAt }: Pick<DeadLetter, 'id' | 'failedAt'>): boolean {
    if (id !== undefined && (this.ids.has(id) || this.ids.size < this.most)) return this.ids.has(id);
    return (failedAt?.getTime() ?? 0) >= this.since;
  }
}
