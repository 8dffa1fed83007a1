// Stores durable state in a folder, as an append-only log. Changes are written once per turn of the event loop; confirms
// wait for the disk, many for each sync. When a file is full, the next one begins with a snapshot of the topology; the
// oldest file is deleted when none of its messages is needed any more, or they were moved.
import type { Change, Journal, Place } from '../model/journal.js';
import type { Message } from '../model/message.js';
import { LiveEntries, type Segment, type Stored } from './live-entries.js';
import { lockFolder } from './folder-lock.js';
import { type Entry, encodeRecord, type LogRecord } from './records.js';
import { readSegment, removeSegment, segmentNumbers, SegmentWriter } from './segments.js';
import { SyncQueue } from './sync-queue.js';
import { TopologyState } from './topology-state.js';

const FULL = 16 * 1024 * 1024;
/** More files than this are not left alone when most of the oldest one is unwanted. */
const MANY = 16;

const nextTurn = setImmediate;

export interface DiskLogger {
  log(message: string): void;
  warn(message: string): void;
}

type Pending = { readonly change: Change } | { readonly stored: Stored };

export class DiskJournal implements Journal {
  readonly topology = new TopologyState();
  private readonly live = new LiveEntries();
  private readonly unlock: () => void;
  private pending: Pending[] = [];
  private gone: number[] = [];
  private lastEntry = 0;
  /** Undefined until what was found is restored, and after the end: then nothing is noted. */
  private writer: SegmentWriter | undefined;
  private segment: Segment | undefined;
  private scheduled = false;
  private closed = false;
  private readonly syncs = new SyncQueue(
    () => this.writer,
    (error) => this.fail(error),
  );

  /** Takes the folder and reads it. Throws when another broker has it, or it cannot be read. */
  constructor(
    readonly folder: string,
    private readonly logger: DiskLogger,
    private readonly full = FULL,
  ) {
    this.unlock = lockFolder(folder);
    try {
      for (const number of segmentNumbers(folder)) this.read(number);
      // Numbers go on above those that a queue or exchange ignores, also when no message is left that had one of them.
      for (const change of this.topology.all)
        if ('since' in change) this.lastEntry = Math.max(this.lastEntry, change.since ?? 0);
    } catch (error) {
      this.unlock();
      throw error;
    }
  }

  /** What was in the folder, to be put where it was. */
  found(): Iterable<{ readonly entry: Entry; readonly message: Message }> {
    return this.live.all();
  }

  /** All is restored: from now on what changes goes to the disk. */
  begin(): void {
    this.next();
  }

  keep(place: Place, message: Message, at: number | null, time?: number): number {
    if (!this.writer) return 0;
    const entry = { id: (this.lastEntry += 1), place, at, time };
    const last = this.pending.at(-1);
    const stored =
      last && 'stored' in last && last.stored.message === message ? last.stored : this.fresh(message);
    this.live.add(stored, entry);
    return entry.id;
  }

  drop(entry: number): void {
    // Before `begin` it is only remembered, and written afterwards.
    if (!this.live.remove(entry) || this.closed) return;
    this.gone.push(entry);
    this.schedule();
  }

  note(noted: Change): void {
    if (this.closed) return;
    const numbered = noted.op === 'queue' || noted.op === 'exchange';
    const change = numbered ? { ...noted, since: this.lastEntry } : noted;
    this.topology.apply(change);
    // Before `begin` it goes into the first file along with all the rest.
    if (!this.writer) return;
    this.pending.push({ change });
    this.schedule();
  }

  /** What was noted goes to the file, before anybody hears of it. */
  write(): void {
    const { writer, segment } = this;
    if (!writer || !segment || (this.pending.length === 0 && this.gone.length === 0)) return;
    const { pending, gone } = this;
    this.pending = [];
    this.gone = [];
    // The files stay as they are: with a gap in them, nothing may be added or deleted any more.
    if (this.syncs.failed) return;
    const records: Buffer[] = [];
    for (const one of pending) {
      if ('change' in one) records.push(encodeRecord({ kind: 'change', change: one.change }));
      else if (one.stored.entries.size > 0) records.push(this.stored(one.stored, segment));
    }
    if (gone.length > 0) records.push(encodeRecord({ kind: 'gone', entries: gone }));
    if (!this.append(Buffer.concat(records))) return;
    if (writer.size >= this.full) this.next();
  }

  /** Calls back when the disk has all that was noted so far; with false when it cannot. */
  afterSync(done: (ok: boolean) => void): void {
    this.write();
    this.syncs.after(done);
  }

  /** The same, but waits for it. */
  syncNow(): boolean {
    this.write();
    return this.syncs.now();
  }

  close(): void {
    this.syncNow();
    this.closed = true;
    this.writer?.close();
    this.writer = undefined;
    this.unlock();
  }

  private fresh(message: Message): Stored {
    const stored: Stored = { message, entries: new Map(), segment: undefined, size: 0 };
    this.pending.push({ stored });
    this.schedule();
    return stored;
  }

  private stored(stored: Stored, segment: Segment): Buffer {
    const bytes = encodeRecord({
      kind: 'message',
      message: stored.message,
      entries: [...stored.entries.values()],
    });
    this.live.place(stored, segment, bytes.length);
    return bytes;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    nextTurn(() => {
      this.scheduled = false;
      this.write();
    });
  }

  private append(bytes: Buffer): boolean {
    const { writer, segment } = this;
    if (!writer || !segment || bytes.length === 0) return writer !== undefined;
    try {
      writer.write(bytes);
    } catch (error) {
      this.fail(error as Error);
      return false;
    }
    segment.bytes += bytes.length;
    this.syncs.dirty();
    return true;
  }

  /** The next file begins, with all that is declared in one record, so that it is there whole or not at all. */
  private next(): void {
    try {
      this.writer?.sync();
      const number = (this.live.segments.at(-1)?.number ?? 0) + 1;
      const writer = new SegmentWriter(this.folder, number);
      this.writer?.close();
      this.writer = writer;
      this.segment = this.live.addSegment(number);
      if (this.append(encodeRecord({ kind: 'topology', changes: this.topology.all }))) this.clean();
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private clean(): void {
    const { segments } = this.live;
    for (let [oldest] = segments; oldest !== this.segment; [oldest] = segments) {
      if (oldest.live.size > 0) {
        if (!this.worthMoving(oldest)) return;
        const moved = [...oldest.live].map((stored) => this.stored(stored, this.segment as Segment));
        if (!this.append(Buffer.concat(moved))) return;
      }
      this.writer?.sync();
      segments.shift();
      removeSegment(this.folder, oldest.number);
    }
  }

  private worthMoving({ bytes, liveBytes }: Segment): boolean {
    const { segments } = this.live;
    const crowded = segments.length > MANY && (liveBytes < bytes / 2 || bytes < this.full / MANY);
    return crowded || this.live.bytes > 2 * this.live.liveBytes + 4 * this.full;
  }

  /** From now on nothing is written, and no message is confirmed. */
  private fail(error: Error): void {
    if (this.syncs.failed) return;
    this.syncs.failed = true;
    this.logger.warn(
      `cannot write to ${this.folder}: ${error.message}. Messages are no longer kept on disk, and none is confirmed`,
    );
  }

  private read(number: number): void {
    const segment = this.live.addSegment(number);
    const warn = (text: string): void => this.logger.warn(text);
    segment.bytes = readSegment(
      this.folder,
      number,
      (record, size) => this.recall(record, size, segment),
      warn,
    );
  }

  private recall(record: LogRecord, size: number, segment: Segment): void {
    switch (record.kind) {
      case 'topology':
        this.topology.reset(record.changes);
        break;
      case 'change':
        this.topology.apply(record.change);
        break;
      case 'gone':
        for (const entry of record.entries) this.live.remove(entry);
        break;
      case 'message': {
        const { message, entries } = record;
        const stored: Stored = { message, entries: new Map(), segment: undefined, size };
        for (const entry of entries) this.live.add(stored, entry);
        this.live.place(stored, segment, size);
        this.lastEntry = Math.max(this.lastEntry, ...entries.map(({ id }) => id));
      }
    }
  }
}
