// The files of the log: `00000001.log` and so on, each read from its beginning, the last one written to.
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { decodeRecord, type LogRecord } from './records.js';

const NAME = /^([0-9]{8})\.log$/;

/** Numbers of the files that are there, in order. */
export function segmentNumbers(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((file) => NAME.exec(file)?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other);
}

/**
 * Reads one file. Where it cannot be read on, the rest is cut off and said: after a crash the last record may have been
 * written in part.
 */
export function readSegment(
  folder: string,
  number: number,
  each: (record: LogRecord, size: number) => void,
  warn: (text: string) => void,
): number {
  const path = pathOf(folder, number);
  const bytes = readFileSync(path);
  let at = 0;
  for (let next = decodeRecord(bytes, at); next; next = decodeRecord(bytes, at)) {
    each(next.record, next.end - at);
    at = next.end;
  }
  if (at < bytes.length) {
    warn(`${path} is incomplete: its last ${bytes.length - at} bytes are unreadable and were removed`);
    truncateSync(path, at);
  }
  return at;
}

export function removeSegment(folder: string, number: number): void {
  rmSync(pathOf(folder, number), { force: true });
}

/** The file that is written to. */
export class SegmentWriter {
  size = 0;
  private readonly file: number;
  private syncing = false;
  private ended = false;

  constructor(
    folder: string,
    readonly number: number,
  ) {
    this.file = openSync(pathOf(folder, number), 'a');
    syncFolder(folder);
  }

  /** Hands the bytes to the system, from where they survive the end of the process. */
  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at);
    this.size += bytes.length;
  }

  /** Waits for the disk, beyond which they survive the end of the machine. */
  sync(): void {
    fdatasyncSync(this.file);
  }

  syncLater(done: (error: Error | null) => void): void {
    this.syncing = true;
    fdatasync(this.file, (error) => {
      this.syncing = false;
      if (this.ended) closeSync(this.file);
      done(error);
    });
  }

  /** Closes the file, after a `syncLater` in progress: the number of a closed file may soon be that of another one. */
  close(): void {
    this.ended = true;
    if (!this.syncing) closeSync(this.file);
  }
}

/** A new file is there after a crash only when its folder was written, too; not every system can do that. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

function pathOf(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(8, '0')}.log`);
}
