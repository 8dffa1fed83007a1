// The messages of the log that still exist, and the files that contain them.
import type { Message } from '../model/message.js';
import type { Entry } from './records.js';

/** A message as it is in the log, with the places that still hold it. */
export interface Stored {
  readonly message: Message;
  readonly entries: Map<number, Entry>;
  /** Undefined until it is written. */
  segment: Segment | undefined;
  size: number;
}

export interface Segment {
  readonly number: number;
  bytes: number;
  liveBytes: number;
  readonly live: Set<Stored>;
}

export class LiveEntries {
  /** The oldest first. */
  readonly segments: Segment[] = [];
  private readonly byEntry = new Map<number, Stored>();

  addSegment(number: number): Segment {
    const segment: Segment = { number, bytes: 0, liveBytes: 0, live: new Set() };
    this.segments.push(segment);
    return segment;
  }

  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get liveBytes(): number {
    return this.segments.reduce((sum, { liveBytes }) => sum + liveBytes, 0);
  }

  /** Every message that is wanted, with the place that wants it, in the order in which they came. */
  *all(): Iterable<{ readonly entry: Entry; readonly message: Message }> {
    for (const id of [...this.byEntry.keys()].sort((one, other) => one - other)) {
      const stored = this.byEntry.get(id) as Stored;
      yield { entry: stored.entries.get(id) as Entry, message: stored.message };
    }
  }

  add(stored: Stored, entry: Entry): void {
    // A message that was moved is in the log twice; the later place counts.
    this.remove(entry.id);
    stored.entries.set(entry.id, entry);
    this.byEntry.set(entry.id, stored);
  }

  /** A message is in this file now. */
  place(stored: Stored, segment: Segment, size: number): void {
    this.unplace(stored);
    stored.segment = segment;
    stored.size = size;
    segment.live.add(stored);
    segment.liveBytes += size;
  }

  /** False when the log does not know of it yet, or never did. */
  remove(id: number): boolean {
    const stored = this.byEntry.get(id);
    if (!stored) return false;
    this.byEntry.delete(id);
    stored.entries.delete(id);
    const written = stored.segment !== undefined;
    if (stored.entries.size === 0) this.unplace(stored);
    return written;
  }

  private unplace(stored: Stored): void {
    const { segment } = stored;
    if (!segment?.live.delete(stored)) return;
    segment.liveBytes -= stored.size;
  }
}
