// Tells `warren-broker` when what started it has ended. Shells and npm do not always pass on the signal that ends them, and
// a broker left behind keeps its port.
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

/** What is asked of the operating system. */
export interface Processes {
  /** The parent of this process; another number when the parent has ended, except on Windows. */
  readonly parent: () => number;
  readonly parentOf: (pid: number) => number | undefined;
  readonly isAlive: (pid: number) => boolean;
}

const EVERY = 500;

/**
 * Calls `ended` once, within half a second after the parent of this process has ended; `byNpm`: or the parent of that one,
 * since npm and npx start programs in a shell which survives them. What is started by the init process has no parent to
 * wait for.
 */
export function whenParentEnds(
  ended: () => void,
  byNpm: boolean = process.env.npm_config_user_agent !== undefined,
  processes: Processes = system,
): void {
  const parent = processes.parent();
  if (parent <= 1) return;
  const above = byNpm ? (processes.parentOf(parent) ?? 0) : 0;
  const timer = setInterval(() => {
    const alone = processes.parent() !== parent || !processes.isAlive(parent);
    if (!alone && (above <= 1 || processes.isAlive(above))) return;
    clearInterval(timer);
    ended();
  }, EVERY);
  timer.unref();
}

const system: Processes = {
  parent: () => process.ppid,
  parentOf(pid) {
    try {
      if (process.platform !== 'linux') {
        return Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }));
      }
      // "pid (name) state ppid ...", where the name may contain anything.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    } catch {
      return undefined;
    }
  },
  isAlive(pid) {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      // Of another user.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  },
};
