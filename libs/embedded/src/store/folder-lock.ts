// Only one broker may use a folder. A lock file names its process; the file of a process that has ended is ignored.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const NAME = 'broker.lock';

/** Takes the folder, which is made when it is not there; returns what gives it back. Throws when another broker has it. */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, NAME);
  const mine = `${process.pid} ${startOf(process.pid)}`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(file, mine, { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 0) throw error;
      const owner = readFileSync(file, 'utf8');
      if (isAlive(owner)) throw new Error(taken(folder, owner), { cause: error });
      rmSync(file, { force: true });
    }
  }
}

function taken(folder: string, owner: string): string {
  const pid = owner.split(' ')[0];
  return `the folder ${resolve(folder)} is in use by another broker (process ${pid}): stop that one, or choose another folder`;
}

/** Whether the process that wrote this is still the one with its number. */
function isAlive(owner: string): boolean {
  const [pid, start] = owner.split(' ');
  if (!/^[0-9]+$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startOf(Number(pid)) === start;
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
