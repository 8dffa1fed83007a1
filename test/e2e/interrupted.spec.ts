// `npm test` that is interrupted leaves no process behind: not the workers of jest, not what its tests have started.
import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/events.js';

const root = join(import.meta.dirname, '..', '..');

/** Ids and command lines of the processes that were started with that variable, in whatever process group. */
function marks(mark: string): [pid: number, line: string][] {
  const read = (pid: string, what: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${what}`, 'latin1').replaceAll('\0', ' ');
    } catch {
      return ''; // It has ended, or is somebody else's.
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.filter((pid) => read(pid, 'environ').includes(mark));
  return found.map((pid) => [Number(pid), read(pid, 'cmdline')]);
}

const processes = (mark: string): string[] => marks(mark).map(([, line]) => line);

const started: string[] = [];
afterEach(() => {
  // A test that fails leaves nothing behind either.
  for (const mark of started.splice(0)) for (const [pid] of marks(mark)) process.kill(pid, 'SIGKILL');
});

/** Starts something whose processes can be found again. */
function marked(args: readonly string[], program = process.execPath): { child: ChildProcess; mark: string } {
  const value = randomBytes(8).toString('hex');
  const env = { ...process.env, MARKED: value };
  started.push(`MARKED=${value}`);
  return {
    child: spawn(program, args, { cwd: root, env, stdio: 'ignore' }),
    mark: `MARKED=${value}`,
  };
}

describe('a script that is told to end', () => {
  it('ends what its programs have started as well', async () => {
    if (!existsSync('/proc/self/environ')) return;
    const program = `import { onSignal, run } from '${join(root, 'tools', 'run.mjs')}';
      onSignal(() => {});
      await run('sh', ['-c', 'sleep 600 & sleep 600; true']);`;
    const { child, mark } = marked(['--input-type=module', '--eval', program]);
    const exited = once(child, 'exit');
    await until(() => processes(mark).filter((each) => each.startsWith('sleep')).length === 2, 'it to start');
    child.kill('SIGTERM');
    await exited;
    await until(() => processes(mark).length === 0, 'all its processes to end');
  });
});

describe('npm test', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'that is told to end by %s ends with all that it has started',
    async (signal) => {
      if (!existsSync('/proc/self/environ')) return;
      const args = ['tools/test.mjs', '--project', 'unit', '--only', 'libs/embedded'];
      const { child, mark } = marked(args);
      const exited = once(child, 'exit');
      const workers = (): number => processes(mark).filter((each) => each.includes('processChild')).length;
      await until(() => workers() >= 2, 'the workers of jest to start', 30_000);
      child.kill(signal);
      expect(await exited).toEqual([signal === 'SIGTERM' ? 143 : 130, null]);
      await until(() => processes(mark).length === 0, 'all processes of the run to end');
    },
    60_000,
  );

  it('of which only npm is told to end takes all else along', async () => {
    if (!existsSync('/proc/self/environ')) return;
    // npm tells the shell between itself and the script, which ends without telling anybody.
    const { child, mark } = marked(['test', '--', '--project', 'unit', '--only', 'libs/embedded'], 'npm');
    const exited = once(child, 'exit');
    const workers = (): number => processes(mark).filter((each) => each.includes('processChild')).length;
    await until(() => workers() > 0, 'the workers of jest to start', 60_000);
    child.kill('SIGTERM');
    await exited;
    await until(() => processes(mark).length === 0, 'all processes of the run to end', 20_000);
  }, 90_000);
});
