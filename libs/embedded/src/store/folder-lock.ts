// Only one broker may use a folder. A lock file names its owner: process, thread and host. The file of an owner that has
// ended is ignored.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { threadId } from 'node:worker_threads';

const NAME = 'broker.lock';

/** How often the owner writes the file again, which changes its time, in milliseconds. */
const TOUCHED = 1_000;
/** A process of another host, or container, has ended when the time of the file is older than this, in milliseconds. */
const SILENT = 10_000;

const repeat = setInterval;
const stopRepeating = clearInterval;

/** Takes the folder, which is made when it is not there; returns what gives it back. Throws when another broker has it. */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, NAME);
  const mine = ownerOf(threadId);
  while (!created(file, mine)) removeStale(folder, file);
  const timer = repeat(() => touch(file, mine), TOUCHED);
  timer.unref();
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    stopRepeating(timer);
    release(file, mine);
  };
}

/** Gives back the folder of a thread of this process that has ended without doing so. */
export function unlockFolder(folder: string, thread: number): void {
  release(join(folder, NAME), ownerOf(thread));
}

function ownerOf(thread: number): string {
  return `${process.pid} ${startOf(process.pid)} ${thread} ${hostname()}`;
}

/** False when there is such a file. */
function created(file: string, owner: string): boolean {
  try {
    writeFileSync(file, owner, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** Throws when its owner lives. */
function removeStale(folder: string, file: string): void {
  const owner = unlessGone(() => readFileSync(file, 'utf8'));
  if (owner === undefined) return;
  if (isInUse(file, owner)) throw new Error(taken(folder, owner));
  const aside = another(file);
  const moved = unlessGone(() => {
    renameSync(file, aside);
    return true;
  });
  if (!moved) return;
  // Meanwhile another broker may have removed the file that was read and made its own.
  if (readFileSync(aside, 'utf8') === owner) rmSync(aside);
  else renameSync(aside, file);
}

/** The name of a file beside this one that nobody else uses. */
function another(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}`;
}

/** Undefined when the file is no longer there. */
function unlessGone<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

function touch(file: string, owner: string): void {
  try {
    if (readFileSync(file, 'utf8') === owner) writeFileSync(file, owner, { flag: 'r+' });
  } catch {
    // The folder may be gone; whoever writes to it hears of that.
  }
}

function release(file: string, owner: string): void {
  try {
    if (readFileSync(file, 'utf8') === owner) rmSync(file);
  } catch {
    // What cannot be removed is ignored later, since its owner has ended.
  }
}

function taken(folder: string, owner: string): string {
  const [pid, , , host] = partsOf(owner);
  const here = host === hostname();
  const which = pid === undefined ? '' : ` (process ${pid}${here ? '' : ` on ${host}`})`;
  const later = here ? '' : `. If it has crashed, the folder is free after ${SILENT / 1000} seconds`;
  return `the folder ${resolve(folder)} is in use by another broker${which}: stop that one, or choose another folder${later}`;
}

/** Its process, when that began, its thread and its host. */
function partsOf(owner: string): readonly string[] {
  return /^([0-9]+) (\S+) ([0-9]+) (.+)$/.exec(owner)?.slice(1) ?? [];
}

function isInUse(file: string, owner: string): boolean {
  const [pid, start, , host] = partsOf(owner);
  if (host === hostname()) return isAlive(Number(pid)) && startOf(Number(pid)) === start;
  // Its process cannot be looked for here, or it has not written yet who it is.
  const changed = unlessGone(() => statSync(file).mtimeMs);
  return changed !== undefined && timeOf(file) - changed < SILENT;
}

/** What the file system gives as the time of a file that changes now; the clocks of hosts differ. */
function timeOf(file: string): number {
  const probe = another(file);
  writeFileSync(probe, '');
  const { mtimeMs } = statSync(probe);
  rmSync(probe);
  return mtimeMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process started, where the system tells it; numbers of processes are used again. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch {
    return '-';
  }
}
